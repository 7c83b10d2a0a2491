"""Gradients of a loss, for a whole batch at once or in micro-batches that fit into the cache of a core."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp

from regjax.core.tree import uphill
from regjax.core.typing import Array, ArrayLike, Aux, Batch, PRNGKey, PyTree
from regjax.training.loss import LossFn


def loss_and_grads(
    loss_fn: LossFn,
    params: PyTree,
    batch: Batch,
    key: PRNGKey | None,
    *,
    model_state: PyTree | None = None,
    hparams: PyTree = None,
    step: ArrayLike = 0,
    micro_batch: int | None = None,
) -> tuple[tuple[Array, Aux], PyTree]:
    """Compute loss, parts and gradient in training mode: `jax.value_and_grad(loss_fn, has_aux=True)`.

    Gradients of complex weights are conjugated, as optax expects.

    With `micro_batch`, the batch is augmented as a whole and then divided into micro-batches, whose gradients are added
    up, weighted by their share of the example weights. The result is the same up to rounding, except that noise in the
    model draws different numbers from the same distribution. On CPU, where the activations of a few images fit into
    the cache and those of a whole batch do not, this makes the training of a convolutional net a quarter faster.

    Args:
      loss_fn: from `build_loss`.
      params: parameters.
      batch: `[B, ...]`.
      key: as in `build_loss`.
      model_state: other collections of the model.
      hparams: passed to `loss_fn`.
      step: number of updates so far.
      micro_batch: size of a micro-batch, a divisor of `B`; None or `B` means the whole batch.

    Returns:
      `((loss, aux), grads)`.

    Raises:
      ValueError: `micro_batch` does not divide the batch, or the model has collections that depend on the whole
        batch (batch statistics).

    Example:
      >>> from regjax.training.loss import build_loss
      >>> loss_fn = build_loss(lambda v, x: x @ v["params"], "mse")
      >>> batch = Batch(jnp.eye(4), jnp.ones(4))
      >>> (loss, _), grads = loss_and_grads(loss_fn, jnp.zeros(4), batch, None, micro_batch=2)
      >>> float(loss), grads
      (1.0, Array([-0.5, -0.5, -0.5, -0.5], dtype=float32))
    """
    options = {"model_state": model_state, "hparams": hparams, "step": step}
    size = batch.x.shape[0]
    if micro_batch is None or micro_batch == size:
        whole, grads = jax.value_and_grad(loss_fn, has_aux=True)(params, batch, key, **options)
        return whole, uphill(grads)
    if micro_batch < 1 or size % micro_batch:
        raise ValueError(f"micro_batch must divide the batch of {size} examples, got {micro_batch}")
    if jax.tree.leaves(model_state):
        raise ValueError("micro_batch: this model has collections that see a batch as a whole; use micro_batch=None")

    count = size // micro_batch
    batch = loss_fn.prepared(batch, key, hparams)
    # A micro-batch takes every count-th example, so that no data move if the batch is split over devices.
    parts = jax.tree.map(lambda a: a.reshape(micro_batch, count, *a.shape[1:]).swapaxes(0, 1), batch)
    weights = jnp.ones((count,)) if batch.weight is None else parts.weight.reshape(count, -1).sum(axis=1)
    shares = weights / jnp.maximum(jnp.sum(weights), 1e-30)
    without_penalty = dataclasses.replace(loss_fn, penalty=None, transform_batch=None, ignore_index=None)

    def part_loss(params: PyTree, examples: Batch, part_key: PRNGKey | None) -> tuple[Array, dict[str, Array]]:
        loss, aux = without_penalty(params, examples, part_key, **options)
        return loss, aux.parts

    def accumulate(total: PyTree, part: tuple[Array, Batch, Array]) -> tuple[PyTree, dict[str, Array]]:
        index, examples, share = part
        part_key = None if key is None else jax.random.fold_in(key, index)
        (_, terms), grads = jax.value_and_grad(part_loss, has_aux=True)(params, examples, part_key)
        total = jax.tree.map(lambda a, b: a + (share * b).astype(a.dtype), total, grads)
        return total, {name: share * term for name, term in terms.items()}

    zeros = jax.tree.map(jnp.zeros_like, params)
    grads, shared = jax.lax.scan(accumulate, zeros, (jnp.arange(count), parts, shares))
    terms = {name: jnp.sum(values) for name, values in shared.items()}
    penalty = loss_fn.penalty_for(hparams)
    if penalty is not None:

        def penalty_terms(params: PyTree) -> tuple[Array, dict[str, Array]]:
            each = penalty.terms(params, step)
            return sum(each.values(), start=jnp.float32(0.0)), each

        (_, each), extra = jax.value_and_grad(penalty_terms, has_aux=True)(params)
        terms |= each
        grads = jax.tree.map(jnp.add, grads, extra)
    return (sum(terms.values(), start=jnp.float32(0.0)), Aux(terms, model_state or {})), uphill(grads)
