"""TFDS builders of the embedded datasets, which need neither TensorFlow nor the network.

This module imports tensorflow_datasets, so it is imported only when a dataset has to be prepared. The builders are not
registered with TFDS, so its names keep their meaning.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
import tensorflow_datasets as tfds

from regjax.data import generated


class _ArraysBuilder(tfds.core.GeneratorBasedBuilder, skip_registration=True):  # type: ignore[call-arg, misc]
    """A builder for arrays in memory, with a single split `train` in the original order."""

    VERSION = tfds.core.Version("1.1.0")
    DESCRIPTION: ClassVar[str]
    HOMEPAGE: ClassVar[str | None] = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(skip_registration=True, **kwargs)

    def _arrays(self) -> tuple[np.ndarray, np.ndarray]:
        raise NotImplementedError

    def _features(self) -> tuple[dict[str, Any], tuple[str, ...] | None]:
        """Return the features of an example, first the input and then the target, and the names of the columns."""
        raise NotImplementedError

    def _info(self) -> tfds.core.DatasetInfo:
        features, columns = self._features()
        x_key, y_key = features
        return self.dataset_info_from_configs(
            description=self.DESCRIPTION,
            homepage=self.HOMEPAGE,
            features=tfds.features.FeaturesDict(features),
            supervised_keys=(x_key, y_key),
            metadata=tfds.core.MetadataDict(columns=list(columns) if columns else None),
            disable_shuffling=True,
        )

    def _split_generators(self, dl_manager: Any) -> dict[str, Iterator[tuple[int, dict[str, Any]]]]:
        del dl_manager  # nothing is downloaded
        return {"train": self._generate_examples()}

    def _generate_examples(self) -> Iterator[tuple[int, dict[str, Any]]]:
        x_key, y_key = self.info.supervised_keys
        for i, (x, y) in enumerate(zip(*self._arrays(), strict=True)):
            yield i, {x_key: self._encode(x), y_key: y}

    def _encode(self, x: np.ndarray) -> Any:
        return x


class Digits(_ArraysBuilder):
    """1,797 handwritten digits of 8 x 8 pixels; the 17 gray levels of the source are scaled to 0..255."""

    DESCRIPTION = "Optical recognition of handwritten digits (UCI), the 8x8 test part shipped by scikit-learn."
    HOMEPAGE = "https://archive.ics.uci.edu/dataset/80"

    def _features(self) -> tuple[dict[str, Any], tuple[str, ...] | None]:
        image = tfds.features.Image(shape=(8, 8, 1), dtype=np.uint8, encoding_format="png")
        return {"image": image, "label": tfds.features.ClassLabel(names=[str(i) for i in range(10)])}, None

    def _arrays(self) -> tuple[np.ndarray, np.ndarray]:
        from sklearn.datasets import load_digits

        x, y = load_digits(return_X_y=True)
        return np.round(x.reshape(-1, 8, 8) * (255 / 16)).astype(np.uint8), y

    def _encode(self, x: np.ndarray) -> Any:
        from PIL import Image

        return Image.fromarray(x)  # TFDS would need TensorFlow to encode an array as PNG


class _SklearnTable(_ArraysBuilder):
    """A table from scikit-learn."""

    LOADER: ClassVar[str]

    def _bunch(self) -> Any:
        import sklearn.datasets

        return getattr(sklearn.datasets, self.LOADER)()

    def _features(self) -> tuple[dict[str, Any], tuple[str, ...] | None]:
        bunch = self._bunch()
        columns = tuple(str(name) for name in bunch.feature_names)
        rows = tfds.features.Tensor(shape=(len(columns),), dtype=np.float32)
        if "target_names" not in bunch:
            return {"features": rows, "target": tfds.features.Scalar(dtype=np.float32)}, columns
        names = [str(name) for name in bunch.target_names]
        return {"features": rows, "label": tfds.features.ClassLabel(names=names)}, columns

    def _arrays(self) -> tuple[np.ndarray, np.ndarray]:
        bunch = self._bunch()
        y = bunch.target if "target_names" in bunch else bunch.target.astype(np.float32)
        return bunch.data.astype(np.float32), y


class BreastCancer(_SklearnTable):
    """569 tumours with 30 measurements, malignant or benign."""

    name = "breast_cancer"
    LOADER = "load_breast_cancer"
    DESCRIPTION = "Breast cancer Wisconsin (diagnostic), UCI, as shipped by scikit-learn."
    HOMEPAGE = "https://archive.ics.uci.edu/dataset/17"


class Wine(_SklearnTable):
    """178 wines from three growers, with 13 chemical measurements."""

    LOADER = "load_wine"
    DESCRIPTION = "Wine recognition, UCI, as shipped by scikit-learn."
    HOMEPAGE = "https://archive.ics.uci.edu/dataset/109"


class Diabetes(_SklearnTable):
    """442 patients with 10 measurements, and the disease progression after a year.

    The columns keep the default scaling of scikit-learn (mean 0, sum of squares 1), so published results apply.
    """

    LOADER = "load_diabetes"
    DESCRIPTION = "Diabetes (Efron et al. 2004), columns scaled, as shipped by scikit-learn."
    HOMEPAGE = "https://www4.stat.ncsu.edu/~boos/var.select/diabetes.html"


class Spirals(_ArraysBuilder):
    """1,000 points on two interleaved spirals."""

    DESCRIPTION = f"Two interleaved spirals, generated with {generated.SPIRALS}."

    def _features(self) -> tuple[dict[str, Any], tuple[str, ...] | None]:
        rows = tfds.features.Tensor(shape=(2,), dtype=np.float32)
        return {"features": rows, "label": tfds.features.ClassLabel(names=["spiral_0", "spiral_1"])}, (
            "x0",
            "x1",
        )

    def _arrays(self) -> tuple[np.ndarray, np.ndarray]:
        return generated.spirals_problem(**generated.SPIRALS)


class SparseRegression(_ArraysBuilder):
    """500 rows with 200 columns, of which 10 have nonzero coefficients."""

    name = "sparse_regression"
    DESCRIPTION = f"Sparse linear regression, generated with {generated.SPARSE_REGRESSION}."

    def _features(self) -> tuple[dict[str, Any], tuple[str, ...] | None]:
        p = generated.SPARSE_REGRESSION["p"]
        rows = tfds.features.Tensor(shape=(p,), dtype=np.float32)
        return {"features": rows, "target": tfds.features.Scalar(dtype=np.float32)}, tuple(f"x{i}" for i in range(p))

    def _arrays(self) -> tuple[np.ndarray, np.ndarray]:
        x, y, _ = generated.sparse_regression_problem(**generated.SPARSE_REGRESSION)
        return x, y


BUILDERS: dict[str, type[_ArraysBuilder]] = {
    "digits": Digits,
    "breast_cancer": BreastCancer,
    "wine": Wine,
    "diabetes": Diabetes,
    "spirals": Spirals,
    "sparse_regression": SparseRegression,
}
"""The builder class of each embedded dataset."""
