"""What holds for every data loss of the registry."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from regjax.catalog import DEFAULT_LOSS, LOSS_PARAMETERS, TASKS
from regjax.catalog import LOSSES as RECORDS
from regjax.losses import LOSSES

RNG = np.random.default_rng(0)
OUTPUTS = RNG.normal(size=(24, 3)).astype(np.float32)
NUMBERS = RNG.poisson(2.0, (24, 3)).astype(np.float32)  # of no loss with a kink where an output is
CLASSES = RNG.integers(0, 3, 24)
LABELS = RNG.integers(0, 2, (24, 3)).astype(np.float32)
EXAMPLES = {"classification": CLASSES, "regression": NUMBERS, "multilabel": LABELS}
VALUES = {"huber_delta": 0.7, "quantile": 0.8, "focal_gamma": 1.5}


def arguments_of(name):
    return tuple(VALUES[p] for p in [RECORDS[name].parameter] if p)


@pytest.mark.parametrize("name", LOSSES)
def test_the_gradient_is_that_of_finite_differences(name):
    """In float64, where a central difference is right to seven digits."""
    y, arguments = EXAMPLES[RECORDS[name].task], arguments_of(name)
    with jax.enable_x64(True):
        outputs = jnp.asarray(OUTPUTS, jnp.float64)
        loss = jax.jit(lambda f: LOSSES[name](f, jnp.asarray(y), *arguments).mean())
        found = np.asarray(jax.grad(loss)(outputs))
        for place in [(0, 0), (3, 1), (7, 2), (20, 0)]:
            step = np.zeros(outputs.shape)
            step[place] = 1e-6
            expected = float(loss(outputs + step) - loss(outputs - step)) / 2e-6
            assert found[place] == pytest.approx(expected, rel=1e-5, abs=1e-9)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
def test_outputs_of_few_bits_are_computed_with_in_float32(name, dtype):
    y, outputs = jnp.asarray(EXAMPLES[RECORDS[name].task]), jnp.asarray(OUTPUTS).astype(dtype)
    found = LOSSES[name](outputs, y)
    assert found.dtype == jnp.float32
    assert found.shape == (24,)
    np.testing.assert_allclose(found, LOSSES[name](outputs.astype(jnp.float32), y), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", [name for name in LOSSES if RECORDS[name].parameter])
def test_the_parameter_is_data(name):
    """One compiled program serves all values, and the default of the function is that of the catalogue."""
    y, record = jnp.asarray(EXAMPLES[RECORDS[name].task]), RECORDS[name]
    compiled = jax.jit(lambda f, parameter: LOSSES[name](f, y, parameter))
    for value in (0.2, 0.5, 0.9):
        np.testing.assert_allclose(
            compiled(OUTPUTS, jnp.float32(value)), LOSSES[name](jnp.asarray(OUTPUTS), y, value), rtol=1e-5, atol=1e-6
        )
    assert compiled._cache_size() == 1
    default = LOSSES[name](jnp.asarray(OUTPUTS), y)
    np.testing.assert_array_equal(default, LOSSES[name](jnp.asarray(OUTPUTS), y, record.default))
    with pytest.raises(ValueError, match=r"must be .*, got -1"):
        LOSSES[name](jnp.asarray(OUTPUTS), y, -1.0)


@pytest.mark.parametrize("name", [name for name in LOSSES if RECORDS[name].task != "classification"])
def test_numbers_of_other_shapes_are_refused_and_means_are_over_outputs(name):
    with pytest.raises(ValueError, match=r"\(24, 3\) and targets \(24,\) must have one shape"):
        LOSSES[name](jnp.asarray(OUTPUTS), jnp.ones(24))
    y = EXAMPLES[RECORDS[name].task]
    each = [LOSSES[name](jnp.asarray(OUTPUTS[:, d : d + 1]), jnp.asarray(y[:, d : d + 1])) for d in range(3)]
    np.testing.assert_allclose(LOSSES[name](jnp.asarray(OUTPUTS), jnp.asarray(y)), np.mean(each, axis=0), 1e-5)


def test_the_records_fit_each_other():
    assert {record.parameter for record in RECORDS.values()} - {""} == set(LOSS_PARAMETERS) == set(VALUES)
    assert set(DEFAULT_LOSS) == set(TASKS)
    for record in RECORDS.values():
        assert (record.default is None) == (not record.parameter)
        assert record.link in ("identity", "log")
