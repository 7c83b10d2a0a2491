"""Nets with the initialization of other libraries."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.reproduce.nets import KERAS, PYTORCH, Net

X = jnp.ones((4, 5, 5, 1))


def init(library, widths=(400,)):
    net = Net(3, widths, (0.5,) * len(widths), library)
    return net, net.init(jax.random.key(0), X)["params"]


@pytest.mark.parametrize(("library", "bound"), [(PYTORCH, 25**-0.5), (KERAS, (6 / 425) ** 0.5)])
def test_weights_are_uniform_within_the_bound_of_the_library(library, bound):
    kernel = np.asarray(init(library)[1]["Dense_0"]["kernel"])
    assert kernel.shape == (25, 400)
    assert 0.999 * bound < np.abs(kernel).max() <= bound
    assert kernel.std() == pytest.approx(bound / 3**0.5, rel=0.03)  # 10,000 draws: a standard error of 0.5%


def test_biases_are_zero_in_keras_alone():
    assert not np.any(init(KERAS)[1]["Dense_0"]["bias"])
    bias = np.asarray(init(PYTORCH)[1]["Dense_0"]["bias"])
    assert 0.15 < np.abs(bias).max() <= 0.2


def test_dropout_acts_in_training_only_and_one_output_is_a_number():
    net, params = init(KERAS)
    apply = lambda key: net.apply({"params": params}, X, train=True, rngs={"dropout": key})  # noqa: E731
    assert np.any(apply(jax.random.key(0)) != apply(jax.random.key(1)))
    outputs = net.apply({"params": params}, X)
    np.testing.assert_array_equal(outputs, net.apply({"params": params}, X))
    hidden = np.maximum(X.reshape(4, -1) @ params["Dense_0"]["kernel"], 0)
    np.testing.assert_allclose(outputs, hidden @ params["Dense_1"]["kernel"], rtol=1e-4, atol=1e-5)
    single = Net(1)
    assert single.apply(single.init(jax.random.key(0), X), X).shape == (4,)
