import numpy as np
import pytest

from regjax.core.errors import InputError
from regjax.data import load_tfds
from tests.data.sets import make_set


def test_features_found_by_name_and_dictionaries_of_numbers(tmp_path):
    def features(f):
        parts = {"age": f.Scalar(np.int32), "size": f.Scalar(np.float32)}
        return {"features": parts, "target": f.Scalar(np.float32), "id": f.Text()}

    def examples(name):
        return [{"features": {"age": i, "size": i / 2}, "target": i / 4, "id": "a"} for i in range(5)]

    make_set(tmp_path, features, examples)
    data = load_tfds("made", data_dir=tmp_path)
    assert (data.task, data.columns) == ("regression", ("age", "size"))
    np.testing.assert_array_equal(data.x, np.arange(5)[:, None] * np.array([1, 0.5], np.float32))


@pytest.mark.parametrize(
    ("feature", "value", "message"),
    [
        (lambda f: f.Text(), "a", "'x' is not numeric"),
        (lambda f: f.Tensor(shape=(None,), dtype=np.float32), np.zeros(2, np.float32), "no fixed size"),
        (
            lambda f: f.Tensor(shape=(2, 2), dtype=np.float32),
            np.zeros((2, 2), np.float32),
            r"accepted: \[H, W, C\]",
        ),
    ],
)
def test_unusable_features(tmp_path, feature, value, message):
    make_set(
        tmp_path,
        lambda f: {"x": feature(f), "label": f.ClassLabel(num_classes=2)},
        lambda name: [{"x": value, "label": 0}],
    )
    with pytest.raises(InputError, match=message):
        load_tfds("made", data_dir=tmp_path)
