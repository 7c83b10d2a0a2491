import jax
import jax.numpy as jnp
import numpy as np
import pytest

from regjax.plugins import register_criterion
from regjax.stopping import Criterion, EarlyStopping
from regjax.stopping.replay import _replayed, replay

RULES = {
    "patience": EarlyStopping(patience=3),
    "a smallest gain": EarlyStopping(patience=2, min_delta=0.05),
    "gl": EarlyStopping(criterion="gl", alpha=10.0),
    "pq": EarlyStopping(criterion="pq", alpha=1.0, k=3),
    "up": EarlyStopping(criterion="up", strips=2, k=2),
    "keras": EarlyStopping.keras(patience=2, min_delta=0.01, keep="gain"),
    "lightning": EarlyStopping.lightning(patience=2),
    "flax": EarlyStopping.flax(patience=1),
    "sklearn": EarlyStopping.sklearn(n_iter_no_change=2, tol=0.05),
    "accuracy": EarlyStopping(patience=4, mode="max", target=0.9),
}


def in_turn(stopper, values, losses):
    """The loop of somebody who trains: it ends at the stop."""
    state = stopper.init()
    for value, loss in zip(values, losses, strict=True):
        state = stopper.update(state, float(value), float(loss))
        if state.should_stop:
            break
    return state


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_curves_are_replayed_as_a_loop_would_stop(rule):
    rng = np.random.default_rng(0)
    falling = 1 / (1 + 0.3 * np.arange(40))
    curves = np.abs(falling + 0.01 * np.arange(40) * rng.uniform(0, 2, (6, 1)) + 0.05 * rng.normal(size=(6, 40)))
    curves[5, 7] = np.nan
    curves, losses = curves.astype(np.float32), (falling + 0.01 * rng.uniform(size=(6, 40))).astype(np.float32)
    state = replay(rule, curves.reshape(2, 3, 40), losses.reshape(2, 3, 40))
    assert state.count.shape == (2, 3)
    stopped = 0
    for i in range(6):
        expected, found = (
            in_turn(rule, curves[i], losses[i]),
            jax.tree.map(lambda leaf, i=i: leaf[i // 3, i % 3], state),
        )
        for name in ("count", "best_step", "best_value", "reason"):
            assert getattr(found, name) == getattr(expected, name), name
        stopped += bool(expected.should_stop)
    assert stopped >= 2


def test_whole_numbers_are_values_too():
    """Without training losses a criterion gets NaN for them, which no whole number is."""
    unknown = Criterion(lambda: (), lambda state, value, best, train: (state, jnp.isnan(train) & (value > 3)))
    register_criterion("unknown", unknown)
    assert int(replay(EarlyStopping(criterion="unknown"), np.array([3, 2, 4, 1])).count) == 3


def test_many_patiences_at_once_without_another_program():
    curve = jnp.array([3.0, 2.0, 2.5, 2.4, 2.3, 1.0, 1.1])
    counts = jax.vmap(lambda patience: replay(EarlyStopping(patience=patience), curve).count)(jnp.arange(1, 6))
    assert counts.tolist() == [3, 4, 5, 7, 7]
    before = _replayed._cache_size()
    for patience in (1, 2, 3):
        replay(EarlyStopping(patience=patience), curve)
    assert _replayed._cache_size() <= before + 1


@pytest.mark.parametrize(
    ("rule", "values", "train", "message"),
    [
        (EarlyStopping(), 3.0, None, "at least one evaluation, got shape"),
        (EarlyStopping(), np.zeros((2, 0)), None, "at least one evaluation"),
        (EarlyStopping(criterion="pq"), np.ones(3), None, "needs train_values"),
        (EarlyStopping(), np.ones(3), np.ones(4), r"must be like values \(3,\), got shape \(4,\)"),
        (EarlyStopping(criterion="gl"), np.array([1.0, -2.0]), None, "for losses >= 0, got -2"),
    ],
)
def test_refusals(rule, values, train, message):
    with pytest.raises(ValueError, match=message):
        replay(rule, values, train)
