"""Standardization, which is fitted on the training examples only and stored with the weights.

`preprocess.json` is the text of `Preprocessor.to_json()`: everything that inference needs to preprocess a new file.
"""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from regjax.core.checks import check_choice
from regjax.core.errors import InputError
from regjax.data.float32 import Spread
from regjax.data.image_rule import ImageRule
from regjax.data.source import full_pixel, slices
from regjax.data.splits import Splits
from regjax.data.standardization import Standardization
from regjax.data.tables.schema import Schema

STANDARDIZE = ("auto", "feature", "channel", "global", "none")
"""`feature`: per column or pixel; `channel`: per channel of images or feature of sequences; `global`: one number for
all. `auto` is `channel` for images and sequences, `feature` for tables, and `none` for integers such as token ids,
which are then not changed."""

KINDS = ("image", "table", "array")

LINKS = ("identity", "log")

FORMAT = 1

_SILENT = np.float32(2.0**100)  # a scale that makes 0 of every number, and is one in JSON


@dataclass(frozen=True, eq=False)
class Preprocessor:
    """x -> (x / pixel_max - mean) / scale, and for regression y -> (y - y_mean) / y_scale.

    Attributes:
      kind: `"image"`, `"table"` or `"array"`.
      shape: shape of one example: `(H, W, C)`, `(F,)`, or any other shape for arrays.
      dtype: dtype of the training examples: `"uint8"` or `"float32"`, or any integers for arrays.
      task: one of `regjax.catalog.TASKS`.
      name: name of the dataset.
      mean: `float32`, broadcasts against one example.
      scale: `float32`, like `mean`, never 0.
      pixel_max: largest value of a pixel; None for tables.
      class_names: names of the classes, or None.
      columns: names of the columns, or None.
      target_names: names of the D targets, or None.
      y_mean: `float32[]` or `float32[D]`; None if the targets are not standardized.
      y_scale: like `y_mean`, never 0.
      link: what the outputs of a regression are: `"identity"`, standardized targets, or `"log"`, logarithms of targets
        that are not standardized.
      fill: the median of each column, which replaces missing numbers (NaN); None for examples without them.
      schema: of a table: how its columns become inputs.
      image_rule: how image files are brought to `shape`; None if the training examples were not read from image files.

    Example:
      >>> rows = np.array([[1.0, 5.0], [3.0, 5.0]], np.float32)
      >>> Preprocessor.fit(rows, "table").transform(rows)
      array([[-1.,  0.],
             [ 1.,  0.]], dtype=float32)
    """

    kind: str
    shape: tuple[int, ...]
    dtype: str
    task: str
    name: str
    mean: np.ndarray
    scale: np.ndarray
    pixel_max: float | None = None
    class_names: tuple[str, ...] | None = None
    columns: tuple[str, ...] | None = None
    y_mean: np.ndarray | None = None
    y_scale: np.ndarray | None = None
    fill: np.ndarray | None = None
    schema: Schema | None = None
    image_rule: ImageRule | None = None
    link: str = "identity"
    target_names: tuple[str, ...] | None = None

    @classmethod
    def fit(
        cls,
        x_train: np.ndarray,
        kind: str,
        *,
        standardize: str = "auto",
        y_train: np.ndarray | None = None,
        task: str = "classification",
        name: str = "data",
        class_names: tuple[str, ...] | None = None,
        columns: tuple[str, ...] | None = None,
        schema: Schema | None = None,
        image_rule: ImageRule | None = None,
    ) -> Preprocessor:
        """Fit on training examples.

        Args:
          x_train: `[N, H, W, C]`, `[N, F]`, or another array `[N, ...]`.
          kind: `"image"`, `"table"` or `"array"`.
          standardize: one of `STANDARDIZE`.
          y_train: targets to standardize, for regression; None does not standardize the targets.
          task: stored in the preprocessor.
          name: stored in the preprocessor.
          class_names: stored in the preprocessor.
          columns: stored in the preprocessor.
          schema: stored in the preprocessor. With it, missing numbers (NaN) are replaced by the median of their column,
            and a column that is the same for all training examples becomes 0 for every example: a level that none of
            them has, for instance, says nothing.
          image_rule: stored in the preprocessor.

        Raises:
          InputError: there are no examples, the rank is wrong, or `standardize` does not apply to the kind.
        """
        check_choice("preprocess: kind", kind, KINDS)
        check_choice("preprocess: standardize", standardize, STANDARDIZE)
        rank = {"image": 4, "table": 2}.get(kind, x_train.ndim)
        if x_train.ndim != rank or len(x_train) == 0:
            raise InputError(f"preprocess: {kind} examples must have rank {rank} and N > 0, got {x_train.shape}")
        if kind == "table" and standardize == "channel":
            raise InputError("preprocess: standardize 'channel' is for images; tables accept feature, global, none")
        pixel_max = full_pixel(x_train.shape, x_train.dtype) if kind == "image" else None
        if standardize == "auto":
            standardize = "feature" if kind == "table" else "channel"
            if kind == "array" and x_train.dtype.kind in "iu":
                standardize = "none"
        fill, examples = _filled(x_train, schema)
        if standardize == "none":
            mean, scale = np.zeros((), np.float32), np.ones((), np.float32)
        else:
            axes = {"feature": (0,), "channel": tuple(range(rank - 1)), "global": tuple(range(rank))}[standardize]
            mean, scale = _moments(examples, axes, pixel_max or 1.0)
            if schema is not None and standardize == "feature":
                scale = np.where((examples == examples[0]).all(axis=0), _SILENT, scale)
        y_mean, y_scale = (None, None) if y_train is None else _moments(y_train, (0,), 1.0)
        return cls(
            kind=kind,
            shape=x_train.shape[1:],
            dtype=str(x_train.dtype),
            task=task,
            name=name,
            mean=mean,
            scale=scale,
            pixel_max=pixel_max,
            class_names=class_names,
            columns=columns,
            y_mean=y_mean,
            y_scale=y_scale,
            fill=fill,
            schema=schema,
            image_rule=image_rule,
        )

    @classmethod
    def for_splits(
        cls,
        splits: Splits,
        *,
        rows: np.ndarray | None = None,
        standardize: str = "auto",
        standardize_target: bool = True,
        link: str = "identity",
    ) -> Preprocessor:
        """Fit on training examples of `splits`, and store its metadata.

        Args:
          splits: from `regjax.data.split`.
          rows: positions in the training set of the examples that a run trains on, such as those of
            `regjax.data.training_rows`; None is all of them.
          standardize: one of `STANDARDIZE`.
          standardize_target: whether to standardize the targets of a regression too.
          link: of a regression; with `"log"`, targets are not standardized.
        """
        check_choice("preprocess: link", link, LINKS)
        numbers = splits.task == "regression"
        x, y = splits.x_train, splits.y_train
        if rows is not None:
            x, y = x[rows], y[rows]
        made = cls.fit(
            x,
            splits.kind,
            standardize=standardize,
            y_train=y if numbers and standardize_target and link == "identity" else None,
            task=splits.task,
            name=splits.name,
            class_names=splits.class_names,
            columns=splits.columns,
            schema=splits.schema,
            image_rule=splits.image_rule,
        )
        made = replace(made, target_names=splits.target_names)
        return replace(made, link=link) if numbers else made

    def transform(self, x: np.ndarray) -> np.ndarray:
        """Return standardized examples.

        Args:
          x: `[N, *shape]`.

        Returns:
          `float32[N, *shape]`, or the integers themselves if they are not standardized; `x` is not changed.

        Raises:
          InputError: the examples have another shape.
        """
        if x.shape[1:] != self.shape:
            raise InputError(
                f"preprocess: examples of shape {list(x.shape[1:])}, the model was trained on {list(self.shape)}"
            )
        return x if self.standardization is None else self.standardization.apply(x)

    @functools.cached_property
    def standardization(self) -> Standardization | None:
        """The standardization of examples and targets, for compiled programs; None if neither is changed."""
        integers = self.kind == "array" and np.dtype(self.dtype).kind in "iu"
        if integers and not self.mean.ndim and self.mean == 0 and self.scale == 1:
            return None if self.y_mean is None else Standardization(None, None, self.y_mean, self.y_scale)
        unit = np.float32(1.0 if self.pixel_max is None else self.pixel_max)
        return Standardization(self.mean * unit, self.scale * unit, self.y_mean, self.y_scale, self.fill)

    @property
    def spread(self) -> Spread:
        """Mean and deviation of each training column; zeros if the columns were not standardized separately."""
        if self.mean.ndim:
            return Spread(self.mean.astype(np.float64), self.scale.astype(np.float64))
        return Spread(np.zeros(self.shape), np.zeros(self.shape))

    def target_transform(self, y: np.ndarray) -> np.ndarray:
        """Return standardized targets `(y - y_mean) / y_scale`, or `y` itself if targets are not standardized."""
        if self.y_mean is None or self.y_scale is None:
            return y
        return ((y - self.y_mean) / self.y_scale).astype(np.float32)

    def target_inverse(self, y: np.ndarray) -> np.ndarray:
        """Convert outputs of a model to predictions in the units of the targets.

        It is the inverse of `target_transform`, `y * y_scale + y_mean`; with the link `"log"` it is `exp(y)`.
        """
        if self.link == "log":
            return np.exp(y).astype(np.float32)
        if self.y_mean is None or self.y_scale is None:
            return y
        return (y * self.y_scale + self.y_mean).astype(np.float32)

    def units_of(self, other: Preprocessor) -> tuple[np.ndarray, np.ndarray] | None:
        """Return factor and offset that bring standardized targets to the units of another preprocessor.

        None if targets are not standardized, or if both are the same.
        """
        if self is other or self.y_mean is None or self.y_scale is None or other.y_mean is None:
            return None
        mean, scale = np.asarray(other.y_mean, np.float64), np.asarray(other.y_scale, np.float64)
        return np.asarray(self.y_scale / scale, np.float32), np.asarray((self.y_mean - mean) / scale, np.float32)

    def loss_unit(self, other: Preprocessor, power: int = 2) -> float:
        """Return the factor that converts a loss of standardized targets to the units of another preprocessor.

        A loss is of the given power of the target's unit: 2 for squares, 1 for absolute errors.

        For several targets it is the mean of their factors; 1 if targets are not standardized.
        """
        if self.y_scale is None or other.y_scale is None:
            return 1.0
        return float(np.mean((np.asarray(self.y_scale, np.float64) / other.y_scale) ** power))

    def to_json(self) -> str:
        """Return the text of `preprocess.json`; float32 numbers are restored exactly by `from_json`."""
        schema = {
            "kind": self.kind,
            "shape": list(self.shape),
            "dtype": self.dtype,
            "task": self.task,
            "dataset": self.name,
            "pixel_max": self.pixel_max,
        }
        content = {
            "format": FORMAT,
            "schema": schema,
            "class_names": None if self.class_names is None else list(self.class_names),
            "columns": None if self.columns is None else list(self.columns),
            "targets": None if self.target_names is None else list(self.target_names),
            "mean": self.mean.tolist(),
            "scale": self.scale.tolist(),
            "y_mean": None if self.y_mean is None else self.y_mean.tolist(),
            "y_scale": None if self.y_scale is None else self.y_scale.tolist(),
            "link": self.link,
            "fill": None if self.fill is None else self.fill.tolist(),
            "table": None if self.schema is None else self.schema.to_json(),
            "images": None if self.image_rule is None else self.image_rule._asdict(),
        }
        return json.dumps(content, indent=1, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Preprocessor:
        """Restore the preprocessor from the text of `to_json`.

        Raises:
          InputError: the text is not the output of `to_json`.

        Example:
          >>> made = Preprocessor.fit(np.ones((2, 3), np.float32), "table", name="toy")
          >>> Preprocessor.from_json(made.to_json()).name
          'toy'
        """
        try:
            content: dict[str, Any] = json.loads(text)
            schema = content["schema"]
            made = cls(
                kind=schema["kind"],
                shape=tuple(int(size) for size in schema["shape"]),
                dtype=schema["dtype"],
                task=schema["task"],
                name=schema["dataset"],
                mean=np.asarray(content["mean"], np.float32),
                scale=np.asarray(content["scale"], np.float32),
                pixel_max=schema["pixel_max"],
                class_names=None if content["class_names"] is None else tuple(content["class_names"]),
                columns=None if content["columns"] is None else tuple(content["columns"]),
                target_names=None if content.get("targets") is None else tuple(content["targets"]),
                y_mean=None if content["y_mean"] is None else np.asarray(content["y_mean"], np.float32),
                y_scale=None if content["y_scale"] is None else np.asarray(content["y_scale"], np.float32),
                fill=None if content.get("fill") is None else np.asarray(content["fill"], np.float32),
                schema=None if content.get("table") is None else Schema.from_json(content["table"]),
                image_rule=ImageRule.of_run(content),
                link=str(content.get("link", "identity")),  # runs of earlier versions have none
            )
            if content["format"] != FORMAT or made.kind not in KINDS:
                raise ValueError(f"format {content['format']}, kind {made.kind!r}")
            check_choice("link", made.link, LINKS)
            np.broadcast_shapes(made.mean.shape, made.scale.shape, made.shape)
            if not np.isfinite(made.mean).all() or not (made.scale > 0).all():
                raise ValueError("mean must be finite and scale positive")
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(f"preprocess.json is not usable: {type(error).__name__}: {error}") from None
        return made


def _filled(values: Any, schema: Schema | None) -> tuple[np.ndarray | None, Any]:
    """The median of each column that may have missing numbers, and the examples with these filled in."""
    if schema is None or not schema.imputes:
        return None, values
    examples = np.asarray(values[:])
    missing = np.isnan(examples)
    empty = missing.all(axis=0)  # a column without a number in training; it is the same everywhere, so it becomes 0
    fill = np.nanmedian(np.where(empty, np.float32(0), examples), axis=0).astype(np.float32)
    return fill, np.where(missing, fill, examples)


def _moments(values: np.ndarray, axes: tuple[int, ...], unit: float) -> tuple[np.ndarray, np.ndarray]:
    """Compute mean and standard deviation of `values / unit` over `axes` in float64; constants get scale 1."""
    count = int(np.prod([values.shape[axis] for axis in axes]))
    # Done slice by slice, because a float64 copy of all images would take eight times their memory.
    total: Any = 0.0
    for part in slices(values):
        total = total + part.sum(axis=axes, dtype=np.float64)
    mean = total / count
    square: Any = 0.0
    for part in slices(values):
        away = part - _expand(mean, values.ndim, axes)
        square = square + np.square(away, out=away).sum(axis=axes)
    variance = square / count
    # Rounding errors make the variance of a constant column nonzero; this is the bound of scikit-learn's scaler.
    eps = np.finfo(np.float64).eps
    constant = variance <= count * eps * variance + (count * mean * eps) ** 2
    deviation = np.where(constant, 1.0, np.sqrt(variance) / unit)
    scale = deviation.astype(np.float32)
    # A deviation that underflows in float32 must not cause a division by zero.
    return np.asarray(mean / unit, np.float32), np.where(scale > 0, scale, np.float32(1.0))


def _expand(mean: np.ndarray, rank: int, axes: tuple[int, ...]) -> np.ndarray:
    shape = iter(np.shape(mean))
    return np.reshape(mean, [1 if axis in axes else next(shape) for axis in range(rank)])
