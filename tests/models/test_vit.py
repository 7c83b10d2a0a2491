import jax
import jax.numpy as jnp
import numpy as np
import pytest

from regjax.core.errors import InputError
from regjax.models import make_model
from regjax.models.vit import ViT

KEY = jax.random.key(0)
X = jax.random.normal(jax.random.key(2), (4, 8, 8, 1))


def test_vit_wants_whole_patches():
    model = make_model("vit", num_outputs=2, patch=3)
    with pytest.raises(ValueError, match="ViT: patch 3 must divide height and width, got images 8x8"):
        model.init(KEY, X)


def test_patches_are_squares_of_the_image():
    x = jnp.arange(32.0).reshape(1, 4, 4, 2)
    tokens = make_model("vit", num_outputs=2, patch=2).bind({})._patches(x)
    assert tokens.shape == (1, 4, 8)
    np.testing.assert_array_equal(tokens[0, 1], x[0, :2, 2:].ravel())
    np.testing.assert_array_equal(tokens[0, 2], x[0, 2:, :2].ravel())


def normalized(x, leaf):
    scaled = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-6)
    return scaled * leaf["scale"] + leaf["bias"]


def dense(x, leaf):
    return x @ leaf["kernel"] + leaf["bias"]


def gelu(x):
    return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))


def test_one_block_against_numpy():
    model = ViT(num_outputs=3, patch=4, width=6, depth=1, heads=2)
    shapes, rng = jax.eval_shape(model.init, KEY, X)["params"], np.random.default_rng(0)
    p = jax.tree.map(lambda leaf: rng.normal(size=leaf.shape), shapes)  # biases and scales too
    tokens = np.asarray(X, np.float64)[:, :, :, 0].reshape(4, 2, 4, 2, 4).transpose(0, 1, 3, 2, 4).reshape(4, 4, 16)
    x = dense(tokens, p["embed"]) + p["position"]["bias"]
    qkv = dense(normalized(x, p["block_0_norm_0"]), p["block_0_query_key_value"])
    heads = []
    for head in (slice(0, 3), slice(3, 6)):
        query, key, value = (part[..., head] for part in np.split(qkv, 3, axis=-1))
        scores = np.exp(query @ key.swapaxes(1, 2) / np.sqrt(3))
        heads.append(scores / scores.sum(-1, keepdims=True) @ value)
    x = x + dense(np.concatenate(heads, -1), p["block_0_project"])
    h = gelu(dense(normalized(x, p["block_0_norm_1"]), p["block_0_expand"]))
    x = x + dense(h, p["block_0_contract"])
    expected = dense(normalized(x, p["norm"]).mean(1), p["output"])
    params = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float32), p)
    np.testing.assert_allclose(jax.jit(model.apply)({"params": params}, X), expected, rtol=1e-3, atol=1e-4)


def test_heads_divide_the_width():
    with pytest.raises(InputError, match="ViT: heads must divide width 8, got 3"):
        ViT(num_outputs=2, width=8, heads=3)
