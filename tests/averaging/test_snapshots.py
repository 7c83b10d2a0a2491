import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import regjax as rj
from regjax.averaging import parse_average

VALUES = np.random.default_rng(0).normal(size=(12, 3)).astype(np.float32)
X = jnp.ones((2, 3))


def logits(variables, x):
    return x * variables["params"]


def after(rule, count):
    state = rule.init(jnp.zeros(3))
    for v in VALUES[:count]:
        state, params = rule.update(state, jnp.asarray(v))
        np.testing.assert_array_equal(params, v)  # the training goes on undisturbed
    return state


def test_members_are_the_weights_at_the_ends_of_the_cycles():
    state = after(rj.snapshots(size=3, period=4), 12)
    np.testing.assert_array_equal(state.members, VALUES[3::4])
    full = after(rj.snapshots(size=2, period=4), 12)
    np.testing.assert_array_equal(full.members, VALUES[3::4][:2])
    assert int(full.taken) == 2


def test_before_the_first_member_the_weights_as_they_are():
    for count in (1, 3):
        found = after(rj.snapshots(size=3, period=4), count).evaluated(None)
        np.testing.assert_array_equal(found.members[0], VALUES[count - 1])
        assert int(found.taken) == 1


@pytest.mark.parametrize(("count", "used"), [(12, VALUES[3::4]), (5, VALUES[3:4]), (2, VALUES[1:2])])
def test_an_ensemble_predicts_the_mean(count, used):
    ensemble = after(rj.snapshots(size=3, period=4), count).evaluated(None)
    expected = np.mean([jax.nn.softmax(X * m) for m in used], axis=0)
    np.testing.assert_allclose(jax.nn.softmax(rj.predict(logits, ensemble, None, X)), expected, rtol=1e-5)
    mean = rj.predict(logits, ensemble, None, X, task="regression")
    np.testing.assert_allclose(mean, np.mean(used, axis=0) * np.ones((2, 3)), rtol=1e-5)


def test_large_logits_stay_finite():
    far = jnp.array([[[1000.0, -1000.0]], [[-1000.0, 1000.0]]])
    np.testing.assert_allclose(rj.ensemble_outputs(far, 2), np.log([[0.5, 0.5]]), rtol=1e-6)


def test_members_keep_their_dtypes():
    rule = rj.snapshots(2, 1)
    state, _ = rule.update(rule.init({"w": jnp.ones(2, jnp.bfloat16)}), {"w": jnp.zeros(2, jnp.bfloat16)})
    assert state.members["w"].dtype == jnp.bfloat16


def test_the_schedule_starts_over():
    rate = rj.snapshot_schedule(0.4, 20)
    theirs = optax.sgdr_schedule(
        [{"init_value": 0.4, "peak_value": 0.4, "decay_steps": 20, "warmup_steps": 0, "end_value": 0.0}] * 2
    )
    for t in (0, 3, 19, 20, 33):
        np.testing.assert_allclose(rate(t), theirs(t), atol=1e-6)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: rj.snapshots(0, 5), "snapshots: size must be >= 1, got 0"),
        (lambda: rj.snapshots(2.0, 5), "snapshots: size must be a Python integer, got 2.0"),
        (lambda: rj.snapshots(2, 0), "snapshots: period must be >= 1, got 0"),
        (lambda: parse_average("snapshots(2, 1.5)"), "snapshots: period must be a whole number of updates, got 1.5"),
    ],
)
def test_errors_name_argument_and_value(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_of_logarithms_the_predictions_are_averaged():
    """Of the two members in use, exp(0) = 1 and exp(log 3) = 3."""
    members = jnp.log(jnp.array([[1.0, 2.0], [3.0, 4.0], [100.0, 100.0]]))
    found = jax.jit(lambda m: rj.ensemble_outputs(m, 2, task="regression", link="log"))(members)
    np.testing.assert_allclose(np.exp(found), [2.0, 3.0], rtol=1e-6)


def test_of_labels_the_probabilities_are_averaged():
    outputs = jnp.array([[[2.0, -1.0]], [[-1.0, 40.0]], [[9.0, 9.0]]])
    found = rj.ensemble_outputs(outputs, 2, task="multilabel")
    mean = np.mean(jax.nn.sigmoid(outputs[:2]), axis=0)
    np.testing.assert_allclose(jax.nn.sigmoid(found), mean, rtol=1e-5)
    sure = rj.ensemble_outputs(jnp.array([[[60.0]], [[60.0]]]), 2, task="multilabel")
    np.testing.assert_allclose(sure, [[60.0]], rtol=1e-5)  # whose probability is 1 in float32
