"""Readers of files and folders, with one module for each format; `FORMATS` lists them."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from regjax.data.dataset import Dataset
from regjax.data.readers.folder import folder_inputs, load_folder
from regjax.data.readers.npz import load_npz, npz_inputs
from regjax.data.readers.table import load_table, table_inputs
from regjax.data.tables.reading import TEXT_ENDINGS


class Format(NamedTuple):
    """The functions that read a format.

    Attributes:
      load: `(path, *, task, lazy, **options) -> Dataset`.
      inputs: `(path, preprocessor, note) -> (x, ids)`: reads examples for prediction, in the form used in training, and
        their ids; `note` is called with messages about conversions.
      options: names of further arguments of `load`.
    """

    load: Callable[..., Dataset]
    inputs: Callable[..., tuple[np.ndarray, list[str]]]
    options: tuple[str, ...] = ()


FORMATS: dict[str, Format] = {
    ".npz": Format(load_npz, npz_inputs),
    **{
        ending: Format(load_table, table_inputs, ("target", "table"))
        for ending in (*TEXT_ENDINGS, ".parquet", ".feather")
    },
    "": Format(load_folder, folder_inputs, ("image_size", "image_fit", "image_background", "allow_empty", "cache_dir")),
}
"""Formats by lower-case file extension; folders have the empty one."""
