import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from regjax.core.errors import InputError
from regjax.models.resnet import ResNet

KEY = jax.random.key(0)


def shapes_of(model, x):
    return jax.tree.map(jnp.shape, jax.eval_shape(model.init, KEY, x))


def test_a_block_without_normalization_by_hand():
    """On an image of one pixel, a convolution is its center."""

    def center(*rows):
        return {"kernel": jnp.zeros((3, 3, len(rows), len(rows[0]))).at[1, 1].set(jnp.array(rows))}

    params = {
        "stem": center([1.0, -1.0]),
        "block_0_conv_0": center([2.0, 0.0], [0.0, 1.0]),
        "block_0_conv_1": center([0.5, 1.0], [1.0, 1.0]),
        "output": {"kernel": jnp.eye(2), "bias": jnp.zeros(2)},
    }
    model = ResNet(num_outputs=2, widths=(2,), blocks=1, norm="none")
    x = jnp.full((1, 1, 1, 1), 3.0)
    # [3, -3], relu: [3, 0], conv: [6, 0], conv: [3, 6], plus [3, -3]: [6, 3]
    np.testing.assert_allclose(model.apply({"params": params}, x), [[6.0, 3.0]])


def test_a_stage_begins_with_a_stride_and_a_shortcut():
    params = shapes_of(ResNet(num_outputs=3, widths=(4, 4), blocks=2, norm="none"), jnp.ones((1, 8, 8, 1)))["params"]
    assert [name for name in params if "shortcut" in name] == ["block_2_shortcut"]
    assert params["block_2_shortcut"]["kernel"] == (1, 1, 4, 4)
    assert {f"block_{i}_conv_{j}" for i in range(4) for j in range(2)} <= set(params)


@pytest.mark.parametrize(("norm", "micro_batch"), [("batch", None), ("group", 16), ("none", 16)])
def test_only_batch_statistics_forbid_micro_batches(norm, micro_batch):
    model = ResNet(num_outputs=3, widths=(6,), blocks=1, norm=norm)
    assert model.cpu_micro_batch == micro_batch
    assert ("batch_stats" in shapes_of(model, jnp.ones((1, 4, 4, 1)))) == (norm == "batch")


class Norm(ResNet):
    @nn.compact
    def __call__(self, x):
        return self._norm(x, False, "norm")


@pytest.mark.parametrize(("channels", "groups"), [(7, 7), (12, 6)])
def test_groups_are_the_most_that_divide_the_channels_up_to_eight(channels, groups):
    """Each group has mean 0 and variance 1, the two channels of a group apart have not."""
    x = np.random.default_rng(0).normal(np.arange(channels), size=(1, 4, 4, channels)).astype(np.float32)
    params = {"norm": {"scale": jnp.ones(channels), "bias": jnp.zeros(channels)}}
    out = np.asarray(Norm(num_outputs=2, norm="group").apply({"params": params}, x))
    parts = out.reshape(16, groups, channels // groups)
    np.testing.assert_allclose(parts.mean((0, 2)), 0, atol=1e-5)
    np.testing.assert_allclose(parts.var((0, 2)), 1, atol=1e-3)
    assert groups == channels or np.abs(parts.mean(0)).min() > 0.1


def test_fields_that_are_refused():
    for fields, message in (
        ({"norm": "layer"}, "ResNet: norm 'layer' is not known"),
        ({"blocks": 0}, "ResNet: blocks must be whole and >= 1, got 0"),
        ({"block_size": 1.5}, "ResNet: block_size must be whole and >= 1, got 1.5"),
    ):
        with pytest.raises(InputError, match=message):
            ResNet(num_outputs=2, **fields)
