"""A dataset: examples, targets, and the metadata that training and inference need."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from regjax.catalog import DATASETS, TASKS
from regjax.core.checks import check_choice
from regjax.core.errors import InputError
from regjax.data.image_rule import ImageRule
from regjax.data.tables.schema import Schema

Task = Literal["classification", "regression", "multilabel"]
EMBEDDED = DATASETS
_INT32 = np.iinfo(np.int32)


@dataclass(frozen=True, eq=False)
class Dataset:
    """Examples `x` with targets `y`, which are checked on construction.

    Args:
      name: name of the dataset in reports.
      task: `"classification"`, `"regression"` or `"multilabel"`.
      x: images `[N, H, W, C]`, uint8 or float32; rows of a table `float32[N, F]`; sequences `float32[N, T, F]`; or
        integers `[N, ...]` such as token ids, which are not converted. `regjax.data.Rows` represent such an array and
        are read on demand.
      y: class indices `int32[N]`; numbers `float32[N]` or `float32[N, D]`; or labels `float32[N, K]`, each 0 or 1.
      class_names: one name per class, in the order of the indices.
      columns: one name per column of a table.
      target_names: one name per column of `y` of shape `[N, D]`; None if they have none.
      test: `(x_test, y_test)`, an official test split, or None.
      validation: `(x, y)`, an official validation split, or None.
      notes: messages for the user about how the source was read.
      groups: `int64[N]`, for examples that a split must not divide, such as several of one patient; None if all may be
        divided.
      times: `float64[N]`: later examples are the test set, and none is trained on that is later than a tested one; None
        if the order does not matter.
      weights: `float32[N]` >= 0, of each example in the loss of updates; None weighs all alike. Metrics count every
        example once.
      schema: of a table with columns that are not all plain numbers; then a NaN in x is a missing number.
      embedded: whether it is one of `regjax.data.EMBEDDED`, rather than another dataset with the same name.
      image_rule: how the files of a folder of images were brought to one size; None for other datasets.

    Raises:
      InputError: the shapes do not match, a number is not finite, or a label is out of range.

    Example:
      >>> data = Dataset("tiny", "classification", np.eye(3, dtype=np.float32), np.array([0, 1, 1], np.int32))
      >>> len(data), data.kind, data.num_classes
      (3, 'table', 2)
    """

    name: str
    task: str
    x: np.ndarray
    y: np.ndarray
    class_names: tuple[str, ...] | None = None
    columns: tuple[str, ...] | None = None
    test: tuple[np.ndarray, np.ndarray] | None = None
    embedded: bool = False
    validation: tuple[np.ndarray, np.ndarray] | None = None
    notes: tuple[str, ...] = ()
    schema: Schema | None = None
    groups: np.ndarray | None = None
    times: np.ndarray | None = None
    image_rule: ImageRule | None = None
    weights: np.ndarray | None = None
    target_names: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        check_choice("dataset: task", self.task, TASKS)
        if self.kind == "image":
            _check_channels(self.name, self.x.shape)
        if len(self) == 0:
            raise InputError(f"{self.name}: no examples; at least one is needed")
        self._check_pair(self.x, self.y, "")
        if self.columns is not None and (self.kind != "table" or len(self.columns) != self.x.shape[1]):
            raise InputError(f"{self.name}: {len(self.columns)} column names for x of shape {self.x.shape}")
        if self.class_names is not None:
            if self.task != "classification":
                raise InputError(f"{self.name}: class_names belong to classification, task is {self.task!r}")
            if len(set(self.class_names)) != len(self.class_names):
                raise InputError(f"{self.name}: class_names are not distinct: {_shorten(self.class_names)}")
        if self.target_names is not None:
            names = self.target_names
            if self.y.ndim != 2 or len(names) != self.y.shape[1] or len(set(names)) != len(names):
                raise InputError(f"{self.name}: {len(set(names))} distinct target_names for y of shape {self.y.shape}")
        for name in ("groups", "times", "weights"):
            values = getattr(self, name)
            if values is not None and len(values) != len(self):
                raise InputError(f"{self.name}: {len(values)} {name} for {len(self)} examples")
        if self.groups is not None and self.times is not None:
            raise InputError(f"{self.name}: groups and times; accepted: one of them")
        for part, pair in (("validation", self.validation), ("test", self.test)):
            if pair is not None:
                self._check_part(part, *pair)

    def _check_part(self, part: str, x: np.ndarray, y: np.ndarray) -> None:
        if x.shape[1:] != self.x.shape[1:] or x.dtype != self.x.dtype:
            raise InputError(
                f"{self.name}: {part} examples are {x.dtype}{list(x.shape[1:])}, "
                f"training examples {self.x.dtype}{list(self.x.shape[1:])}"
            )
        if y.shape[1:] != self.y.shape[1:]:
            raise InputError(f"{self.name}: {part} targets are {y.shape}, training targets {self.y.shape}")
        if len(x) == 0:
            raise InputError(f"{self.name}: the {part} split is empty")
        self._check_pair(x, y, f" {part}")

    def _check_pair(self, x: np.ndarray, y: np.ndarray, part: str) -> None:
        if self.kind == "image" and x.dtype not in (np.uint8, np.float32):
            raise InputError(f"{self.name}:{part} images must be uint8 or float32, got {x.dtype}")
        if self.kind == "table" and x.dtype != np.float32:
            raise InputError(f"{self.name}:{part} rows must be float32, got {x.dtype}")
        if self.kind == "array" and x.dtype != np.float32 and x.dtype.kind not in "iu":
            raise InputError(f"{self.name}:{part} x must be float32 or integers, got {x.dtype}")
        if 0 in x.shape[1:]:
            raise InputError(f"{self.name}:{part} x of shape {x.shape} has no features")
        if len(x) != len(y):
            raise InputError(f"{self.name}: {len(x)}{part} examples but {len(y)} targets")
        held = isinstance(x, np.ndarray)  # `Rows` are checked when they are read
        if held and x.dtype == np.float32 and self.schema is None:
            _check_finite(f"{self.name}:{part} x", x)
        if held and self.kind == "image" and x.dtype == np.float32 and (x.max(initial=0) > 1 or x.min(initial=0) < 0):
            raise InputError(f"{self.name}:{part} pixels must be in [0, 1], found [{x.min():g}, {x.max():g}]")
        if (
            held
            and x.dtype.kind in "iu"
            and not np.can_cast(x.dtype, np.int32)
            and not _INT32.min <= int(x.min(initial=0)) <= int(x.max(initial=0)) <= _INT32.max
        ):
            raise InputError(f"{self.name}:{part} integers must fit int32, found [{x.min()}, {x.max()}]")
        if self.task == "multilabel":
            if y.dtype != np.float32 or y.ndim != 2 or y.shape[1] < 2 or not np.isin(y, (0, 1)).all():
                raise InputError(f"{self.name}:{part} labels must be float32 [N, K] of 0 and 1, K >= 2, got {y.shape}")
            return
        if self.task == "regression":
            if y.dtype != np.float32 or y.ndim not in (1, 2) or 0 in y.shape[1:]:
                raise InputError(f"{self.name}:{part} targets must be float32 [N] or [N, D], got {y.dtype} {y.shape}")
            _check_finite(f"{self.name}:{part} y", y)
            return
        if y.dtype != np.int32 or y.ndim != 1:
            raise InputError(f"{self.name}:{part} labels must be int32 [N], got {y.dtype} {y.shape}")
        low, high = int(y.min()), int(y.max())
        if low < 0 or high >= self.num_classes:
            bad = low if low < 0 else high
            raise InputError(f"{self.name}:{part} label {bad} is out of range, accepted: 0..{self.num_classes - 1}")

    @property
    def kind(self) -> str:
        """`"image"` or `"table"`, according to the rank of `x`; `"array"` for everything else."""
        if self.x.ndim < 2:
            raise InputError(f"{self.name}: x must be [N, F] or [N, H, W, C], got shape {self.x.shape}")
        if self.x.ndim == 4:
            return "image"
        return "table" if self.x.ndim == 2 and self.x.dtype.kind not in "iu" else "array"

    @property
    def num_classes(self) -> int:
        """Number of exclusive classes; 0 for regression and multilabel."""
        if self.task != "classification":
            return 0
        return len(self.class_names) if self.class_names is not None else max(int(self.y.max()) + 1, 0)

    def __len__(self) -> int:
        """Return the number of examples, without the official test split."""
        return len(self.x)


def _check_channels(name: str, shape: tuple[int, ...]) -> None:
    """Raise an `InputError` for images whose shape suggests another layout than [N, H, W, C]."""
    if shape[1] <= 4 < min(shape[2:]):
        raise InputError(
            f"{name}: images of shape {list(shape)} look like [N, C, H, W], accepted: [N, H, W, C], as by "
            f"np.moveaxis(x, 1, -1); if {shape[1]} is their height, np.swapaxes(x, 1, 2) lays them on their side"
        )


def _check_finite(what: str, values: np.ndarray) -> None:
    # A finite sum proves that every term is finite, without a boolean array of the same size.
    with np.errstate(over="ignore", invalid="ignore"):
        if np.isfinite(values.sum(dtype=np.float64)):
            return
    bad = np.argwhere(~np.isfinite(values))
    if len(bad):
        index = tuple(int(i) for i in bad[0])
        raise InputError(f"{what} must be finite, found {values[index]} at index {index}")


def _shorten(names: tuple[str, ...], most: int = 8) -> str:
    return ", ".join(map(repr, names[:most])) + (", ..." if len(names) > most else "")
