"""Datasets from a user's own files; tables are read in `csv_table`, images in `folder`.

Nothing that is doubtful is guessed: every refusal is one line that names the file, the place and what is
accepted. Pickles are never read.
"""

from __future__ import annotations

import difflib
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from regjax.core.errors import InputError
from regjax.data.csv_table import DEFAULT_TARGET, Table, load_csv
from regjax.data.dataset import Dataset
from regjax.data.narrow import Spread, check_float32, spread_of
from regjax.data.npz_map import map_member
from regjax.data.preprocess import Preprocessor
from regjax.data.rows import Rows
from regjax.data.targets import encode_targets

MAX_NPZ_BYTES = 4 * 2**30
"""Larger arrays (uncompressed, all of a file together) are refused."""

_AS_ROWS = "for rows of a table give x.reshape(len(x), -1)"


def load_path(
    path: str | os.PathLike[str],
    *,
    target: str | None = None,
    task: str | None = None,
    image_size: tuple[int, int] | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
) -> Dataset:
    """Load a `.npz` file, a `.csv` file or a folder of class folders of images.

    Args:
      path: the file or folder.
      target: target column, CSV only.
      task: overrides the task that the targets suggest.
      image_size: `(height, width)` that images of a folder are resized to.
      cache_dir: where decoded images are kept; see `regjax.data.cache.cache_root`.

    Raises:
      InputError: nothing there, a kind that is not known, or contents that cannot be used.
    """
    path = check_path(path, target=target, image_size=image_size)
    if path.is_dir():
        from regjax.data.folder import load_folder

        return load_folder(path, task=task, image_size=image_size, cache_dir=cache_dir)
    if path.suffix.lower() == ".npz":
        return load_npz(path, task=task)
    return load_csv(path, target=target or DEFAULT_TARGET, task=task)


def check_path(
    path: str | os.PathLike[str], *, target: str | None = None, image_size: tuple[int, int] | None = None
) -> Path:
    """A path that `load_path` can read, as far as its name tells.

    Raises:
      InputError: nothing there, a kind that is not known, or an option that is for another kind.
    """
    path = Path(os.path.expanduser(path))
    if not path.exists():
        raise InputError(f"dataset {str(path)!r}: {_absent(path)}")
    if target is not None and path.suffix.lower() != ".csv":
        raise InputError(f"target {target!r}: only .csv files have a target column, got {str(path)!r}")
    if image_size is not None and not path.is_dir():
        raise InputError(f"image_size {image_size}: only folders of images are resized, got {str(path)!r}")
    if not path.is_dir() and path.suffix.lower() not in (".npz", ".csv"):
        raise InputError(f"dataset {str(path)!r}: accepted are .npz files, .csv files and folders of class folders")
    return path


def load_npz(path: str | os.PathLike[str], *, task: str | None = None, lazy: bool = False) -> Dataset:
    """Load a `.npz` file with arrays `x` and `y` and, for an official test split, `x_test` and `y_test`.

    Args:
      path: the file. x: `[N]` or `[N, F]` numbers, or images `[N, H, W]` or `[N, H, W, C]` (uint8, or floats
        in [0, 1]); y: `[N]` labels (numbers or text) or numbers `[N]` or `[N, D]`.
      task: overrides `regjax.data.targets.infer_task`.
      lazy: map `x` and `x_test` from the file, as `Rows`, instead of reading them.

    Raises:
      InputError: not such a file, or a compressed one that cannot be mapped.

    Example:
      >>> import tempfile
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     np.savez(f"{folder}/toy.npz", x=np.eye(4), y=np.array(["a", "b", "a", "b"]))
      ...     data = load_npz(f"{folder}/toy.npz")
      >>> data.x.shape, data.class_names
      ((4, 4), ('a', 'b'))
    """
    path = Path(path)
    arrays = _read_npz(path, required=("x", "y"), optional=("x_test", "y_test"), mapped=("x", "x_test") if lazy else ())
    if ("x_test" in arrays) != ("y_test" in arrays):
        raise InputError(f"{path.name}: x_test and y_test belong together, found only one of them")
    as_form = _as_rows if lazy else as_inputs
    _check_inputs(path.name, arrays)
    inputs = {key: as_form(path.name, value) for key, value in arrays.items() if key.startswith("x")}
    targets = [np.asarray(arrays[key]) for key in ("y", "y_test") if key in arrays]
    targets = [y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y for y in targets]
    for y in targets:
        if y.ndim not in (1, 2):
            raise InputError(f"{path.name}: y must be [N] or [N, D], got shape {y.shape}")
    task, encoded, class_names = encode_targets(path.name, targets, task)
    shape = arrays["x"].shape
    said = f"{path.name}: {_as_gray(shape)}; {_AS_ROWS}"
    return Dataset(
        name=path.stem,
        task=task,
        x=inputs["x"],
        y=encoded[0],
        class_names=class_names,
        test=(inputs["x_test"], encoded[1]) if "x_test" in inputs else None,
        notes=(said,) if len(shape) == 3 else (),
    )


def _check_inputs(name: str, arrays: dict[str, np.ndarray]) -> None:
    """Refuse rows of a table whose numbers float32 does not tell apart; `as_inputs` refuses the rest."""
    x, x_test = arrays["x"], arrays.get("x_test")
    if x.ndim in (1, 2) and x.dtype.kind in "iuf":
        check_float32(f"{name}: x", x)
        if x_test is not None and x_test.shape[1:] == x.shape[1:]:
            check_float32(f"{name}: x_test", x_test, spread=spread_of(x))


def as_inputs(name: str, x: np.ndarray) -> np.ndarray:
    """Inputs in the form of a `Dataset`: uint8 or float32 images `[N, H, W, C]`, or `float32[N, F]`.

    Raises:
      InputError: not numbers, another rank, numbers beyond float32, or `[N, H, W]` that are no pixels.

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
        raise InputError(f"{name}: x must be finite and within float32, found {x[place]} at index {place}")
    if len(given) == 3 and (cast.min(initial=0) < 0 or cast.max(initial=0) > 1):
        found = f"[{cast.min():g}, {cast.max():g}]"
        raise InputError(f"{name}: {_as_gray(given)}, whose pixels are uint8 or in [0, 1], found {found}; {_AS_ROWS}")
    return cast


def _as_gray(shape: tuple[int, ...]) -> str:
    return f"x of shape [N, {', '.join(map(str, shape[1:]))}] is read as gray images"


def _as_rows(name: str, stored: np.ndarray) -> Any:
    """Inputs as `as_inputs` makes them, read and converted when they are asked for."""
    form = as_inputs(name, stored[:1])

    def read(index: np.ndarray) -> np.ndarray:
        with np.errstate(over="ignore"):
            return np.ascontiguousarray(stored[index].reshape(-1, *form.shape[1:]), form.dtype)

    pixel_max = None if form.ndim == 2 else 255.0 if form.dtype == np.uint8 else 1.0
    return Rows(name, read, np.arange(len(stored)), form.shape[1:], form.dtype, pixel_max)


def _read_npz(
    path: Path, required: tuple[str, ...], optional: tuple[str, ...] = (), mapped: tuple[str, ...] = ()
) -> dict[str, np.ndarray]:
    """The arrays of a file by name; those in `mapped` are views of it."""
    try:
        with zipfile.ZipFile(path) as archive:
            sizes = {member.filename.removesuffix(".npy"): member.file_size for member in archive.infolist()}
        total = sum(size for name, size in sizes.items() if name not in mapped)
        if total > MAX_NPZ_BYTES:
            limit = f"{MAX_NPZ_BYTES / 2**30:g} GiB"
            raise InputError(
                f"{path.name}: {total / 2**30:.1f} GiB of arrays, accepted in memory: at most {limit}; "
                "stream it with --loader=stream"
            )
        with np.load(path, allow_pickle=False) as stored:
            missing = [key for key in required if key not in stored.files]
            if missing:
                raise InputError(
                    f"{path.name}: no array {missing[0]!r}; it has {', '.join(stored.files) or 'nothing'}, "
                    f"accepted: {', '.join(required + optional)}"
                )
            found = [key for key in required + optional if key in stored.files]
            arrays = {key: map_member(path, key) if key in mapped else stored[key] for key in found}
            for key, array in arrays.items():
                if not isinstance(array, np.ndarray):  # NumPy gives the bytes of a member that is no array
                    raise InputError(f"{path.name}: {key!r} is no array; accepted: arrays of numbers or text")
            return arrays
    except InputError:
        raise
    except ValueError as error:
        hint = "arrays of Python objects are not read" if "pickle" in str(error).lower() else str(error)
        raise InputError(f"{path.name}: {hint}; accepted: arrays of numbers or text") from None
    except (OSError, zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, MemoryError) as error:
        raise InputError(f"{path.name}: not a readable .npz file ({error})") from None
    except Exception as error:  # zlib.error has no public base class; a damaged member raises it
        raise InputError(f"{path.name}: damaged .npz file ({error})") from None


def read_inputs(
    path: str | os.PathLike[str], preprocessor: Preprocessor, note: Callable[[str], None] | None = None
) -> tuple[np.ndarray, list[str]]:
    """Examples to predict, without targets, in the form that a trained model wants before `transform`.

    Args:
      path: `.npz` with `x`; `.csv` with the columns of the training table (others, a target included, are
        ignored); a folder of images, flat or nested, resized to the size of training.
      preprocessor: of the trained model.
      note: called with each line on what was done to the images, or skipped.

    Returns:
      `(x, ids)`: `[N, *shape]`, and for each example its index, its row in the file or its relative path.

    Raises:
      InputError: a file that does not fit the model.
    """
    path = Path(os.path.expanduser(path))
    if not path.exists():
        raise InputError(f"input {str(path)!r}: {_absent(path)}")
    if path.is_dir():
        from regjax.data.folder import read_images

        if preprocessor.kind != "image":
            raise InputError(f"input {str(path)!r}: a folder of images, the model was trained on a table")
        x, names = read_images(path, preprocessor.shape, note)
        if preprocessor.pixel_max == 255.0:
            return x, names
        # The model counts full pixels otherwise, digits as 16: bring the files' 0..255 to that.
        return x * np.float32((preprocessor.pixel_max or 1.0) / 255.0), names
    if path.suffix.lower() == ".csv":
        if preprocessor.columns is None:
            raise InputError(f"input {path.name}: the model was trained without column names; accepted: .npz, folders")
        table = Table(path, None, preprocessor.columns)
        check_float32(f"{path.name}: x", table.values, table.columns, _spread_of_training(preprocessor))
        return table.x, [str(row) for row in table.rows]
    if path.suffix.lower() != ".npz":
        raise InputError(f"input {str(path)!r}: accepted are .npz files, .csv files and folders of images")
    given = _read_npz(path, required=("x",))["x"]
    x = as_inputs(path.name, given)
    if x.shape[1:] != preprocessor.shape or (preprocessor.kind == "image" and str(x.dtype) != preprocessor.dtype):
        raise InputError(
            f"{path.name}: x is {x.dtype}{list(x.shape[1:])}, "
            f"the model was trained on {preprocessor.dtype}{list(preprocessor.shape)}"
        )
    if preprocessor.pixel_max is not None and (x.min(initial=0) < 0 or x.max(initial=0) > preprocessor.pixel_max):
        found = f"[{x.min():g}, {x.max():g}]"
        raise InputError(f"{path.name}: pixels must be in [0, {preprocessor.pixel_max:g}], found {found}")
    if preprocessor.kind == "table":
        check_float32(f"{path.name}: x", given, spread=_spread_of_training(preprocessor))
    return x, [str(i) for i in range(len(x))]


def _spread_of_training(pre: Preprocessor) -> Spread:
    """Of each column; where columns were not standardized apart, no digits but those of the largest count."""
    if pre.mean.ndim:
        return Spread(pre.mean.astype(np.float64), pre.scale.astype(np.float64))
    return Spread(np.zeros(pre.shape), np.zeros(pre.shape))


def _absent(path: Path) -> str:
    """What is wrong with a path to nothing, with a hint at a file of nearly this name."""
    if path.is_symlink():
        return f"a link to nothing ({os.readlink(path)}); put the file there, or name another"
    try:
        names = [child.name for child in path.parent.iterdir()]
    except OSError:
        names = []
    near = difflib.get_close_matches(path.name, names, 1, 0.6)
    return "no such file or folder" + (f" (did you mean {str(path.parent / near[0])!r}?)" if near else "")
