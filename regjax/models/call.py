"""Apply any kind of model with its arguments, key, training flags and collections."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from regjax.core.dtypes import wide_dtype
from regjax.core.errors import InputError
from regjax.core.rng import stream
from regjax.core.tree import is_weight_leaf, leaf_names
from regjax.core.typing import ApplyFn, Array, ArrayLike, DTypeLike, PRNGKey, PyTree, Value
from regjax.models.interface import (
    accepted_arguments,
    check_no_statistics,
    key_options,
    linen_module,
    takes,
    training_call,
    watch_layers,
)
from regjax.noise import WEIGHT_NOISES, perturb_weights
from regjax.noise.base import required_key
from regjax.noise.linen import ACTIVATIONS, PENALTIES


class ModelOutput(NamedTuple):
    """The result of a forward pass.

    Attributes:
      outputs: logits or predictions.
      model_state: collections, updated in training.
      penalties: terms of the loss that layers sowed, by name.
      activations: recorded activations, by path.
    """

    outputs: PyTree
    model_state: PyTree
    penalties: dict[str, Array]
    activations: dict[str, Array]


def call_model(
    apply_fn: ApplyFn,
    params: PyTree,
    model_state: PyTree | None,
    x: Array,
    *,
    train: bool,
    rates: Mapping[str, ArrayLike] | None = None,
    key: PRNGKey | None = None,
    recorded: bool = False,
) -> ModelOutput:
    """Apply a model with those arguments that it accepts.

    Args:
      apply_fn: as in `build_loss`.
      params: parameters.
      model_state: other collections, as `{"batch_stats": ...}`; None or `{}` if there are none.
      x: inputs `[B, ...]`.
      train: passed as every training flag that the model accepts (`regjax.models.interface.FLAGS`); in training the
        collections may change.
      rates: noise rates by name; passed only if there are any.
      key: key of the noise in the model, for the rng stream `"dropout"`.
      recorded: whether to return recorded activations.

    Raises:
      ValueError: rates for a model that does not accept them, or `recorded` for a model that is not a Linen module.
      InputError: training a model with noise or batch statistics that has no training flag, or with batch statistics
        among its parameters, or with a collection that grows.
    """
    if train:
        check_no_statistics(params)
    model_state = model_state or {}
    accepted, linen = accepted_arguments(apply_fn), linen_module(apply_fn) is not None
    call, flags, has_flag = training_call(apply_fn, train)
    options: dict[str, Value] = dict(flags)
    if rates:
        if not takes(accepted, "rates"):
            raise ValueError(f"the model takes no argument 'rates', but rates for {sorted(rates)} were given")
        options["rates"] = dict(rates)
    key = key if train or rates else None
    options |= key_options(accepted, linen, key)
    variables = {"params": params, **model_state}
    if recorded and not linen:
        raise ValueError("activity penalties need a Flax Linen module, which records its activations")
    with watch_layers(train, has_flag, key is not None):
        if not (linen and train):
            return ModelOutput(call(variables, x, **options), model_state, {}, {})
        sown = [PENALTIES, *([ACTIVATIONS] if recorded else [])]
        outputs, changed = call(variables, x, mutable=[*model_state, *sown], **options)
    changed = dict(changed)
    for name, before in model_state.items():
        new = set(leaf_names(changed.get(name, before))) - set(leaf_names(before))
        if any(leaf.rsplit("/", 1)[-1].isdecimal() for leaf in new):  # an entry that sow appended to a tuple
            raise InputError(
                f"collection {name!r} of the model grows by each call, as what is sown does; sow terms of the loss "
                f"into {PENALTIES!r}, what is to be looked at into 'intermediates'"
            )
    penalties = _sums_by_name(changed.pop(PENALTIES, {}))
    activations = changed.pop(ACTIVATIONS, {})
    names = leaf_names(activations)
    return ModelOutput(outputs, changed, penalties, dict(zip(names, jax.tree.leaves(activations), strict=True)))


def takes_rates(apply_fn: ApplyFn) -> bool:
    """Whether a model accepts noise rates, so that callers can switch on dropout."""
    return takes(accepted_arguments(apply_fn), "rates")


def call_with_noise(
    apply_fn: ApplyFn,
    params: PyTree,
    model_state: PyTree | None,
    x: Array,
    *,
    train: bool,
    rates: Mapping[str, ArrayLike],
    key: PRNGKey | None,
    recorded: bool = False,
) -> ModelOutput:
    """As `call_model`, but rates of weight noises are applied to `params`; the others are passed to the model."""
    for name in WEIGHT_NOISES:
        if rates.get(name) is not None:
            params = perturb_weights(name, stream(required_key(name, key), name), params, rates[name])
    others = {name: rate for name, rate in rates.items() if name not in WEIGHT_NOISES}
    return call_model(apply_fn, params, model_state, x, train=train, rates=others, key=key, recorded=recorded)


def call_in_dtype(
    dtype: DTypeLike | None, apply_fn: ApplyFn, params: PyTree, model_state: PyTree | None, x: Array, **options: Value
) -> ModelOutput:
    """As `call_with_noise`, with parameters and inputs cast to `dtype` and the results cast back.

    The collections of the model keep their dtype: in bfloat16, small changes of batch statistics would be lost.
    """
    if dtype is None:
        return call_with_noise(apply_fn, params, model_state, x, **options)
    rounded = [_cast_floats(tree, dtype) for tree in (params, x)]
    output = call_with_noise(apply_fn, rounded[0], model_state, rounded[1], **options)
    model_state_in_dtype = jax.tree.map(lambda new, old: new.astype(old.dtype), output.model_state, model_state or {})
    weights = [w for w in jax.tree.leaves(params) if is_weight_leaf(w)]
    return _cast_floats(output, wide_dtype(np.float32(0), *weights))._replace(model_state=model_state_in_dtype)


def _cast_floats(tree: PyTree, dtype: DTypeLike) -> PyTree:
    return jax.tree.map(lambda a: a.astype(dtype) if jnp.issubdtype(a.dtype, jnp.floating) else a, tree)


def _sums_by_name(sown: PyTree) -> dict[str, Array]:
    """The terms that layers sowed, summed over equal names."""
    total: dict[str, Array] = {}
    for name, value in zip(leaf_names(sown), jax.tree.leaves(sown), strict=True):
        short = next(part for part in reversed(name.split("/")) if not part.isdecimal())  # sow keeps tuples
        total[short] = total.get(short, 0.0) + value
    return total
