"""A criterion from outside: it stops where its rule says, alike on the host, compiled and mapped."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from regjax.catalog import STOP_CRITERIA
from regjax.stopping import CRITERIA, REASONS, Criterion, EarlyStopping

VALUES = [3.0, 2.0, 2.5, 4.1, 9.0, 1.0]  # the fourth is the first above twice the best


@pytest.fixture(autouse=True)
def above():
    """Stops at a value above twice the best; counts the evaluations that it has seen."""
    CRITERIA["above"] = Criterion(lambda: jnp.int32(0), lambda seen, value, best, train: (seen + 1, value > 2.0 * best))
    REASONS.append("above")
    STOP_CRITERIA.append("above")


def updated(stopper, values):
    state = stopper.init()
    for value in values:
        state = stopper.update(state, value)
    return state


def check(state):
    assert int(state.count) == 4  # what comes later changes nothing
    assert int(state.criterion_state) == 4
    assert (float(state.best_value), int(state.best_step), state.reason_name) == (2.0, 1, "above")


def test_it_stops_where_its_rule_says():
    stopper = EarlyStopping(criterion="above")
    assert not updated(stopper, VALUES[:3]).should_stop
    check(updated(stopper, VALUES))


@pytest.mark.slow
def test_it_is_the_same_compiled_and_mapped():
    stopper = EarlyStopping(criterion="above").canonical()

    def scanned(values):
        return jax.lax.scan(lambda state, value: (stopper.update(state, value), None), stopper.init(), values)[0]

    check(jax.jit(scanned)(jnp.asarray(VALUES)))
    falling = jnp.linspace(3.0, 1.0, len(VALUES))
    both = jax.jit(jax.vmap(scanned))(jnp.stack([jnp.asarray(VALUES), falling]))
    np.testing.assert_array_equal(both.count, [4, len(VALUES)])
    check(jax.tree.map(lambda leaf: leaf[0], both))


def test_minimal_epochs_and_a_value_that_is_not_finite_count_as_for_any_criterion():
    assert updated(EarlyStopping(criterion="above", min_epochs=5), VALUES[:5]).reason_name == "above"
    assert not updated(EarlyStopping(criterion="above", min_epochs=5), VALUES[:4]).should_stop
    assert updated(EarlyStopping(criterion="above"), [3.0, np.nan]).reason_name == "diverged"


def test_numbers_that_it_does_not_read_are_refused():
    with pytest.raises(ValueError, match=r"min_delta=0\.1 is not read by criterion 'above'"):
        EarlyStopping(criterion="above", min_delta=0.1)
