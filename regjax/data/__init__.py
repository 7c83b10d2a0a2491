"""Loads datasets by name or path, splits them with a seed and standardizes them, on the host and without JAX arrays.

Example:
  >>> import tempfile
  >>> from regjax import data
  >>> with tempfile.TemporaryDirectory() as folder:
  ...     digits = data.load("digits", cache_dir=folder)
  >>> splits = data.split(digits, seed=0)
  >>> splits.sizes
  {'train': 1077, 'stop': 180, 'select': 180, 'test': 360}
  >>> data.Preprocessor.for_splits(splits).transform(splits.x_train).shape
  (1077, 8, 8, 1)
"""

from __future__ import annotations

from regjax.data.arrays import from_arrays
from regjax.data.cache import CacheWarning, cache_root
from regjax.data.dataset import EMBEDDED, Dataset
from regjax.data.folds import Fold, folds
from regjax.data.generated import SPARSE_REGRESSION, SPIRALS, sparse_regression_problem, spirals_problem
from regjax.data.image_rule import ImageRule
from regjax.data.label_noise import noisy_labels, noisy_targets
from regjax.data.loading import load, read_inputs, stream_inputs
from regjax.data.preprocess import Preprocessor
from regjax.data.preprocessors import Preprocessors
from regjax.data.readers.embedded import load_embedded, prepare
from regjax.data.readers.folder import load_folder
from regjax.data.readers.images import ResizeWarning
from regjax.data.readers.npz import load_npz
from regjax.data.readers.table import from_frame, load_table
from regjax.data.readers.tfds import load_tfds
from regjax.data.readers.tfds_find import find_prepared
from regjax.data.readers.tfds_source import TfdsSource, open_prepared
from regjax.data.source import Rows, Source, as_rows, joined
from regjax.data.splits import Splits, nested_order, split, training_rows
from regjax.data.standardization import Standardization
from regjax.data.tables import TableOptions

__all__ = [
    "EMBEDDED",
    "SPARSE_REGRESSION",
    "SPIRALS",
    "CacheWarning",
    "Dataset",
    "Fold",
    "ImageRule",
    "Preprocessor",
    "Preprocessors",
    "ResizeWarning",
    "Rows",
    "Source",
    "Splits",
    "Standardization",
    "TableOptions",
    "TfdsSource",
    "as_rows",
    "cache_root",
    "find_prepared",
    "folds",
    "from_arrays",
    "from_frame",
    "joined",
    "load",
    "load_embedded",
    "load_folder",
    "load_npz",
    "load_table",
    "load_tfds",
    "nested_order",
    "noisy_labels",
    "noisy_targets",
    "open_prepared",
    "prepare",
    "read_inputs",
    "sparse_regression_problem",
    "spirals_problem",
    "split",
    "stream_inputs",
    "training_rows",
]
