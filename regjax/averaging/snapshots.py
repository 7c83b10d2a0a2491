"""Snapshot ensembles: copies of the weights at the ends of learning-rate cycles, whose predictions are averaged."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from regjax.averaging.base import Average, update_count
from regjax.catalog import TASKS
from regjax.core.checks import check_choice, check_range
from regjax.core.labels import check_logits
from regjax.core.typing import Array, ArrayLike, PyTree


class Ensemble(NamedTuple):
    """The weights of several models, stacked; takes the place of the parameters of one. See `ensemble_outputs`."""

    members: PyTree  # each leaf [M, ...]
    taken: Array  # int32[]: how many members are in use, counted from the first


class SnapshotState(NamedTuple):
    """State of a snapshot ensemble."""

    count: Array  # type: ignore[assignment]  # int32[]: updates seen
    members: PyTree  # like the weights, each leaf [M, ...]
    taken: Array  # int32[]: snapshots so far

    def evaluated(self, like: PyTree) -> Ensemble:
        """The snapshots so far; before the end of the first cycle, the current weights."""
        del like
        return Ensemble(self.members, jnp.maximum(self.taken, 1))


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class _Snapshots(Average):
    size: int = dataclasses.field(metadata={"static": True})
    period: Any
    kind = "snapshots"

    def init(self, params: PyTree) -> SnapshotState:
        members = jax.tree.map(lambda w: jnp.broadcast_to(w, (self.size, *jnp.shape(w))), params)
        return SnapshotState(jnp.int32(0), members, jnp.int32(0))

    def update(self, state: SnapshotState, params: PyTree) -> tuple[SnapshotState, PyTree]:
        count = state.count + 1
        due = (count % self.period == 0) & (state.taken < self.size)
        # In the first cycle slot 0 follows the weights; afterwards an index out of bounds drops them.
        slot = jnp.where(due | (state.taken == 0), state.taken, self.size)
        members = jax.tree.map(lambda m, w: m.at[slot].set(w, mode="drop"), state.members, params)
        return SnapshotState(count, members, state.taken + due), params

    def schedule_shape(self) -> optax.Schedule:
        return snapshot_schedule(1.0, self.period)


def snapshots(size: int, period: ArrayLike) -> Average:
    """Snapshot ensemble: a copy of the weights at the end of each cycle of the learning rate.

    A training run with this average takes `snapshot_schedule` as the shape of its learning rate and evaluates the
    ensemble of the copies so far; before the end of the first cycle, the current weights.

    Args:
      size: largest number of members, M >= 1; a Python integer. They come from the first M cycles.
      period: updates in a cycle, >= 1; a number or a traced array.

    Raises:
      ValueError: a concrete number out of range.

    Example:
      >>> rule = snapshots(size=2, period=2)
      >>> state = rule.init(jnp.float32(0.0))
      >>> for w in (1.0, 2.0, 3.0, 4.0):
      ...     state, _ = rule.update(state, jnp.float32(w))
      >>> state.members.tolist(), int(state.taken)
      ([2.0, 4.0], 2)

    Reference:
      Huang et al., Snapshot ensembles: train 1, get M for free, 2017.
    """
    check_range("snapshots: size", size, 1)
    if not isinstance(size, int):
        raise ValueError(f"snapshots: size must be a Python integer, got {size!r}")
    return _Snapshots(size, update_count("snapshots: period", period))


def snapshot_schedule(learning_rate: ArrayLike, period: ArrayLike) -> Callable[[ArrayLike], Array]:
    """Cosine cycles: `lr / 2 (1 + cos(pi (t mod period) / period))`, restarted every `period` updates.

    Args:
      learning_rate: at the start of a cycle, > 0.
      period: updates in a cycle, >= 1.

    Raises:
      ValueError: a concrete number out of range.

    Example:
      >>> rate = snapshot_schedule(0.2, 10)
      >>> [round(float(rate(t)), 3) for t in (0, 5, 10)]
      [0.2, 0.1, 0.2]

    Reference:
      Loshchilov and Hutter, SGDR: stochastic gradient descent with warm restarts, 2017.
    """
    check_range("snapshot_schedule: learning_rate", learning_rate, 0.0, low_open=True)
    check_range("snapshot_schedule: period", period, 1)

    def schedule(step: ArrayLike) -> Array:
        progress = jnp.asarray(step) % period / jnp.asarray(period)
        return jnp.asarray(learning_rate) / 2 * (1 + jnp.cos(jnp.pi * progress))

    return schedule


def ensemble_outputs(
    outputs: Array, taken: ArrayLike, *, task: str = "classification", link: str = "identity"
) -> Array:
    """One prediction from the outputs of all members; for logits, the logarithm of the mean probability.

      classification:  log((1/m) sum_{i < m} softmax(z_i)),  regression:  (1/m) sum_{i < m} z_i
      multilabel:  the log-odds of (1/m) sum_{i < m} sigmoid(z_i)
      regression of logarithms:  log((1/m) sum_{i < m} exp(z_i))

    Its softmax is the mean probability, so it can be used wherever logits are, and its exponential the mean prediction.

    Args:
      outputs: `[M, ..., K]` logits, or `[M, B, ...]` numbers.
      taken: m, how many members are in use, counted from the first.
      task: `"classification"`, `"regression"` or `"multilabel"`.
      link: what the numbers of a regression are: `"identity"`, or `"log"` for logarithms of predictions.

    Returns:
      `[B, ...]`.

    Raises:
      ValueError: an unknown task, or logits of fewer than 2 classes.

    Example:
      >>> ensemble_outputs(jnp.array([[[1.0]], [[3.0]], [[9.0]]]), 2, task="regression")
      Array([[2.]], dtype=float32)
    """
    check_choice("task", task, TASKS)
    is_used = jnp.arange(outputs.shape[0]) < taken
    is_used = is_used.reshape(-1, *[1] * (outputs.ndim - 1))
    if task == "regression" and link == "log":
        return jax.nn.logsumexp(outputs, axis=0, where=is_used) - jnp.log(jnp.asarray(taken, outputs.dtype))
    if task == "regression":
        return jnp.sum(outputs, axis=0, where=is_used) / taken
    if task == "multilabel":  # both sides in logarithms, because a probability near 1 would have no odds
        log_yes, log_no = jax.nn.log_sigmoid(outputs), jax.nn.log_sigmoid(-outputs)
        return jax.nn.logsumexp(log_yes, axis=0, where=is_used) - jax.nn.logsumexp(log_no, axis=0, where=is_used)
    check_logits("ensemble_outputs", outputs.shape, lead=2)
    log_probs = jax.nn.log_softmax(outputs, axis=-1)
    return jax.nn.logsumexp(log_probs, axis=0, where=is_used) - jnp.log(jnp.asarray(taken, log_probs.dtype))
