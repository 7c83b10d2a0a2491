"""The preprocessors of several runs on one training pool."""

from __future__ import annotations

from regjax.data.preprocess import Preprocessor
from regjax.data.splits import Splits, training_rows


class Preprocessors:
    """Preprocessors that are fitted only on the examples on which a run trains, each once.

    A run that trains on a part of the pool must not know the mean of the rest: with more data it would be another one.

    Args:
      splits: from `regjax.data.split`.
      whole: the preprocessor that is fitted on the whole pool; None fits it.
      standardize: one of `regjax.data.preprocess.STANDARDIZE`.

    Attributes:
      whole: the preprocessor of runs on the whole pool, which also gives all runs one unit for the loss.

    Example:
      >>> from regjax.data import load, split
      >>> made = Preprocessors(split(load("digits")))
      >>> made.of(0, 128).mean.shape, made.of(0) is made.whole
      ((1,), True)
    """

    def __init__(self, splits: Splits, whole: Preprocessor | None = None, *, standardize: str = "auto"):
        self._splits, self._standardize = splits, standardize
        self.whole = whole or Preprocessor.for_splits(splits, standardize=standardize)
        self._fitted: dict[tuple[int, int], Preprocessor] = {}

    def of(self, seed: int, n_train: int | None = None) -> Preprocessor:
        """Return the preprocessor of a run with this seed on `n_train` examples; None is the whole pool."""
        y = self._splits.y_train
        size = len(y) if n_train is None else n_train
        if (seed, size) not in self._fitted:
            rows = training_rows(y, seed, self._splits.task, size)
            made = self.whole
            if rows is not None:
                made = Preprocessor.for_splits(
                    self._splits, rows=rows, standardize=self._standardize, link=self.whole.link
                )
            self._fitted[seed, size] = made
        return self._fitted[seed, size]
