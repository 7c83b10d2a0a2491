"""The nets of the peers are those of regjax: with the shared weights they give the same outputs in training."""

import sys
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

sys.path.append(str(Path(__file__).resolve().parents[3] / "scripts/bench"))

from cases import conv, torch_nets, vision
from cases.base import Context
from cases.problems import jax_weights, training_problem

pytestmark = pytest.mark.slow
torch_vision = pytest.importorskip("cases.torch_vision")  # which imports torch

RESNET, VIT = (Context(name, True, {}, None, "") for name in ("resnet_step", "vit_step"))


@pytest.mark.parametrize(
    ("ours", "shape", "theirs"),
    [
        (conv.cnn(), (28, 28, 1), torch_nets.cnn),
        (vision.model(RESNET), (32, 32, 3), lambda shared: torch_vision.resnet(shared, blocks=1)),
        (
            vision.model(VIT),
            (32, 32, 3),
            lambda shared: torch_vision.vit(shared, vision.DEPTH, vision.HEADS, vision.PATCH),
        ),
    ],
    ids=["conv_step", "resnet_step", "vit_step"],
)
def test_the_same_weights_give_the_same_outputs(ours, shape, theirs):
    import torch

    shared = training_problem(ours, shape, batch_size=4, steps=1, held_out=4)
    weights, x = jax_weights(shared), shared["x"][:4]
    variables = {"params": weights.params, **weights.model_state}
    expected, _ = ours.apply(variables, jnp.asarray(x), train=True, mutable=["batch_stats"])
    net = theirs(shared).train()
    found = net(torch.tensor(x).permute(0, 3, 1, 2)).detach().numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)
