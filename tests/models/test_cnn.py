import jax
import jax.numpy as jnp
import numpy as np
import pytest

from regjax.core.errors import InputError
from regjax.models import make_model
from regjax.models.cnn import CNN

KEY = jax.random.key(0)


def test_cnn_wants_large_enough_images():
    model = make_model("cnn", num_outputs=2)
    with pytest.raises(ValueError, match=r"2 poolings need 4x4 images, got \(1, 3, 8, 1\)"):
        model.init(KEY, jnp.ones((1, 3, 8, 1)))
    with pytest.raises(ValueError, match=r"CNN: x must be \[B, H, W, C\], got shape \(2, 64\)"):
        model.init(KEY, jnp.ones((2, 64)))


def test_one_block_by_hand():
    """Convolution with a kernel that passes or negates the center, ReLU, the maxima of 2x2, then two dense layers."""
    center = jnp.zeros((3, 3, 1, 2)).at[1, 1, 0].set(jnp.array([1.0, -1.0]))
    params = {
        "conv_0": {"kernel": center, "bias": jnp.zeros(2)},
        "dense": {"kernel": jnp.eye(2), "bias": jnp.array([0.0, -0.5])},
        "output": {"kernel": jnp.eye(2), "bias": jnp.array([0.0, 10.0])},
    }
    model = CNN(num_outputs=2, widths=(2,), dense=2)
    image = jnp.array([[1.0, 4.0], [-3.0, 2.0]])[None, :, :, None]
    np.testing.assert_allclose(model.apply({"params": params}, image), [[4.0, 12.5]])


def test_each_width_halves_the_image():
    shapes = jax.eval_shape(CNN(num_outputs=3, widths=(4, 6), dense=8).init, KEY, jnp.ones((1, 12, 8, 2)))["params"]
    assert shapes["conv_0"]["kernel"].shape == (3, 3, 2, 4)
    assert shapes["conv_1"]["kernel"].shape == (3, 3, 4, 6)
    assert shapes["dense"]["kernel"].shape == (3 * 2 * 6, 8)


def test_a_block_larger_than_the_feature_map_is_cut_to_it():
    model, x = CNN(num_outputs=2, widths=(2, 2), dense=2, block_size=9), jnp.ones((1, 4, 4, 1))
    options = {"rates": {"drop_block": 0.5}, "rngs": {"dropout": KEY}}
    variables = jax.eval_shape(model.init, KEY, x)
    assert jax.eval_shape(lambda v: model.apply(v, x, **options), variables).shape == (1, 2)


@pytest.mark.parametrize("field", ["widths", "dense", "block_size"])
def test_sizes_are_whole_and_positive(field):
    with pytest.raises(InputError, match=f"CNN: {field} must be whole and >= 1, got "):
        CNN(num_outputs=2, **{field: (0,) if field == "widths" else 0})
