"""Optuna's tree-structured Parzen estimator as the sampler of a search."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from regjax.core.extras import require
from regjax.core.ranges import Range


class OptunaSampler:
    """Proposes points from the scores of those before, by Optuna's TPE; larger scores are better.

    Args:
      space: by name a range, or a list of choices.
      seed: of the sampler.

    Raises:
      MissingPackage: Optuna is not installed.

    Reference: Bergstra et al., Algorithms for hyper-parameter optimization, 2011; Akiba et al., Optuna, 2019.
    """

    def __init__(self, space: Mapping[str, Range | Sequence[float]], seed: int):
        require("optuna", extra="optuna")
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._optuna = optuna
        with warnings.catch_warnings():
            # Trials under way count as bad ones, so that not all places try the same.
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            sampler = optuna.samplers.TPESampler(seed=seed, constant_liar=True)
        self._study = optuna.create_study(direction="maximize", sampler=sampler)
        self._space = space
        self._trials: list[Any] = []
        self.points: list[dict[str, float]] = []

    def ask(self, trial: int) -> None:
        """Propose the point of a trial; the trials are numbered from 0, in order."""
        assert trial == len(self.points)
        self._trials.append(self._study.ask())
        self.points.append({name: self._suggested(self._trials[-1], name) for name in self._space})

    def tell(self, trial: int, score: float) -> None:
        """Take the score of a trial; one that is not finite has failed."""
        if math.isfinite(score):
            self._study.tell(self._trials[trial], score)
        else:
            self._study.tell(self._trials[trial], state=self._optuna.trial.TrialState.FAIL)

    def _suggested(self, trial: Any, name: str) -> float:
        values = self._space[name]
        if not isinstance(values, Range):
            return float(trial.suggest_categorical(name, list(values)))
        if values.off and not trial.suggest_categorical(f"{name} is on", [False, True]):
            return 0.0
        if values.whole:
            return float(trial.suggest_int(name, int(values.low), int(values.high), log=values.log))
        return float(trial.suggest_float(name, values.low, values.high, log=values.log))
