import jax
import jax.numpy as jnp
import numpy as np
import pytest

from regjax.claims.dropout import _correlation, _deviation
from regjax.claims.lab import Trained
from regjax.claims.problems import problem
from regjax.training.state import Weights


def test_the_deviation_of_a_layer_that_is_ten_percent_too_large():
    """4,096 draws with a standard deviation of 1% have a mean within 0.1% of theirs; six standard errors."""
    x = jnp.ones(8)

    def layer(key):
        return 1.1 * x * (1 + 0.01 * jax.random.normal(key))

    assert _deviation(layer, x, x, jax.random.key(0)) == pytest.approx(10.0, abs=0.1)


def test_units_that_do_the_same_are_correlated():
    columns = problem("clusters", [0]).x.shape[1]
    first = np.random.default_rng(0).normal(size=(columns, 1))
    weights = Weights({"hidden_0": {"kernel": np.repeat(first, 3, axis=1), "bias": np.zeros(3)}}, {})
    assert _correlation("clusters", Trained({}, {}, {}, [weights]), [0])[0] == pytest.approx(100.0)
