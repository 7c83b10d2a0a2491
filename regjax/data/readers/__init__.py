"""The formats of files and folders, one module each; `FORMATS` lists them."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from regjax.data.dataset import Dataset
from regjax.data.readers.csv import csv_inputs, load_csv
from regjax.data.readers.folder import folder_inputs, load_folder
from regjax.data.readers.npz import load_npz, npz_inputs


class Format(NamedTuple):
    """How files with one ending are read.

    Attributes:
      load: `(path, *, task, lazy, **options) -> Dataset`.
      inputs: `(path, preprocessor, note) -> (x, ids)`: examples to predict in the form that a model was trained on, and
        what names each; `note` is called with lines on what was done to them.
      options: what else `load` takes by name.
    """

    load: Callable[..., Dataset]
    inputs: Callable[..., tuple[np.ndarray, list[str]]]
    options: tuple[str, ...] = ()


FORMATS: dict[str, Format] = {
    ".npz": Format(load_npz, npz_inputs),
    ".csv": Format(load_csv, csv_inputs, ("target",)),
    "": Format(load_folder, folder_inputs, ("image_size", "cache_dir")),
}
"""By ending, in small letters; folders have none."""
