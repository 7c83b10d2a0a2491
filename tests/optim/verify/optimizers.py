"""Every optimizer and wrapper that optax exports, made small; whoever adds one to optax adds it here."""

import inspect

import jax
import jax.numpy as jnp
import optax
import optax.contrib as contrib

RATE = 0.05
MASK = {"kernel": True}

# Complete optimizers: learning rate -> transform.
COMPLETE = {
    **{
        name: getattr(optax, name)
        for name in [
            "adabelief",
            "adadelta",
            "adafactor",
            "adagrad",
            "adam",
            "adamax",
            "adamaxw",
            "adamw",
            "adan",
            "amsgrad",
            "lamb",
            "lars",
            "lion",
            "nadam",
            "nadamw",
            "novograd",
            "optimistic_adam",
            "optimistic_adam_v2",
            "optimistic_gradient_descent",
            "radam",
            "rmsprop",
            "rprop",
            "sgd",
            "sign_sgd",
            "signum",
            "sm3",
            "yogi",
        ]
    },
    "fromage": lambda rate: optax.fromage(rate),
    "lbfgs": lambda rate: optax.lbfgs(rate, linesearch=None),
    "lbfgs (line search)": lambda rate: optax.lbfgs(),
    "noisy_sgd": lambda rate: optax.noisy_sgd(rate, key=jax.random.key(0)),
    "polyak_sgd": lambda rate: optax.polyak_sgd(max_learning_rate=rate),
    "momentum": lambda rate: optax.sgd(rate, momentum=0.9),
    "nesterov": lambda rate: optax.sgd(rate, momentum=0.9, nesterov=True),
    **{
        f"contrib.{name}": getattr(contrib, name)
        for name in [
            "acprop",
            "ademamix",
            "adopt",
            "cocob",
            "dadapt_adamw",
            "dog",
            "dowg",
            "madgrad",
            "momo",
            "momo_adam",
            "muon",
            "prodigy",
            "schedule_free_adamw",
            "schedule_free_sgd",
            "simplified_ademamix",
        ]
    },
    "contrib.galore": lambda rate: contrib.galore(rate, rank=1),
}

# Directions: () -> transform, which `optax.scale(-rate)` makes an optimizer.
DIRECTIONS = {
    **{
        name: getattr(optax, name)
        for name in [
            "identity",
            "scale_by_adadelta",
            "scale_by_adam",
            "scale_by_adamax",
            "scale_by_adan",
            "scale_by_amsgrad",
            "scale_by_belief",
            "scale_by_distance_over_gradients",
            "scale_by_factored_rms",
            "scale_by_lion",
            "scale_by_novograd",
            "scale_by_optimistic_gradient",
            "scale_by_param_block_norm",
            "scale_by_param_block_rms",
            "scale_by_radam",
            "scale_by_rms",
            "scale_by_rss",
            "scale_by_sign",
            "scale_by_sm3",
            "scale_by_stddev",
            "scale_by_trust_ratio",
            "scale_by_yogi",
            "normalize_by_update_norm",
            "centralize",
            "zero_nans",
        ]
    },
    "scale_by_rprop": lambda: optax.scale_by_rprop(0.01),
    "scale_by_lbfgs": optax.scale_by_lbfgs,
    "scale_by_polyak": optax.scale_by_polyak,
    "scale_by_backtracking_linesearch": lambda: optax.scale_by_backtracking_linesearch(5),
    "scale_by_zoom_linesearch": lambda: optax.scale_by_zoom_linesearch(5),
    "scale_by_learning_rate": lambda: optax.scale_by_learning_rate(0.5, flip_sign=False),
    "scale": lambda: optax.scale(0.5),
    "scale_by_schedule": lambda: optax.scale_by_schedule(optax.cosine_decay_schedule(1.0, 10_000)),
    "trace": lambda: optax.trace(0.9),
    "ema": lambda: optax.ema(0.9),
    "clip": lambda: optax.clip(0.5),
    "clip_by_global_norm": lambda: optax.clip_by_global_norm(0.5),
    "clip_by_block_rms": lambda: optax.clip_by_block_rms(0.5),
    "adaptive_grad_clip": lambda: optax.adaptive_grad_clip(0.1),
    "add_noise": lambda: optax.add_noise(0.01, 0.55, jax.random.key(0)),
    "add_decayed_weights": lambda: optax.add_decayed_weights(1e-5),
    "apply_every": lambda: optax.apply_every(3),
    "set_to_zero": optax.set_to_zero,
    "snapshot": lambda: optax.snapshot("seen", lambda updates: optax.tree.norm(updates)),
    "monitor": lambda: optax.monitor({"norm": lambda updates, **_: optax.tree.norm(updates)}),
    "measure_with_ema": lambda: optax.monitor(
        {"norm": optax.measure_with_ema(lambda updates, **_: optax.tree.norm(updates), 0.9)}
    ),
    "stateless": lambda: optax.stateless(lambda updates, params: jax.tree.map(lambda u: 2 * u, updates)),
    "stateless_with_tree_map": lambda: optax.stateless_with_tree_map(lambda u, w: 2 * u),
    "keep_params_nonnegative": optax.keep_params_nonnegative,
    **{
        f"contrib.{name}": getattr(contrib, name)
        for name in [
            "normalize",
            "scale_by_acprop",
            "scale_by_ademamix",
            "scale_by_adopt",
            "scale_by_cocob",
            "scale_by_simplified_ademamix",
        ]
    },
    # For matrices alone.
    "contrib.scale_by_muon": lambda: optax.masked(
        contrib.scale_by_muon(
            weight_dimension_numbers=lambda tree: jax.tree.map(lambda _: contrib.MuonDimensionNumbers(), tree)
        ),
        lambda tree: {name: name == "kernel" for name in tree},
    ),
    "contrib.scale_by_madgrad": lambda: contrib.scale_by_madgrad(0.1),
    "contrib.scale_by_galore": lambda: contrib.scale_by_galore(rank=1),
    "contrib.reduce_on_plateau": lambda: contrib.reduce_on_plateau(patience=3, factor=0.5),
    "contrib.split_real_and_imaginary": lambda: contrib.split_real_and_imaginary(optax.identity()),
}


def _true(step, *_, **__):
    return step >= 0


# Wrappers: optimizer -> optimizer.
WRAPPERS = {
    "chain": lambda tx: optax.chain(tx),
    "named_chain": lambda tx: optax.named_chain(("only", tx)),
    "with_extra_args_support": optax.with_extra_args_support,
    "flatten": optax.flatten,
    "masked": lambda tx: optax.masked(tx, lambda tree: jax.tree.map(lambda _: True, tree)),
    "masked (some)": lambda tx: optax.masked(tx, lambda tree: {**tree, "kernel": True, "other": False}),
    "freeze": lambda tx: optax.chain(tx, optax.freeze({"kernel": False, "other": True})),
    "selective_transform": lambda tx: optax.selective_transform(tx, freeze_mask={"kernel": False, "other": True}),
    "multi_transform": lambda tx: optax.multi_transform(
        {"train": tx, "freeze": optax.set_to_zero()}, {"kernel": "train", "other": "freeze"}
    ),
    "partition": lambda tx: optax.partition({"all": tx}, lambda tree: jax.tree.map(lambda _: "all", tree)),
    "partition (two rates)": lambda tx: optax.partition(
        {"a": tx, "b": optax.sgd(RATE / 100)}, {"kernel": "a", "other": "b"}
    ),
    "conditionally_mask": lambda tx: optax.conditionally_mask(tx, lambda step: step % 2 == 0),
    "conditionally_transform": lambda tx: optax.conditionally_transform(tx, lambda step: step % 2 == 0),
    "apply_if_finite": lambda tx: optax.apply_if_finite(tx, 5),
    "lookahead": lambda tx: optax.lookahead(tx, sync_period=5, slow_step_size=0.5),
    "MultiSteps": lambda tx: optax.MultiSteps(tx, 3).gradient_transformation(),
    "skip_not_finite": lambda tx: optax.MultiSteps(
        tx, 1, should_skip_update_fn=optax.skip_not_finite
    ).gradient_transformation(),
    "skip_large_updates": lambda tx: optax.MultiSteps(
        tx, 1, should_skip_update_fn=lambda u, s, p: optax.skip_large_updates(u, s, p, 0.01)
    ).gradient_transformation(),
    "contrib.mechanize": lambda tx: contrib.mechanize(tx),
    "contrib.sam": lambda tx: contrib.sam(tx, optax.chain(contrib.normalize(), optax.sgd(0.05)), opaque_mode=True),
    "contrib.sam (transparent)": lambda tx: contrib.sam(tx, optax.chain(contrib.normalize(), optax.sgd(0.05))),
    "contrib.schedule_free": lambda tx: contrib.schedule_free(tx, RATE, b1=0.9),
    "contrib.reduce_on_plateau": lambda tx: optax.chain(tx, contrib.reduce_on_plateau(patience=3, factor=0.5)),
    "scale_by_schedule": lambda tx: optax.chain(tx, optax.scale_by_schedule(optax.linear_schedule(1.0, 0.1, 1000))),
    "clip": lambda tx: optax.chain(optax.clip_by_global_norm(10.0), tx),
    "contrib.split_real_and_imaginary": contrib.split_real_and_imaginary,
}

# Made of functions: these take the function that makes an optimizer, `rate -> optimizer`.
FACTORIES = {
    "inject_hyperparams": optax.inject_hyperparams,
    "inject_stateful_hyperparams": lambda make: optax.inject_stateful_hyperparams(make),
}

# What takes gradients by example, or second derivatives of the loss: no mode can be tried on these.
OTHER = {
    "contrib.differentially_private_aggregate",
    "contrib.dpsgd",
    "contrib.hutchinson_estimator_diag_hessian",
    "contrib.sophia",
}

# Exported functions without an annotation that make no transform.
NO_TRANSFORM = {
    "bias_correction",
    "matrix_inverse_pth_root",
    "sigmoid_binary_cross_entropy",
    "update_infinity_moment",
    "update_moment",
    "update_moment_per_elem_norm",
    "contrib.schedule_free_eval_params",
}


def exported():
    """The names of everything in optax and optax.contrib that may be an optimizer or wrap one."""
    names = set()
    for prefix, module in (("", optax), ("contrib.", contrib)):
        for name, member in inspect.getmembers(module, callable):
            if name.startswith("_") or (name[0].isupper() and name != "MultiSteps"):
                continue
            returns = inspect.signature(member).return_annotation
            if returns is inspect.Signature.empty or "Transformation" in str(returns) or name == "MultiSteps":
                names.add(prefix + name)
    return names | {"skip_not_finite", "skip_large_updates"}


def judged():
    """The names that have a place above."""
    every = {*COMPLETE, *DIRECTIONS, *WRAPPERS, *FACTORIES, *OTHER, *NO_TRANSFORM}
    return {name.split(" (")[0] for name in every}


def direction(name, rate=RATE):
    """An optimizer from a direction."""
    return optax.chain(DIRECTIONS[name](), optax.scale_by_learning_rate(rate))


__all__ = ["COMPLETE", "DIRECTIONS", "FACTORIES", "RATE", "WRAPPERS", "direction", "exported", "jnp", "judged"]
