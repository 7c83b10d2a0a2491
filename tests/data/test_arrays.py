"""Arrays in Python: integers stay what they are, sequences are taken, tables and images are standardized."""

import flax.linen as nn
import jax
import numpy as np
import pytest

import regjax as rj
from regjax.core.errors import InputError
from regjax.data import Preprocessor, from_arrays, split

pytestmark = pytest.mark.slow

RNG = np.random.default_rng(0)
N, T, F = 80, 6, 3
Y = np.arange(N) % 2
TOKENS = RNG.integers(0, 50, (N, T))
SERIES = RNG.normal(3.0, 2.0, (N, T, F)).astype(np.float32)


def prepared(x, **options):
    splits = split(from_arrays(x, Y))
    made = Preprocessor.for_splits(splits, **options)
    return splits, Preprocessor.from_json(made.to_json()), made.transform(splits.x_train)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16, np.int32, np.int64, np.uint32])
@pytest.mark.parametrize("shape", [(T,), (T, F), (2, 2, 2, 2)])
def test_integers_stay_what_they_are(dtype, shape):
    if dtype == np.uint8 and len(shape) == 2:
        shape = (T,)  # gray images, see below
    x = RNG.integers(0, 50, (N, *shape)).astype(dtype)
    splits, again, found = prepared(x)
    assert splits.kind == "array"
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, splits.x_train)
    np.testing.assert_array_equal(again.transform(splits.x_train), found)


def test_integers_are_standardized_when_asked():
    _, _, found = prepared(TOKENS, standardize="feature")
    assert found.dtype == np.float32
    np.testing.assert_allclose(found.mean(0), 0, atol=1e-5)


def test_sequences_are_standardized_by_feature_over_examples_and_time():
    splits, again, found = prepared(SERIES)
    assert splits.kind == "array"
    np.testing.assert_allclose(found.mean((0, 1)), np.zeros(F), atol=1e-5)
    np.testing.assert_allclose(found.std((0, 1)), np.ones(F), rtol=1e-4)
    np.testing.assert_allclose(again.transform(splits.x_train), found)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (TOKENS.astype(np.int64) + 2**40, r"int32"),
        (np.where(SERIES > 0, SERIES, np.nan), "nan"),
        (np.arange(N), r"\(80,\)"),
        (np.array([["a"] * 3] * N), "<U1"),
        (np.array([[{}] * 3] * N), "object"),
        (SERIES.astype(complex), "complex"),
        (np.ma.array(SERIES, mask=SERIES > 3), "masked"),
        (np.zeros((N, 6, 6), np.uint8), r"gray.*\[\.\.\., None\]"),  # not token ids
        (np.column_stack([np.arange(N), 1.7e9 + np.arange(N) / 2]), r"column 1.*float32"),
    ],
)
def test_what_cannot_be_taken_is_named(x, message):
    with pytest.raises(InputError, match=message):
        from_arrays(x, Y)


@pytest.mark.parametrize("y", [[1, "1"] * 40, ["a", np.nan] * 40, [True, "no"] * 40, [b"a", "b"] * 40])
def test_labels_of_mixed_kinds_are_not_made_text(y):
    """NumPy makes one text of 1 and "1", and a class of a missing value."""
    for given in (y, np.array(y, object), tuple(y)):
        with pytest.raises(InputError, match="y"):
            from_arrays(SERIES, given)


def test_labels_in_a_list_are_taken():
    assert from_arrays(SERIES, ["a", np.str_("b")] * 40).class_names == ("a", "b")
    assert from_arrays(SERIES, [True, False] * 40).class_names == ("False", "True")


def test_labels_of_text_are_one_an_example():
    with pytest.raises(InputError, match=r"\(80, 2\)"):
        from_arrays(SERIES, np.array([["a", "b"]] * N))


def test_columns_that_float32_tells_apart_are_taken():
    x = np.column_stack([np.full(N, 0.1), 1e6 + np.arange(N), 1e-20 * np.arange(N)])
    np.testing.assert_array_equal(from_arrays(x, Y).x, x.astype(np.float32))


class Bag(nn.Module):
    @nn.compact
    def __call__(self, x):
        return nn.Dense(2)(nn.Embed(50, 4)(x).mean(axis=1))


class Series(nn.Module):
    @nn.compact
    def __call__(self, x):
        return nn.Dense(2)(nn.relu(nn.Dense(8)(x)).mean(axis=1))


@pytest.mark.parametrize(("model", "x"), [(Bag(), TOKENS), (Series(), SERIES)], ids=["tokens", "series"])
def test_token_ids_and_sequences_are_compared(model, x):
    result = rj.compare(model, (x, Y), {"l2": [0.01], "label_smoothing": [0.1]}, seeds=1, epochs=1)
    assert set(result.techniques) == {"l2", "label_smoothing"}


def test_defaults_leave_out_what_arrays_cannot_have():
    from regjax.comparison.data_defaults import as_augmentation

    splits, _, _ = prepared(TOKENS)
    assert not as_augmentation(None, splits).steps
    with pytest.raises(InputError, match="noise"):
        as_augmentation("noise=0.1", splits)


@pytest.mark.parametrize("technique", ["mixup", "cutmix", "jacobian", "fgsm", "activity_l1"])
def test_a_technique_that_the_inputs_or_the_model_do_not_allow_is_refused_before_any_run(technique):
    runs = []
    with pytest.raises(InputError, match=f"'{technique}'"):
        rj.compare(Bag(), (TOKENS, Y), ["l2", technique], seeds=1, progress=lambda *step: runs.append(step))
    assert not runs


def test_what_embeds_floats_is_told_about_integers():
    with pytest.raises(InputError, match="integer"):
        rj.compare(Bag(), (TOKENS.astype(np.float32), Y), ["l2"], seeds=1)


def test_a_pair_with_weights_of_rank_1_alone_is_compared():
    """Its penalties need `where`, which is said before training; what it reports counts all its weights."""
    pair = (lambda key, x: {"w": jax.random.normal(key, x.shape[1:])}, lambda params, x: x @ params["w"])
    x = RNG.normal(size=(N, F)).astype(np.float32)
    data = (x, x @ np.array([1.0, 0.0, -2.0], np.float32))
    result = rj.compare(pair, data, {"early_stopping": []}, seeds=1, epochs=2)
    assert result.baseline.zero_fraction == 0.0
    runs = []
    with pytest.raises(InputError, match=r"'l2'.*w \(3,\)"):
        rj.compare(pair, data, ["early_stopping", "l2"], seeds=1, progress=lambda *step: runs.append(step))
    assert not runs
