"""Loss and metrics of a model on a set, in evaluation mode: no noise, no augmentation, hard labels, data loss alone."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from regjax.averaging import Ensemble, ensemble_outputs
from regjax.checks import check_choice
from regjax.losses import TASK_LOSSES, correct, get_loss
from regjax.objective import call_model
from regjax.typing import Array, ArrayLike, PyTree

METRICS = {"classification": ("loss", "accuracy"), "regression": ("loss", "mse", "r2")}
SCORE = {"classification": "accuracy", "regression": "r2"}  # the headline metric; larger is better


def evaluate(
    apply_fn: Callable[..., Any],
    params: PyTree,
    model_state: PyTree | None,
    x: Array,
    y: Array,
    weight: Array | None = None,
    *,
    task: str = "classification",
    batch_size: int = 2048,
) -> dict[str, Array]:
    """Loss and metrics over a whole set, in batches when it is large.

    Args:
      apply_fn: as in `rj.build_loss`.
      params: parameters, or an `Ensemble` of them.
      model_state: other collections of the model, or None.
      x: inputs `[N, ...]`.
      y: class indices `int[N]`, or numbers `[N]` / `[N, D]`.
      weight: optional `[N]`; 0 leaves an example out. With `[G, N]`, one row for each of `G` groups of examples, the
        model runs once and each metric is `[G]`.
      task: `"classification"` or `"regression"`.
      batch_size: examples at a time; bounds the memory, not the result.

    Returns:
      float32 scalars (or `[G]`): `loss` and `accuracy`, or `loss`, `mse` and
      `r2 = 1 - sum (y-f)^2 / sum (y - mean y)^2`.

    Raises:
      InputError: an unknown task.

    Example:
      >>> x = jnp.arange(3.0)
      >>> result = evaluate(lambda v, x: x * v["params"], 2.0, None, x, 2 * x, task="regression")
      >>> float(result["mse"]), float(result["r2"])
      (0.0, 1.0)
    """
    check_choice("task", task, METRICS)
    weight = jnp.ones(x.shape[0], jnp.float32) if weight is None else weight.astype(jnp.float32)

    def sums(batch: tuple[Array, Array, Array]) -> dict[str, Array]:
        bx, by, bw = batch  # weights are [B] or [B, G]: examples lead, as everywhere
        outputs = predict(apply_fn, params, model_state, bx, task=task)
        total = {"loss": get_loss(TASK_LOSSES[task])(outputs, by) @ bw}
        if task == "classification":
            total["accuracy"] = correct(outputs, by) @ bw
        return total

    if x.shape[0] <= batch_size:
        totals = sums((x, y, weight.T))
    else:
        batches = _in_batches((x, y, weight.T), batch_size)
        totals = jax.tree.map(lambda parts: jnp.sum(parts, axis=0), jax.lax.map(sums, batches))
    count = jnp.maximum(jnp.sum(weight, axis=-1), 1.0)
    result = {name: value / count for name, value in totals.items()}
    if task == "regression":
        result["mse"] = result["loss"]
        result["r2"] = 1.0 - result["mse"] / _variance(y, weight)
    return result


def evaluate_parts(
    apply_fn: Callable[..., Any],
    params: PyTree,
    model_state: PyTree | None,
    parts: Iterable[tuple[ArrayLike, ArrayLike]],
    *,
    task: str = "classification",
) -> dict[str, float]:
    """`evaluate` over a set that comes in parts, of which one is held at a time.

    Args:
      apply_fn: as in `rj.build_loss`.
      params: parameters, or an `Ensemble` of them.
      model_state: other collections of the model, or None.
      parts: pairs of inputs and targets; at least one.
      task: `"classification"` or `"regression"`.

    Returns:
      The metrics of `evaluate` over all parts together.

    Raises:
      InputError: an unknown task.

    Example:
      >>> halves = [(np.arange(2.0), np.arange(2.0)), (np.arange(2.0), np.ones(2))]
      >>> evaluate_parts(lambda v, x: x * v["params"], 1.0, None, halves, task="regression")["mse"]
      0.25
    """
    sizes, found, targets = [], [], []
    measure: Any = functools.partial(evaluate, apply_fn, task=task, batch_size=2**31)
    if task == "classification":  # one program instead of forty; it would round r2 in another way
        measure = jax.jit(measure)
    for x, y in parts:
        x, y = jax.device_put((x, y))
        # Weights that the program cannot see: it would divide by a count that it knows in another way, too.
        found.append(jax.device_get(measure(params, model_state, x, y, np.ones(len(x), np.float32))))
        sizes.append(len(x))
        targets.append(y)
    total = {name: float(np.average([part[name] for part in found], weights=sizes)) for name in found[0]}
    if task == "regression":
        y = jnp.concatenate(targets)
        total["r2"] = 1.0 - total["mse"] / float(_variance(y, jnp.ones(len(y))))
    return total


def predict(
    apply_fn: Callable[..., Any], params: PyTree, model_state: PyTree | None, x: Array, *, task: str = "classification"
) -> Array:
    """The outputs of a model in evaluation mode; of an ensemble, its mean prediction.

    Args:
      apply_fn: as in `rj.build_loss`.
      params: parameters, or an `Ensemble` of them.
      model_state: other collections of the model, or None; of an ensemble, those of the members.
      x: inputs `[B, ...]`.
      task: `"classification"` or `"regression"`; matters for an ensemble, see `regjax.averaging.ensemble_outputs`.

    Returns:
      Logits `[B, K]`, or numbers `[B, ...]`.

    Example:
      >>> from regjax.averaging import Ensemble
      >>> both = Ensemble(jnp.array([1.0, 3.0]), jnp.int32(2))
      >>> predict(lambda v, x: v["params"] * x, both, None, jnp.ones(2), task="regression")
      Array([2., 2.], dtype=float32)
    """

    def outputs(params: PyTree, model_state: PyTree) -> Array:
        return call_model(apply_fn, params, model_state, x, train=False).outputs

    if isinstance(params, Ensemble):
        return ensemble_outputs(jax.vmap(outputs)(params.members, model_state or {}), params.taken, task=task)
    return outputs(params, model_state)


def _in_batches(arrays: tuple[Array, ...], batch_size: int) -> tuple[Array, ...]:
    """Pad with zeros (so the padding weighs nothing) and reshape to `[batches, batch_size, ...]`."""
    size = arrays[0].shape[0]
    batches = -(-size // batch_size)
    padding = batches * batch_size - size

    def reshape(a: Array) -> Array:
        padded = jnp.concatenate([a, jnp.zeros((padding, *a.shape[1:]), a.dtype)]) if padding else a
        return padded.reshape(batches, batch_size, *a.shape[1:])

    return tuple(reshape(a) for a in arrays)


def _variance(y: Array, weight: Array) -> Array:
    """The weighted variance of the targets, averaged over outputs; 1 where it is 0."""
    y = y.astype(jnp.float32).reshape(y.shape[0], -1)
    share = weight / jnp.maximum(jnp.sum(weight, axis=-1, keepdims=True), 1.0)
    centred = y - jnp.mean(y, axis=0)  # any shift will do; this one keeps float32 accurate
    spread = jnp.mean(share @ jnp.square(centred) - jnp.square(share @ centred), axis=-1)
    return jnp.where(spread > 0, spread, 1.0)
