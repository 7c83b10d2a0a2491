"""Makes the regularizers of a run from flags, and checks them before the run starts."""

from __future__ import annotations

import functools
from collections.abc import Collection
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from regjax.averaging import parse_average
from regjax.catalog import NOISES, NUMBERS
from regjax.cli import flags
from regjax.cli.options import RunOptions
from regjax.core.typing import Batch, PyTree
from regjax.noise import WEIGHT_NOISES
from regjax.optim.optimizers import with_penalties
from regjax.penalties import Penalty, check_penalty_mode, combine, l1, l2, parse_penalty_modes
from regjax.penalties.constraints import parse_constraint
from regjax.penalties.outputs import OutputPenalty, parse_output_penalties
from regjax.training.loss import build_loss
from regjax.training.program import weight_shapes
from regjax.training.spec import Spec

Arguments = dict[str, Any]  # keyword arguments of make_hparams


def regularizer_arguments(config: RunOptions, present: Collection[str] = ()) -> Arguments:
    """Return the regularizers of the flags as keyword arguments of `make_hparams`, without those that are off.

    Args:
      config: the flags.
      present: names of regularizers to include even if they are 0, because they are swept.

    Raises:
      FlagError: a text cannot be parsed, or flags exclude each other.
    """
    arguments: Arguments = {}
    penalties = penalties_of(config, present)
    if penalties:
        arguments["penalties"] = penalties
    if config.constraint:
        arguments["constraint"] = flags.about("constraint", lambda: parse_constraint(config.constraint))
    if config.average:
        average = flags.about("average", lambda: parse_average(config.average))
        cycles = average.schedule_shape() is not None
        flags.check(not cycles or config.schedule == "constant", "schedule", f"{average.kind} has cycles of its own")
        arguments["average"] = average
    rates = {name: getattr(config, name) for name in NOISES if getattr(config, name) or name in present}
    if rates:
        arguments["rates"] = rates
    if config.output_penalty:
        parsed = flags.about("output_penalty", lambda: parse_output_penalties(config.output_penalty))
        arguments["output_penalties"] = list(parsed)
    both = config.sam and config.gradient_noise
    flags.check(not both, "gradient_noise", "excludes --sam, which moves on by a second gradient")
    for name in NUMBERS:
        if getattr(config, name) or name in present:
            arguments[name] = getattr(config, name)
    return arguments


def penalties_of(config: RunOptions, present: Collection[str] = ()) -> dict[str, Penalty]:
    """Return the sum of --l1, --l2 and --penalty for each mode; empty without penalties.

    Raises:
      FlagError: the text is not a penalty.
    """
    strengths = {"l1": (l1, config.l1), "l2": (l2, config.l2)}
    terms = [make(strength) for name, (make, strength) in strengths.items() if strength or name in present]
    by_mode = {config.penalty_mode: combine(terms)} if terms else {}
    if config.penalty:
        parsed = flags.about("penalty", lambda: parse_penalty_modes(config.penalty, config.penalty_mode))
        for mode, penalty in parsed.items():
            by_mode[mode] = by_mode[mode] + penalty if mode in by_mode else penalty
    return by_mode


def check_regularizers(config: RunOptions, spec: Spec, x: Any, present: Collection[str] = ()) -> PyTree:
    """Check penalties and constraint on the shapes of the parameters before the run starts.

    Returns:
      The shapes of the parameters.

    Raises:
      FlagError: the penalty does not support the mode with this optimizer, a pattern matches nothing, a leaf does not
        have an axis, or a sum has no proximal map.
    """
    shapes = weight_shapes(spec, x).params
    arguments = regularizer_arguments(config, present)
    name = "penalty" if config.penalty else "penalty_mode"
    for mode, penalty in arguments.get("penalties", {}).items():
        flags.about(name, functools.partial(try_penalty, penalty, mode, spec.optimizer, shapes))
    accepted = getattr(spec.model, "accepted_rates", ())
    for rate in arguments.get("rates", {}):
        accepts = rate in WEIGHT_NOISES or rate in accepted
        has = ", ".join([*accepted, *WEIGHT_NOISES])
        flags.check(accepts, rate, f"{config.model} has no such noise ({NOISES[rate].help}); it has {has}")
    if "output_penalties" in arguments:
        flags.about("output_penalty", functools.partial(_try_outputs, arguments["output_penalties"], spec, x))
    if "constraint" in arguments:
        flags.about("constraint", functools.partial(jax.eval_shape, arguments["constraint"].project, shapes))
    return shapes


def try_penalty(penalty: Penalty, mode: str, optimizer: str, shapes: PyTree) -> None:
    """Trace the value and the update of a penalty, with shapes only.

    Raises:
      ValueError: the error that training would raise.
    """
    check_penalty_mode(penalty, mode)
    jax.eval_shape(lambda params: penalty.anchored(params).value(params), shapes)

    def update(params: Any) -> Any:
        tx = with_penalties(optimizer, 1.0, {mode: penalty.anchored(params)})
        return tx.update(params, tx.init(params), params)

    if mode != "loss":
        jax.eval_shape(update, shapes)


def _try_outputs(penalties: list[OutputPenalty], spec: Spec, x: Any) -> None:
    """Trace the penalties on outputs, with shapes only; raise the ValueError that training would raise."""
    for penalty in penalties:
        if penalty.needs_classes and spec.task != "classification":
            raise ValueError(f"{penalty.kind} needs a classification set")
    weights, examples = weight_shapes(spec, x), jax.ShapeDtypeStruct((2, *np.shape(x)[1:]), jnp.float32)

    def loss(weights: Any, examples: Any) -> Any:
        apply_fn = spec.model.apply
        loss_fn = build_loss(apply_fn, lambda outputs, y: jnp.sum(outputs) + 0 * y[0], output_penalties=penalties)
        batch = Batch(examples, jnp.zeros(2))
        return loss_fn(weights.params, batch, jax.random.key(0), model_state=weights.model_state)[0]

    jax.eval_shape(loss, weights, examples)
