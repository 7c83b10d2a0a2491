import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from regjax import noise

KEY = jax.random.key(0)


@pytest.mark.parametrize("size", [1, 2, 3, 5])
@pytest.mark.parametrize("rate", [0.02, 0.3, 0.9])
def test_the_fraction_dropped_is_the_rate_at_borders_too(size, rate):
    y = np.asarray(noise.drop_block(KEY, jnp.ones((4000, 6, 5, 1)), rate, block_size=size)) == 0
    # Examples are independent; 30 positions: 5.6 standard deviations, false alarm 1e-6.
    assert np.all(np.abs(y.mean(axis=0) - rate) < 5.6 * np.sqrt(rate * (1 - rate) / 4000))


def test_what_is_dropped_is_a_union_of_blocks():
    y = np.asarray(noise.drop_block(KEY, jnp.ones((200, 7, 7, 1)), 0.3, block_size=3))[..., 0] == 0
    padded = np.pad(y, ((0, 0), (2, 2), (2, 2)), constant_values=True)
    blocks = np.zeros_like(padded)
    for i, j in itertools.product(range(9), range(9)):
        whole = padded[:, i : i + 3, j : j + 3].all(axis=(1, 2))
        blocks[:, i : i + 3, j : j + 3] |= whole[:, None, None]
    np.testing.assert_array_equal(y, blocks[:, 2:-2, 2:-2])
    assert y.any(axis=(1, 2)).mean() > 0.5


def test_channels_share_blocks_on_request():
    x = jnp.ones((8, 6, 6, 4))
    shared = np.asarray(noise.drop_block(KEY, x, 0.4, block_size=2, per_channel=False))
    assert (shared == shared[..., :1]).all()
    own = np.asarray(noise.drop_block(KEY, x, 0.4, block_size=2))
    assert not (own == own[..., :1]).all()


@pytest.mark.parametrize("size", [0, 9, 1.5])
def test_a_block_must_fit(size):
    with pytest.raises(ValueError, match=rf"drop_block: block_size must be a whole number in \[1, 8\], got {size}"):
        noise.drop_block(KEY, jnp.ones((1, 8, 4, 1)), 0.1, block_size=size)
    with pytest.raises(ValueError, match="x must be a feature map"):
        noise.drop_block(KEY, jnp.ones((8, 4)), 0.1)
