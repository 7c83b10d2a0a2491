"""A NaN that is injected into one lane at a chosen update ends that lane, and nothing else notices."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import regjax as rj
from regjax.stopping import REASONS
from regjax.training.checkpoint import Checkpoints
from tests.helpers import assert_trees_equal

pytestmark = pytest.mark.slow

VICTIM, SPARED = 0.5, 0.25  # learning rates of the lane in the middle: with one of them it gets the NaN
STEP = 7  # the eighth update, in the third epoch of three updates


def injecting(hparams):
    """SGD whose update `STEP` is NaN, or infinite, where the learning rate is that of the victim."""

    def init(params):
        return jnp.asarray(0, jnp.int32)

    def update(updates, count, params=None):
        hit = (count == STEP) & (hparams.learning_rate == VICTIM)
        bad = jnp.where(hparams.label_smoothing > 0, jnp.inf, jnp.nan)
        return jax.tree.map(lambda u: jnp.where(hit, bad, u), updates), count + 1

    return optax.chain(optax.sgd(hparams.learning_rate), optax.GradientTransformation(init, update))


def points(smoothing, middle):
    return [
        rj.make_hparams(
            learning_rate=rate, n_train=80, rates={"dropout": 0.2}, label_smoothing=smoothing, restore_best=True
        )
        for rate in (0.01, middle, 0.02)
    ]


@pytest.mark.parametrize("smoothing", [0.0, 0.1], ids=["nan", "inf"])
@pytest.mark.parametrize("options", [{"layout": "map"}, {"layout": "vmap", "compact": False}], ids=["map", "vmap"])
def test_only_the_lane_that_gets_it_ends(spec, blobs, options, smoothing):
    keys, run = jax.random.split(jax.random.key(0), 3), rj.make_run(spec, injecting)
    hit, spared = (
        rj.sweep(run, rj.stack_hparams(points(smoothing, middle)), keys, blobs, **options)
        for middle in (VICTIM, SPARED)
    )
    assert [REASONS[reason] for reason in hit.reason] == ["running", "diverged", "running"]
    assert hit.epochs.tolist() == [6, STEP // 3 + 1, 6]
    for lane in (0, 2):
        assert_trees_equal(*(jax.tree.map(lambda leaf: leaf[lane], r) for r in (hit, spared)))  # noqa: B023
    assert int(hit.best_epoch[1]) < STEP // 3
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(hit.weights))


def test_it_never_becomes_the_best_checkpoint(spec, blobs, tmp_path):
    data, hparams, checkpoints = blobs.for_seed(0), points(0.0, VICTIM)[1], Checkpoints(tmp_path)
    result = rj.fit(spec, hparams, jax.random.key(0), data, make_tx=injecting, checkpoints=checkpoints)
    assert result.status == "diverged"
    assert int(result.state.epoch) == STEP // 3 + 1
    best = Checkpoints(tmp_path).restore_best(result.weights)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(best))
    assert_trees_equal(best, result.weights)
