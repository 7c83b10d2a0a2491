"""Readers of files and folders, with one module for each format; `FORMATS` lists them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from regjax.data.dataset import Dataset
from regjax.data.inputs import Piece, at_once
from regjax.data.readers.folder import folder_pieces, load_folder
from regjax.data.readers.npy import load_npy, npy_pieces
from regjax.data.readers.npz import load_npz
from regjax.data.readers.npz_inputs import npz_pieces
from regjax.data.readers.table import load_table
from regjax.data.readers.table_inputs import table_pieces
from regjax.data.tables.text import TEXT_ENDINGS


class Format(NamedTuple):
    """The functions that read a format.

    Attributes:
      load: `(path, *, task, lazy, **options) -> Dataset`.
      inputs: `(path, preprocessor, note) -> (x, ids)`: reads examples for prediction, in the form used in training, and
        their ids; `note` is called with messages about conversions.
      pieces: like `inputs`, but yields `regjax.data.inputs.Piece`, so that memory does not depend on the number of
        examples; None if the format can only be read as a whole.
      options: names of further arguments of `load`.
    """

    load: Callable[..., Dataset]
    inputs: Callable[..., tuple[np.ndarray, list[str]]]
    options: tuple[str, ...] = ()
    pieces: Callable[..., Iterator[Piece]] | None = None


FORMATS: dict[str, Format] = {
    ".npz": Format(load_npz, at_once(npz_pieces), pieces=npz_pieces),
    ".npy": Format(load_npy, at_once(npy_pieces), ("target",), npy_pieces),
    **{
        ending: Format(load_table, at_once(table_pieces), ("target", "table"), table_pieces)
        for ending in (*TEXT_ENDINGS, ".parquet", ".feather")
    },
    "": Format(
        load_folder,
        at_once(folder_pieces),
        ("image_size", "image_fit", "image_background", "allow_empty", "cache_dir"),
        folder_pieces,
    ),
}
"""Formats by lower-case file extension; folders have the empty one."""
