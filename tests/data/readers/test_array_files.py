from pathlib import Path

import numpy as np
import pytest

from regjax.core.errors import InputError
from regjax.data import Preprocessor
from regjax.data.readers.array_files import as_inputs, as_lazy_inputs, dataset_of_arrays, inputs_of_model, readable

FILE = Path("toy.npz")


def test_a_dataset_of_arrays():
    arrays = {"x": np.eye(4), "y": np.array([[5], [7], [5], [7]]), "x_test": np.eye(4)[:1], "y_test": np.array([7])}
    data = dataset_of_arrays(FILE, arrays, task="classification", lazy=False)
    assert (data.name, data.class_names, data.y.tolist(), data.test[1].tolist()) == (
        "toy",
        ("5", "7"),
        [0, 1, 0, 1],
        [1],
    )


@pytest.mark.parametrize("given", [np.arange(3), np.eye(3), np.ones((3, 2, 2), np.uint8), np.ones((3, 2, 2, 1))])
def test_lazy_inputs_are_those_in_memory(given):
    np.testing.assert_array_equal(as_lazy_inputs("toy", given)[:], as_inputs("toy", given))


def test_inputs_of_a_model_of_tables_and_of_images():
    table = Preprocessor.fit(np.ones((2, 3), np.float32), "table")
    assert inputs_of_model(FILE, np.ones((4, 3)), table, 0).dtype == np.float32
    with pytest.raises(InputError, match="trained on 3"):
        inputs_of_model(FILE, np.ones((4, 2)), table, 0)
    image = Preprocessor.fit(np.full((2, 3, 3, 1), 0.5, np.float32), "image")
    with pytest.raises(InputError, match=r"float32\[2, 3, 1\]"):
        inputs_of_model(FILE, np.ones((4, 2, 3, 1)), image, 0)


@pytest.mark.parametrize(
    "error", [ValueError("pickle"), ValueError("odd"), OSError("gone"), EOFError("short"), KeyError("k")]
)
def test_errors_of_reading_name_the_file(error):
    with pytest.raises(InputError, match=r"^toy\.npz: "), readable(FILE):
        raise error
