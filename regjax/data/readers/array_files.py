"""What the readers of `.npz` and `.npy` files share: datasets and inputs of arrays."""

from __future__ import annotations

import contextlib
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from regjax.core.errors import InputError
from regjax.data.dataset import Dataset
from regjax.data.float32 import check_float32, spread_of
from regjax.data.preprocess import Preprocessor
from regjax.data.source import ArraySource, Rows, as_rows
from regjax.data.targets import encode_targets

PIECE_BYTES = 2**23
"""About the size of a piece that is read for prediction, as it is stored."""

MAX_BYTES = 4 * 2**30
"""Files whose arrays are larger in total, without compression, are refused."""

_AS_ROWS = "for rows of a table give x.reshape(len(x), -1)"


def dataset_of_arrays(path: Path, arrays: Mapping[str, np.ndarray], *, task: str | None, lazy: bool) -> Dataset:
    """Make a dataset of the arrays of a file.

    Args:
      path: the file, for names and messages.
      arrays: `x` and `y` and, for an official test split, `x_test` and `y_test`; see `regjax.data.load_npz`.
      task: overrides `regjax.data.targets.infer_task`.
      lazy: keep the inputs as `Rows`, for arrays that are mapped from a file.

    Raises:
      InputError: the arrays are not inputs and targets.
    """
    name = path.name
    as_form = as_lazy_inputs if lazy else as_inputs
    _check_inputs(name, arrays)
    inputs: dict[str, Any] = {key: as_form(name, value) for key, value in arrays.items() if key.startswith("x")}
    targets = [np.asarray(arrays[key]) for key in ("y", "y_test") if key in arrays]
    targets = [y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y for y in targets]
    for y in targets:
        if y.ndim not in (1, 2):
            raise InputError(f"{name}: y must be [N] or [N, D], got shape {y.shape}")
    task, encoded, class_names = encode_targets(name, targets, task)
    shape = arrays["x"].shape
    said = f"{name}: {_as_gray(shape)}; {_AS_ROWS}"
    return Dataset(
        name=path.stem,
        task=task,
        x=inputs["x"],
        y=encoded[0],
        class_names=class_names,
        test=(inputs["x_test"], encoded[1]) if "x_test" in inputs else None,
        notes=(said,) if len(shape) == 3 else (),
    )


def _check_inputs(name: str, arrays: Mapping[str, np.ndarray]) -> None:
    """Check that float32 can represent the rows of a table; `as_inputs` checks everything else."""
    x, x_test = arrays["x"], arrays.get("x_test")
    if x.ndim in (1, 2) and x.dtype.kind in "iuf":
        check_float32(f"{name}: x", x)
        if x_test is not None and x_test.shape[1:] == x.shape[1:]:
            check_float32(f"{name}: x_test", x_test, spread=spread_of(x))


def as_inputs(name: str, x: np.ndarray, start: int = 0) -> np.ndarray:
    """Convert inputs to the form of a `Dataset`: uint8 or float32 images `[N, H, W, C]`, or `float32[N, F]`.

    Args:
      name: name of the source, for messages.
      x: the inputs.
      start: number of the first of them, for messages.

    Raises:
      InputError: the inputs are not numbers, have another rank, overflow in float32, or are `[N, H, W]` but not pixels.

    Example:
      >>> as_inputs("toy", np.zeros((5, 8, 8), np.uint8)).shape
      (5, 8, 8, 1)
    """
    if x.dtype.kind not in "biuf":
        raise InputError(f"{name}: x must be numeric, got dtype {x.dtype}")
    if x.ndim not in (1, 2, 3, 4):
        raise InputError(f"{name}: x must be [N, F], [N, H, W] or [N, H, W, C], got shape {x.shape}")
    given = x.shape
    if x.ndim in (1, 3):
        x = x[..., None]
    if x.ndim == 4 and x.dtype == np.uint8:
        return np.ascontiguousarray(x)
    with np.errstate(over="ignore"):
        cast = np.ascontiguousarray(x, np.float32)
    if x.dtype.kind == "f" and not np.isfinite(cast).all():
        place = tuple(int(i) for i in np.argwhere(~np.isfinite(cast))[0])
        at = (place[0] + start, *place[1:])
        raise InputError(f"{name}: x must be finite and within float32, found {x[place]} at index {at}")
    if len(given) == 3 and (cast.min(initial=0) < 0 or cast.max(initial=0) > 1):
        found = f"[{cast.min():g}, {cast.max():g}]"
        raise InputError(f"{name}: {_as_gray(given)}, whose pixels are uint8 or in [0, 1], found {found}; {_AS_ROWS}")
    return cast


def _as_gray(shape: tuple[int, ...]) -> str:
    return f"x of shape [N, {', '.join(map(str, shape[1:]))}] is read as gray images"


def as_lazy_inputs(name: str, stored: np.ndarray) -> Rows:
    """Convert inputs like `as_inputs`, but read and convert them on demand.

    Raises:
      InputError: as in `as_inputs`, for the first example.
    """
    form = as_inputs(name, stored[:1])

    def convert(picked: np.ndarray) -> np.ndarray:
        with np.errstate(over="ignore"):
            return np.ascontiguousarray(picked.reshape(-1, *form.shape[1:]), form.dtype)

    return as_rows(name, ArraySource(stored, convert))


def inputs_of_model(path: Path, given: np.ndarray, preprocessor: Preprocessor, start: int) -> np.ndarray:
    """Convert examples for prediction to the form used in training.

    Args:
      path: the file, for messages.
      given: the examples as they are stored.
      preprocessor: that of the model.
      start: number of the first of them, for messages.

    Raises:
      InputError: the examples do not fit the model.
    """
    x = as_inputs(path.name, given, start)
    if x.shape[1:] != preprocessor.shape or (preprocessor.kind == "image" and str(x.dtype) != preprocessor.dtype):
        if preprocessor.kind == "table" and x.ndim == 2:
            names = preprocessor.columns or ()
            which = f" ({', '.join(names[:12])}{', ...' if len(names) > 12 else ''})" if names else ""
            raise InputError(
                f"{path.name}: x has {x.shape[1]} columns, the model was trained on {preprocessor.shape[0]}{which}"
            )
        raise InputError(
            f"{path.name}: x is {x.dtype}{list(x.shape[1:])}, "
            f"the model was trained on {preprocessor.dtype}{list(preprocessor.shape)}"
        )
    if preprocessor.pixel_max is not None and (x.min(initial=0) < 0 or x.max(initial=0) > preprocessor.pixel_max):
        found = f"[{x.min():g}, {x.max():g}]"
        raise InputError(f"{path.name}: pixels must be in [0, {preprocessor.pixel_max:g}], found {found}")
    if preprocessor.kind == "table":
        check_float32(f"{path.name}: x", given, spread=preprocessor.spread, start=start)
    return x


def check_size(path: Path, total: int) -> None:
    """Check that arrays of that many bytes may be read into memory; raises an InputError that names the file."""
    if total > MAX_BYTES:
        raise InputError(
            f"{path.name}: {total / 2**30:.1f} GiB of arrays, accepted in memory: at most {MAX_BYTES / 2**30:g} GiB; "
            "stream it with --loader=stream"
        )


@contextlib.contextmanager
def readable(path: Path) -> Iterator[None]:
    """Convert the errors of reading a file of arrays; raises an InputError that names it."""
    try:
        yield
    except InputError:
        raise
    except ValueError as error:
        hint = "arrays of Python objects are not read" if "pickle" in str(error).lower() else str(error)
        raise InputError(f"{path.name}: {hint}; accepted: arrays of numbers or text") from None
    except (OSError, zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, MemoryError) as error:
        raise InputError(f"{path.name}: not a readable {path.suffix} file ({error})") from None
    except Exception as error:  # a damaged member raises zlib.error, which has no public base class
        raise InputError(f"{path.name}: damaged {path.suffix} file ({error})") from None
