"""Self-attention: the numbers and the gradients of Flax's own, in any precision and under `vmap`."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from regjax.models import make_model
from regjax.models.attention import attention

pytestmark = pytest.mark.slow


def normal(seed, shape, dtype=jnp.float32):
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape), dtype)


def flax_attention(projected):
    return nn.dot_product_attention(*jnp.moveaxis(projected, 2, 0))


@pytest.mark.parametrize("shape", [(2, 5, 3, 3, 4), (1, 1, 3, 1, 1), (3, 7, 3, 2, 16)])
def test_values_and_gradients_are_those_of_flax(shape):
    projected, along = normal(0, shape), normal(1, (*shape[:2], *shape[3:]))
    (ours, our_gradient), (theirs, their_gradient) = (
        (made[0], made[1](along)[0]) for made in (jax.vjp(each, projected) for each in (attention, flax_attention))
    )
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(our_gradient, their_gradient, rtol=1e-4, atol=1e-5)


def test_one_token_attends_to_itself_alone():
    projected = normal(0, (2, 1, 3, 2, 4))
    np.testing.assert_allclose(attention(projected), projected[:, :, 2], rtol=1e-6)


def test_second_derivatives_under_vmap():
    stacked = normal(0, (3, 2, 4, 3, 2, 5))

    def curvature(each):
        def loss(x):
            return jnp.sum(jnp.sin(each(x)))

        return jax.jit(jax.vmap(jax.grad(lambda x: jnp.sum(jax.grad(loss)(x) ** 2))))(stacked)

    np.testing.assert_allclose(curvature(attention), curvature(flax_attention), rtol=1e-3, atol=1e-4)


def test_half_precision_keeps_its_dtype_and_comes_near():
    projected = normal(0, (2, 6, 3, 2, 4), jnp.bfloat16)
    found, gradient = jax.value_and_grad(lambda x: attention(x).astype(jnp.float32).sum())(projected)
    assert attention(projected).dtype == gradient.dtype == jnp.bfloat16
    np.testing.assert_allclose(found, flax_attention(projected.astype(jnp.float32)).sum(), rtol=0.05, atol=0.1)


def test_a_model_computes_the_same_with_and_without_a_dropout_of_rate_zero():
    """Attention dropout takes the weights apart, and has products of its own."""
    model = make_model("vit", num_outputs=3, patch=4, width=8, depth=2, heads=2)
    x = normal(2, (4, 8, 8, 1))
    variables = model.init(jax.random.key(0), x)
    plain = model.apply(variables, x, train=True)
    rngs = {"dropout": jax.random.key(1)}
    dropped = model.apply(variables, x, train=True, rates={"attention_dropout": 0.0}, rngs=rngs)
    np.testing.assert_allclose(plain, dropped, rtol=1e-4, atol=1e-5)
