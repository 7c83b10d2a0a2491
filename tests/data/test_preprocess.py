import json

import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler

from regjax.core.errors import InputError
from regjax.data import Preprocessor, load_embedded, split


def test_table_equals_standard_scaler(warm_cache):
    splits = split(load_embedded("breast_cancer", cache_dir=warm_cache))
    made = Preprocessor.for_splits(splits)
    oracle = StandardScaler().fit(splits.x_train.astype(np.float64))
    np.testing.assert_allclose(made.mean, oracle.mean_, rtol=1e-6)
    np.testing.assert_allclose(made.scale, oracle.scale_, rtol=1e-6)
    out = made.transform(splits.x_test)
    assert out.dtype == np.float32
    np.testing.assert_allclose(out, oracle.transform(splits.x_test.astype(np.float64)), rtol=1e-4, atol=1e-5)


def test_constant_columns_become_zero():
    x = np.array([[1e6, 0.1, 2], [1e6, 0.1, 4]] * 50, np.float32)
    made = Preprocessor.fit(x, "table")
    assert made.scale.tolist() == [1, 1, 1]
    assert made.transform(x).tolist() == [[0, 0, -1], [0, 0, 1]] * 50


def test_large_offsets_keep_their_spread():
    x = (1e5 + np.random.default_rng(0).standard_normal((20_000, 1))).astype(np.float32)
    out = Preprocessor.fit(x, "table").transform(x)
    assert abs(out.mean()) < 0.02
    assert abs(out.std() - 1) < 1e-3


@pytest.mark.parametrize(("standardize", "axes", "shape"), [
    ("auto", (0, 1, 2), (3,)), ("channel", (0, 1, 2), (3,)), ("global", None, ()), ("feature", 0, (4, 5, 3)),
])  # fmt: skip
def test_image_modes(standardize, axes, shape):
    x = np.random.default_rng(0).integers(0, 256, (5000, 4, 5, 3), dtype=np.uint8)
    made = Preprocessor.fit(x, "image", standardize=standardize)
    assert made.mean.shape == made.scale.shape == shape
    assert made.mean.dtype == np.float32
    unit = x / 255.0
    np.testing.assert_allclose(made.mean, unit.mean(axis=axes), rtol=1e-6)
    np.testing.assert_allclose(made.scale, unit.std(axis=axes), rtol=1e-6)
    expected = (unit - unit.mean(axis=axes)) / unit.std(axis=axes)
    np.testing.assert_allclose(made.transform(x), expected, atol=1e-5)


def test_none_scales_pixels_by_the_known_maximum(warm_cache):
    splits = split(load_embedded("digits", cache_dir=warm_cache))
    made = Preprocessor.for_splits(splits, standardize="none")
    np.testing.assert_array_equal(made.transform(splits.x_test), splits.x_test.astype(np.float32) / 255)


def test_transform_leaves_its_argument():
    x = np.array([[1.0], [3.0]], np.float32)
    Preprocessor.fit(x, "table").transform(x)
    assert x.tolist() == [[1], [3]]


def test_token_ids_have_no_standardization():
    assert Preprocessor.fit(np.zeros((3, 5), np.int32), "array").standardization is None


@pytest.mark.parametrize("shape", [(50,), (50, 2)])
def test_targets_go_there_and_back(shape):
    y = np.random.default_rng(0).normal(150, 70, shape).astype(np.float32)
    x = np.zeros((50, 1), np.float32)
    made = Preprocessor.fit(x, "table", y_train=y, task="regression")
    seen = made.target_transform(y)
    assert seen.dtype == np.float32
    assert seen.shape == shape
    np.testing.assert_allclose(seen.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(seen.std(0), 1, rtol=1e-5)
    np.testing.assert_allclose(made.target_inverse(seen), y, rtol=1e-5, atol=1e-3)


def test_targets_stay_when_asked(warm_cache):
    splits = split(load_embedded("diabetes", cache_dir=warm_cache))
    made = Preprocessor.for_splits(splits, standardize_target=False)
    assert made.target_transform(splits.y_train) is splits.y_train
    assert made.target_inverse(splits.y_train) is splits.y_train
    assert Preprocessor.for_splits(splits).y_scale == pytest.approx(splits.y_train.std(), rel=1e-5)


@pytest.mark.parametrize("name", ["digits", "wine", "diabetes"])
def test_json_brings_everything_back(warm_cache, name):
    splits = split(load_embedded(name, cache_dir=warm_cache))
    made = Preprocessor.for_splits(splits)
    text = made.to_json()
    again = Preprocessor.from_json(text)
    assert again.to_json() == text
    for part in ("test", "stop"):
        x, y = getattr(splits, f"x_{part}"), getattr(splits, f"y_{part}")
        np.testing.assert_array_equal(again.transform(x), made.transform(x))
        np.testing.assert_array_equal(again.target_transform(y), made.target_transform(y))
    content = json.loads(text)
    assert content["schema"] == {
        "kind": splits.kind, "shape": list(splits.x_train.shape[1:]), "dtype": str(splits.x_train.dtype),
        "task": splits.task, "dataset": name, "pixel_max": 255.0 if name == "digits" else None,
    }  # fmt: skip
    assert (content["columns"] is None) == (name == "digits")


def broken(key, value):
    content = json.loads(Preprocessor.fit(np.ones((2, 3), np.float32), "table").to_json())
    content[key] = value
    return json.dumps(content)


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", "null", broken("schema", {}), broken("scale", [0, 0, 0]), broken("mean", [1, 2]),
     broken("mean", "a"), broken("format", 9), broken("link", "logit")],
)  # fmt: skip
def test_unusable_json_is_refused(text):
    with pytest.raises(InputError, match=r"preprocess.json is not usable"):
        Preprocessor.from_json(text)


@pytest.mark.parametrize(
    ("x", "kind", "kwargs", "message"),
    [
        (np.ones((2, 3)), "image", {}, "rank 4"),
        (np.ones((0, 3)), "table", {}, "N > 0"),
        (np.ones((2, 3)), "rows", {}, "accepted: array, image, table"),
        (np.ones((2, 3)), "table", {"standardize": "chanel"}, "did you mean 'channel'"),
        (np.ones((2, 3)), "table", {"standardize": "channel"}, "tables accept feature, global, none"),
    ],
)
def test_fit_refusals(x, kind, kwargs, message):
    with pytest.raises(InputError, match=message):
        Preprocessor.fit(x, kind, **kwargs)


def test_other_shapes_are_refused():
    made = Preprocessor.fit(np.ones((2, 3), np.float32), "table")
    with pytest.raises(InputError, match=r"shape \[4\], the model was trained on \[3\]"):
        made.transform(np.ones((2, 4), np.float32))


def test_with_a_log_link_outputs_are_logarithms_of_targets_that_stay(warm_cache):
    splits = split(load_embedded("diabetes", cache_dir=warm_cache))
    made = Preprocessor.from_json(Preprocessor.for_splits(splits, link="log").to_json())
    assert made.target_transform(splits.y_train) is splits.y_train
    np.testing.assert_allclose(made.target_inverse(np.log(splits.y_train)), splits.y_train, rtol=1e-5)
    assert made.standardization.y_mean is None
    assert made.loss_unit(made, 2) == 1.0
    digits = split(load_embedded("digits", cache_dir=warm_cache))
    assert Preprocessor.for_splits(digits, link="log").link == "identity"  # its outputs are logits
    with pytest.raises(InputError, match="link 'logit' is not known"):
        Preprocessor.for_splits(splits, link="logit")


def test_a_loss_is_converted_by_its_power_of_the_unit():
    """Deviations of 2 in units of 4 are half as many, and their squares a quarter."""
    x = np.zeros((4, 1), np.float32)
    small, large = (
        Preprocessor.fit(x, "table", y_train=np.array([-s, s, -s, s], np.float32), task="regression") for s in (2, 4)
    )
    assert [small.loss_unit(large, power) for power in (0, 1, 2)] == [1.0, 0.5, 0.25]
