import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.metrics import accuracy_score, log_loss, mean_squared_error, r2_score

import regjax as rj
from regjax.core.errors import InputError
from regjax.losses import correct, cross_entropy, get_loss, smooth_labels, squared_error, weighted_mean
from regjax.training.evaluate import evaluate_parts

RNG = np.random.default_rng(0)
LOGITS = RNG.normal(size=(50, 4)).astype(np.float32)
LABELS = RNG.integers(0, 4, 50).astype(np.int32)


def test_cross_entropy_equals_sklearn():
    probabilities = np.exp(LOGITS) / np.exp(LOGITS).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(np.mean(cross_entropy(LOGITS, LABELS)), log_loss(LABELS, probabilities), rtol=1e-6)
    soft = np.eye(4, dtype=np.float32)[LABELS]
    np.testing.assert_allclose(cross_entropy(LOGITS, soft), cross_entropy(LOGITS, LABELS), rtol=1e-6)


def test_squared_error_has_no_half_and_averages_outputs():
    np.testing.assert_allclose(squared_error(jnp.array([[1.0, 2.0]]), jnp.array([[3.0, 2.0]])), [2.0])


def test_smoothing_by_hand():
    np.testing.assert_allclose(smooth_labels(jnp.array([2]), 0.1, 4), [[0.025, 0.025, 0.925, 0.025]], rtol=1e-6)
    soft = smooth_labels(jnp.array([[0.5, 0.5, 0.0, 0.0]]), 0.1, 4)
    np.testing.assert_allclose(soft.sum(), 1.0, rtol=1e-6)


def test_correct_takes_soft_targets():
    np.testing.assert_array_equal(correct(LOGITS, np.eye(4)[LABELS]), correct(LOGITS, LABELS))


def test_weighted_mean():
    values = jnp.array([1.0, 3.0, 100.0])
    assert weighted_mean(values, jnp.array([1.0, 1.0, 0.0])) == 2.0
    assert weighted_mean(values, jnp.zeros(3)) == 0.0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: cross_entropy(jnp.zeros(3), jnp.zeros(3)), r"must be logits .*\(3,\)"),
        (lambda: cross_entropy(jnp.zeros((3, 2)), jnp.zeros((2,), jnp.int32)), r"int32\[2\]"),
        (lambda: squared_error(jnp.zeros((3, 1)), jnp.zeros(3)), r"\(3, 1\) and targets \(3,\)"),
        (lambda: smooth_labels(jnp.array([0]), 1.5, 2), r"smoothing must be in \[0, 1\], got 1.5"),
        (lambda: get_loss("mae"), "did you mean 'mse'"),
    ],
)
def test_errors(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def classify(variables, x):
    return x


@pytest.mark.parametrize("batch_size", [2048, 16])
def test_evaluate_equals_sklearn_whatever_the_batch(batch_size):
    found = rj.evaluate(classify, {}, None, jnp.asarray(LOGITS), jnp.asarray(LABELS), batch_size=batch_size)
    np.testing.assert_allclose(found["accuracy"], accuracy_score(LABELS, LOGITS.argmax(axis=1)), rtol=1e-6)
    y = RNG.normal(size=50).astype(np.float32)
    x = (y + RNG.normal(size=50)).astype(np.float32)
    found = rj.evaluate(classify, {}, None, jnp.asarray(x), jnp.asarray(y), task="regression", batch_size=batch_size)
    np.testing.assert_allclose(found["mse"], mean_squared_error(y, x), rtol=1e-5)
    np.testing.assert_allclose(found["r2"], r2_score(y, x), rtol=1e-4)


def test_a_set_in_parts_is_evaluated_like_the_whole():
    cuts = (slice(0, 20), slice(20, 27), slice(27, 50))
    found = evaluate_parts(classify, {}, None, ((LOGITS[cut], LABELS[cut]) for cut in cuts))
    whole = rj.evaluate(classify, {}, None, jnp.asarray(LOGITS), jnp.asarray(LABELS))
    assert found == pytest.approx({name: float(value) for name, value in whole.items()}, rel=1e-6)
    y = RNG.normal(size=(50, 2)).astype(np.float32)
    x = (y + RNG.normal(size=(50, 2))).astype(np.float32)
    found = evaluate_parts(classify, {}, None, ((x[cut], y[cut]) for cut in cuts), task="regression")
    whole = rj.evaluate(classify, {}, None, jnp.asarray(x), jnp.asarray(y), task="regression")
    assert found == pytest.approx({name: float(value) for name, value in whole.items()}, rel=1e-5)


def test_evaluate_by_groups_equals_each_alone():
    groups = np.zeros((2, 50), bool)
    groups[0, :20], groups[1, 20:] = True, True
    both = rj.evaluate(classify, {}, None, jnp.asarray(LOGITS), jnp.asarray(LABELS), jnp.asarray(groups), batch_size=16)
    for i, part in enumerate((slice(0, 20), slice(20, 50))):
        alone = rj.evaluate(classify, {}, None, jnp.asarray(LOGITS[part]), jnp.asarray(LABELS[part]))
        np.testing.assert_allclose(both["loss"][i], alone["loss"], rtol=1e-5)


@pytest.mark.parametrize("task", ["classification", "regression"])
@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_weights_count_by_their_share_whatever_they_add_up_to(task, scale):
    weight = RNG.uniform(size=50).astype(np.float32)
    y = LABELS if task == "classification" else RNG.normal(size=(50, 4)).astype(np.float32)
    found = rj.evaluate(classify, {}, None, LOGITS, y, scale * weight, task=task)
    loss = cross_entropy(LOGITS, y) if task == "classification" else squared_error(LOGITS, y)
    np.testing.assert_allclose(found["loss"], np.average(loss, weights=weight), rtol=1e-5)
    np.testing.assert_allclose(weighted_mean(loss, scale * weight), np.average(loss, weights=weight), rtol=1e-5)
    if task == "regression":
        expected = r2_score(y, LOGITS, sample_weight=weight, multioutput="variance_weighted")
        np.testing.assert_allclose(found["r2"], expected, rtol=1e-4)
    none = rj.evaluate(classify, {}, None, LOGITS, y, np.zeros(50), task=task)
    assert none["loss"] == 0.0


@pytest.mark.parametrize(
    "call",
    [lambda w: weighted_mean(np.ones(50), w), lambda w: rj.evaluate(classify, {}, None, LOGITS, LABELS, w)],
    ids=["weighted_mean", "evaluate"],
)
@pytest.mark.parametrize("bad", [-0.5, np.nan])
def test_a_weight_that_is_no_weight_is_refused(call, bad):
    with pytest.raises(ValueError, match=str(bad)):
        call(np.where(np.arange(50) == 7, bad, 1.0))


def test_r2_survives_targets_far_from_zero():
    y = (1000.0 + RNG.normal(size=50)).astype(np.float32)
    x = (y + 0.1 * RNG.normal(size=50)).astype(np.float32)
    found = rj.evaluate(classify, {}, None, jnp.asarray(x), jnp.asarray(y), task="regression")
    np.testing.assert_allclose(found["r2"], r2_score(y.astype(np.float64), x), atol=1e-3)


def test_smoothing_by_hand_in_both_conventions():
    y = jnp.array([[1.0, 0.0, 0.0], [0.2, 0.8, 0.0]])
    np.testing.assert_allclose(rj.smooth_labels(y, 0.3, 3), 0.7 * y + 0.1, rtol=1e-6)
    np.testing.assert_allclose(rj.smooth_labels(y, 0.3, 3, convention="others"), 0.7 * y + 0.15 * (1 - y), rtol=1e-6)
    for convention in ("uniform", "others"):
        np.testing.assert_allclose(rj.smooth_labels(y, 0.3, 3, convention=convention).sum(1), 1.0, rtol=1e-6)
    # One is the other with e K / (K - 1).
    np.testing.assert_allclose(
        rj.smooth_labels(y, 0.2, 3, convention="others"), rj.smooth_labels(y, 0.3, 3), rtol=1e-5, atol=1e-7
    )
    with pytest.raises(ValueError, match="convention 'other' is not known"):
        rj.smooth_labels(y, 0.1, 3, convention="other")


def test_corrupted_labels_are_other_classes_at_the_rate():
    n, k = 100_000, 5
    labels = jnp.arange(n, dtype=jnp.int32) % k
    noisy = np.asarray(jax.jit(rj.corrupt_labels, static_argnums=3)(jax.random.key(0), labels, 0.3, k))
    changed = noisy != np.asarray(labels)
    # Binomial; 4.9 standard deviations: false alarm 1e-6 each.
    assert abs(changed.mean() - 0.3) < 4.9 * np.sqrt(0.21 / n)
    shift = (noisy - np.asarray(labels)) % k
    for offset in range(1, k):
        share = (shift[changed] == offset).mean()
        assert abs(share - 0.25) < 4.9 * np.sqrt(0.25 * 0.75 / changed.sum())
    np.testing.assert_array_equal(rj.corrupt_labels(jax.random.key(0), labels, 0.0, k), labels)
    with pytest.raises(ValueError, match=r"got float32\[3\]"):
        rj.corrupt_labels(jax.random.key(0), jnp.ones(3), 0.1, 2)


def test_smoothing_out_of_range_is_finite_when_traced_and_classes_are_checked():
    smooth = jax.jit(lambda e: rj.smooth_labels(jnp.array([1]), e, 3))
    for e, expected in ((-1.0, [0, 1, 0]), (np.nan, [0, 1, 0]), (2.0, [1 / 3] * 3)):
        np.testing.assert_allclose(smooth(jnp.float32(e))[0], expected, atol=1e-6)
    with pytest.raises(ValueError, match=r"class indices must be in \[0, 3\], got 7"):
        rj.smooth_labels(jnp.array([1, 7]), 0.1, 4)


@pytest.mark.parametrize("dtype", [jnp.float16, jnp.bfloat16, jnp.int8, bool])
def test_weights_of_few_bits_are_added_up_in_float32(dtype):
    """In 16 bits 2^17 ones are infinite, or 256 and one more are 256."""
    values = jnp.where(jnp.arange(2**17) % 2 == 0, 1.0, 3.0)
    assert float(weighted_mean(values, jnp.ones(2**17, dtype))) == 2.0
    found = weighted_mean(jnp.arange(1001.0), jnp.ones(1001, dtype))
    assert found.dtype == jnp.float32
    assert float(found) == 500.0


@pytest.mark.parametrize("weight", [None, 1.0])
def test_values_of_few_bits_are_added_up_in_float32(weight):
    values = jnp.where(jnp.arange(1001) < 1000, 1.0, 0.0).astype(jnp.bfloat16)
    weight = None if weight is None else jnp.ones(1001)
    np.testing.assert_allclose(weighted_mean(values, weight), 1000 / 1001, rtol=1e-6)


@pytest.mark.parametrize("which", ["outputs", "targets", "both"])
def test_the_squared_error_of_complex_numbers_is_refused(which):
    """The square of a difference of i is -1."""
    a, b = (np.ones(2, np.complex64 if which in (side, "both") else np.float32) for side in ("outputs", "targets"))
    with pytest.raises(ValueError, match="complex64"):
        squared_error(a, b)


def test_class_weights():
    """Of effective numbers: (1 - b^n_k) / (1 - b) with b = 9/10, scaled to a mean of 1 over the ten examples."""
    np.testing.assert_allclose(rj.class_weights([6, 3, 1]), [10 / 18, 10 / 9, 10 / 3], rtol=1e-6)
    raw = 0.1 / (1 - 0.9 ** np.array([6, 3, 1]))
    np.testing.assert_allclose(rj.class_weights([6, 3, 1], "effective"), raw * 10 / (raw @ [6, 3, 1]), rtol=1e-6)
    assert rj.class_weights([4, 0, 4]).tolist() == [1, 0, 1]
    with pytest.raises(ValueError, match="counts must be numbers >= 0"):
        rj.class_weights([0, 0])
    with pytest.raises(InputError, match="did you mean 'balanced'"):
        rj.class_weights([1, 2], "balance")
