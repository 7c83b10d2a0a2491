"""`rj.check_optimizer`: what stands around a penalty leaves it alone, or is refused."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import regjax as rj
from regjax.optim import stepsizes

PARAMS = {"a": jnp.ones((3, 2)), "b": jnp.ones(4)}
LASSO = rj.regularize(optax.adam(0.1), rj.l1(0.1), mode="proximal", stepsize=stepsizes.adam(0.1))
DECAY = rj.regularize(optax.adam(0.1), rj.l2(0.1), mode="decoupled", learning_rate=0.1)
FROZEN_B = optax.partition({"a": optax.sgd(0.1), "b": optax.set_to_zero()}, {"a": "a", "b": "b"})


def everywhere(path, leaf):
    return True


ALONE = {
    "proximal": LASSO,
    "decoupled": DECAY,
    "both": rj.regularize(DECAY, rj.l1(0.1), mode="proximal", stepsize=stepsizes.adam(0.1)),
    "coupled before": optax.chain(rj.add_penalty(rj.l2(0.1)), LASSO),
    "noise of ours before": optax.chain(rj.gradient_noise(0.1), LASSO),
    "sam of ours around": rj.sam(LASSO),
    "accumulation around": optax.MultiSteps(LASSO, 5),
    "its transform": optax.MultiSteps(LASSO, 5).gradient_transformation(),
    "finite around": optax.apply_if_finite(LASSO, 3),
    "masked": optax.masked(LASSO, {"a": True, "b": False}),
    "one part": optax.partition({"a": LASSO, "b": optax.adam(0.3)}, {"a": "a", "b": "b"}),
    "no penalty at all": optax.chain(optax.clip(1.0), optax.adam(0.1)),
    "decay after clipping": optax.chain(optax.clip_by_global_norm(1.0), DECAY),
    "a decay at the end": optax.chain(optax.clip(1.0), optax.adam(0.1), rj.add_decay(rj.l2(0.1), 0.1)),
    "coupled before clipping": optax.chain(rj.add_penalty(rj.l2(0.1)), optax.clip_by_global_norm(1.0), optax.adam(0.1)),
    "coupled after clipping": optax.chain(optax.clip(1.0), rj.add_penalty(rj.l2(0.1)), optax.contrib.muon(0.1)),
    "coupled before accumulation": optax.chain(
        rj.add_penalty(rj.l2(0.1)), optax.MultiSteps(optax.sgd(0.1), 4).gradient_transformation()
    ),
    "coupled within": rj.regularize(optax.sgd(0.1), rj.l2(0.1), mode="coupled"),
    "proximal within coupled": rj.regularize(LASSO, rj.l2(0.1), mode="coupled"),
    "coupled before a warm-up": optax.chain(
        rj.add_penalty(rj.l2(0.1)), optax.sgd(optax.linear_schedule(0.0, 0.1, 9), momentum=0.9)
    ),
    "coupled before a line search": optax.chain(rj.add_penalty(rj.l2(0.1)), optax.polyak_sgd()),
    "a decay beside frozen leaves that it does not mean": optax.chain(
        FROZEN_B, rj.add_decay(rj.l2(0.1, where=lambda path, leaf: path == "a"), 0.1)
    ),
    "a rate that is 0 for now": optax.chain(optax.inject_hyperparams(optax.sgd)(0.0), rj.add_decay(rj.l2(0.1), 0.1)),
    "a scale behind leaves without a penalty": optax.chain(
        rj.regularize(
            optax.sgd(0.1),
            rj.l1(0.1, where=lambda path, leaf: path == "a"),
            mode="proximal",
            stepsize=stepsizes.sgd(0.1),
        ),
        optax.masked(optax.scale(0.5), {"a": False, "b": True}),
    ),
    **{
        f"{mode} within {name}": rj.make_optimizer(
            "adam", 0.1, penalty=rj.l2(0.1, where="a"), mode=mode, constraint=constraint
        )
        for mode in ("coupled", "decoupled", "independent", "proximal")
        for name, constraint in {
            "a box": rj.box(-0.1, 0.1),
            "signs": rj.non_negative(),
            "a norm": rj.max_norm(1.0),
            "the unit sphere": rj.unit_norm(),
        }.items()
    },
}
DISTURBED = {
    "clipped before": optax.chain(optax.clip_by_global_norm(1.0), LASSO),
    "scaled behind": optax.chain(LASSO, optax.scale(0.9)),
    "a schedule behind": optax.chain(LASSO, optax.scale_by_schedule(optax.cosine_decay_schedule(1.0, 100_000))),
    "decay behind": optax.chain(LASSO, optax.add_decayed_weights(-0.01)),
    "trust ratio behind": optax.chain(LASSO, optax.scale_by_trust_ratio()),
    "a step behind a decay": optax.chain(DECAY, optax.scale(0.5)),
    "clipped behind a decay": optax.chain(DECAY, optax.clip(1e-3)),
    "momentum behind": optax.chain(LASSO, optax.trace(0.9)),
    "decay beside accumulation": optax.chain(
        optax.MultiSteps(optax.sgd(0.1), 2).gradient_transformation(), rj.add_decay(rj.l2(0.1), 0.1)
    ),
    "coupled behind the step": optax.chain(optax.sgd(0.1), rj.add_penalty(rj.l2(0.1))),
    "coupled behind adam": optax.chain(optax.adam(0.1), rj.add_penalty(rj.l2(0.1)), optax.clip(1.0)),
    "coupled behind accumulation": optax.chain(
        optax.MultiSteps(optax.sgd(0.1), 4).gradient_transformation(), rj.add_penalty(rj.l2(0.1))
    ),
    "decay beside frozen leaves": optax.chain(FROZEN_B, rj.add_decay(rj.l2(0.1, where=everywhere), 0.1)),
    "decay around frozen leaves": optax.chain(
        rj.add_decay(rj.l2(0.1, where=everywhere), 0.1), optax.scale(1.0), FROZEN_B
    ),
    "a projection before": optax.chain(rj.project(rj.box(-0.1, 0.1)), LASSO),
    "a projection before a decay": optax.chain(
        optax.sgd(0.1), rj.project(rj.box(-0.1, 0.1, where="a")), rj.add_decay(rj.l2(0.1, where="a"), 0.1)
    ),
    "an average": optax.contrib.schedule_free(LASSO, 0.1),
}


@pytest.mark.parametrize("name", ALONE)
def test_what_is_left_alone_passes(name):
    rj.check_optimizer(ALONE[name], PARAMS)


@pytest.mark.parametrize("name", DISTURBED)
@pytest.mark.parametrize("jitted", [False, True])
def test_what_is_disturbed_is_refused(name, jitted):
    def check(params):
        rj.check_optimizer(DISTURBED[name], params)
        return params

    with pytest.raises(ValueError, match="optimizer: "):
        (jax.jit(check) if jitted else check)(PARAMS)


def test_the_probe_leaves_nothing_behind():
    """A check changes neither the transform nor its results."""
    grads = jax.tree.map(jnp.ones_like, PARAMS)
    before, _ = LASSO.update(grads, LASSO.init(PARAMS), PARAMS)
    rj.check_optimizer(LASSO, PARAMS)
    after, _ = LASSO.update(grads, LASSO.init(PARAMS), PARAMS)
    jax.tree.map(np.testing.assert_array_equal, before, after)


def test_trees_that_differ_are_named():
    for tx in (LASSO, DECAY, rj.add_penalty(rj.l2(0.1)), rj.add_decay(rj.l2(0.1), 0.1)):
        with pytest.raises(ValueError, match="update: the gradient must have the leaves of params; missing: b"):
            tx.update({"a": jnp.ones((3, 2))}, tx.init(PARAMS), PARAMS)


def test_more_micro_steps_than_are_tried_are_said():
    with pytest.raises(ValueError, match="none of the parameters within 256 micro-steps"):
        rj.check_optimizer(optax.MultiSteps(LASSO, 300), PARAMS)
