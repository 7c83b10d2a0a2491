"""Averages of parameters along training: EMA, SWA, lookahead, and snapshots for an ensemble.

One contract: `init(params) -> state`, then after every update `update(state, params) -> (state, params)`. The
returned params go on training (only lookahead changes them); `state.average` are the weights to evaluate and to
keep. All numbers are data, so they are swept without recompiling.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from regjax.checks import check_range
from regjax.parse import parse_sum
from regjax.typing import Array, ArrayLike, PyTree


class AverageState(NamedTuple):
    """State of an average: `average` are the weights to evaluate."""

    count: Array  # type: ignore[assignment]  # int32[]: updates seen
    average: PyTree  # like the parameters, at least float32: small changes would vanish in bfloat16


class Average:
    """A rule that keeps averaged weights beside the trained ones; make one with `ema`, `swa` or `lookahead`."""

    kind: ClassVar[str]

    def init(self, params: PyTree) -> AverageState:
        """The state before the first update: the parameters themselves."""
        return AverageState(jnp.asarray(0, jnp.int32), jax.tree.map(_wide, params))

    def update(self, state: AverageState, params: PyTree) -> tuple[AverageState, PyTree]:
        """Take in the parameters after an update.

        Args:
          state: from `init` or `update`.
          params: after the optimizer's update.

        Returns:
          The new state, and the parameters to go on with.
        """
        raise NotImplementedError


def averaged_params(state: AverageState, like: PyTree) -> PyTree:
    """The averaged weights in the dtypes of `like`."""
    return jax.tree.map(lambda a, w: a.astype(jnp.asarray(w).dtype), state.average, like)


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class _EMA(Average):
    decay: Any
    warmup: bool = dataclasses.field(metadata={"static": True})
    kind = "ema"

    def update(self, state: AverageState, params: PyTree) -> tuple[AverageState, PyTree]:
        t = state.count.astype(jnp.float32)
        decay = jnp.minimum(self.decay, (1 + t) / (10 + t)) if self.warmup else self.decay
        return AverageState(state.count + 1, _towards(state.average, params, 1 - decay)), params


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class _SWA(Average):
    start: Any
    every: Any
    kind = "swa"

    def update(self, state: AverageState, params: PyTree) -> tuple[AverageState, PyTree]:
        count = state.count + 1
        past = count - self.start
        # The n-th member moves the mean by 1/n; before the start the average is the parameters themselves.
        member = jnp.where(past < 0, 0, past // self.every)
        due = (past < 0) | (past % self.every == 0)
        rate = jnp.where(due, 1 / (member + 1).astype(jnp.float32), 0.0)
        return AverageState(count, _towards(state.average, params, rate)), params


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class _Lookahead(Average):
    period: Any
    slow_step: Any
    kind = "lookahead"

    def update(self, state: AverageState, params: PyTree) -> tuple[AverageState, PyTree]:
        count = state.count + 1
        due = count % self.period == 0
        slow = _towards(state.average, params, jnp.where(due, self.slow_step, 0.0))
        params = jax.tree.map(lambda w, s: jnp.where(due, s.astype(w.dtype), w), params, slow)
        return AverageState(count, slow), params


def ema(decay: ArrayLike = 0.999, warmup: bool = True) -> Average:
    """Exponential moving average: `a <- d a + (1 - d) w`, with `d = min(decay, (1 + t) / (10 + t))` at update t from 0.

    Args:
      decay: in [0, 1); a number or a traced array.
      warmup: whether the decay grows with t, so that the start is forgotten quickly.

    Raises:
      ValueError: a concrete decay out of range.

    Example:
      >>> rule = ema(0.5, warmup=False)
      >>> state, _ = rule.update(rule.init(jnp.float32(0.0)), jnp.float32(4.0))
      >>> float(state.average)
      2.0

    Reference:
      Polyak and Juditsky, Acceleration of stochastic approximation by averaging, 1992.
    """
    check_range("ema: decay", decay, 0.0, 1.0, high_open=True)
    return _EMA(_number(decay), bool(warmup))


def swa(start: ArrayLike, every: ArrayLike = 1) -> Average:
    """Stochastic weight averaging: the plain mean of the parameters at updates `start`, `start + every`, ...

    Before `start` the average is the parameters as they are.

    Args:
      start: update (counted from 1) of the first member, >= 1.
      every: updates between members, >= 1; an epoch's number of updates in the paper.

    Raises:
      ValueError: a concrete number out of range.

    Example:
      >>> rule = swa(start=2)
      >>> state = rule.init(jnp.float32(0.0))
      >>> for w in (9.0, 1.0, 3.0):
      ...     state, _ = rule.update(state, jnp.float32(w))
      >>> float(state.average)  # of updates 2 and 3
      2.0

    Reference:
      Izmailov et al., Averaging weights leads to wider optima and better generalization, 2018.
    """
    check_range("swa: start", start, 1)
    check_range("swa: every", every, 1)
    return _SWA(_whole(start), _whole(every))


def lookahead(period: ArrayLike = 5, slow_step: ArrayLike = 0.5) -> Average:
    """Lookahead: every `period` updates slow weights go a part of the way, `a <- a + slow_step (w - a)`, and `w <- a`.

    Args:
      period: updates between synchronizations, >= 1.
      slow_step: in (0, 1].

    Raises:
      ValueError: a concrete number out of range.

    Example:
      >>> rule = lookahead(period=1, slow_step=0.5)
      >>> state, w = rule.update(rule.init(jnp.float32(0.0)), jnp.float32(4.0))
      >>> float(w)
      2.0

    Reference:
      Zhang, Lucas, Hinton and Ba, Lookahead optimizer: k steps forward, 1 step back, 2019.
    """
    check_range("lookahead: period", period, 1)
    check_range("lookahead: slow_step", slow_step, 0.0, 1.0, low_open=True)
    return _Lookahead(_whole(period), _number(slow_step))


AVERAGES: dict[str, Callable[..., Average]] = {"ema": ema, "lookahead": lookahead, "swa": swa}


def parse_average(text: str) -> Average:
    """An average from text, as a flag gives it: `"ema(0.999)"`; see `regjax.parse`. Nothing is evaluated.

    Raises:
      InputError: one line that says what cannot be read or does not fit.

    Example:
      >>> parse_average("swa(start=100, every=10)").kind
      'swa'
    """
    found = parse_sum(text, AVERAGES, "average")
    check_range("average: number of averages", len(found), 1, 1)
    return found[0]


class SnapshotState(NamedTuple):
    """Members of a snapshot ensemble."""

    count: Array  # type: ignore[assignment]  # int32[]: updates seen
    members: PyTree  # [M, ...] like the parameters
    taken: Array  # int32[]: members so far


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Snapshots:
    """Snapshot ensemble: a copy of the parameters at the end of each cycle of the learning rate.

    Train with `snapshot_schedule`, take the copies with this, and predict with `ensemble_predict`.

    Attributes:
      size: members at most, M; static.
      period: updates in a cycle, >= 1; a number or a traced array.

    Example:
      >>> rule = Snapshots(size=2, period=2)
      >>> state = rule.init(jnp.float32(0.0))
      >>> for w in (1.0, 2.0, 3.0, 4.0):
      ...     state = rule.update(state, jnp.float32(w))
      >>> state.members.tolist(), int(state.taken)
      ([2.0, 4.0], 2)

    Reference:
      Huang et al., Snapshot ensembles: train 1, get M for free, 2017.
    """

    size: int = dataclasses.field(metadata={"static": True})
    period: Any

    def __post_init__(self) -> None:
        check_range("Snapshots: size", self.size, 1)
        check_range("Snapshots: period", self.period, 1)

    def init(self, params: PyTree) -> SnapshotState:
        """No member yet; the places are filled with the parameters."""
        places = jax.tree.map(lambda w: jnp.broadcast_to(w, (self.size, *jnp.shape(w))), params)
        return SnapshotState(jnp.int32(0), places, jnp.int32(0))

    def update(self, state: SnapshotState, params: PyTree) -> SnapshotState:
        """Take in the parameters after an update; at the end of a cycle they become the next member."""
        count = state.count + 1
        due = (count % self.period == 0) & (state.taken < self.size)
        place = jnp.where(due, state.taken, self.size)  # out of bounds: dropped
        members = jax.tree.map(lambda m, w: m.at[place].set(w, mode="drop"), state.members, params)
        return SnapshotState(count, members, state.taken + due)


def snapshot_schedule(learning_rate: ArrayLike, period: ArrayLike) -> Callable[[ArrayLike], Array]:
    """Cosine cycles: `lr / 2 (1 + cos(pi (t mod period) / period))`, starting over every `period` updates.

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
        part = jnp.asarray(step) % period / jnp.asarray(period)
        return jnp.asarray(learning_rate) / 2 * (1 + jnp.cos(jnp.pi * part))

    return schedule


def ensemble_predict(
    apply_fn: Callable[..., Array], state: SnapshotState, x: Array, *, task: str = "classification"
) -> Array:
    """The mean prediction of the members that were taken: of probabilities, or of the outputs of a regression.

    Args:
      apply_fn: `(variables, x) -> outputs` with `variables["params"]`, as of a Flax module.
      state: of `Snapshots`; where none was taken yet, the first place counts (the initial parameters).
      x: inputs `[B, ...]`.
      task: `"classification"` (the outputs are logits) or `"regression"`.

    Returns:
      Probabilities `[B, K]`, or numbers like the outputs.

    Example:
      >>> state = SnapshotState(jnp.int32(4), jnp.array([1.0, 3.0]), jnp.int32(2))
      >>> ensemble_predict(lambda v, x: v["params"] * x, state, jnp.ones(2), task="regression")
      Array([2., 2.], dtype=float32)
    """
    outputs = jax.vmap(lambda member: apply_fn({"params": member}, x))(state.members)
    predictions = jax.nn.softmax(outputs, axis=-1) if task == "classification" else outputs
    used = (jnp.arange(outputs.shape[0]) < jnp.maximum(state.taken, 1)).astype(predictions.dtype)
    return jnp.tensordot(used / jnp.sum(used), predictions, axes=1)


def _towards(average: PyTree, params: PyTree, rate: ArrayLike) -> PyTree:
    # In this form both ends are exact: rate 0 keeps the average, rate 1 is the parameters.
    return jax.tree.map(lambda a, w: (1 - rate) * a + rate * w.astype(a.dtype) if _moves(a) else w, average, params)


def _wide(leaf: Any) -> Array:
    leaf = jnp.asarray(leaf)
    return leaf.astype(jnp.promote_types(leaf.dtype, jnp.float32)) if _moves(leaf) else leaf


def _moves(leaf: Array) -> bool:
    return bool(jnp.issubdtype(leaf.dtype, jnp.inexact))


def _number(value: Any) -> Any:
    return value if isinstance(value, jax.Array) else np.asarray(value, np.float32)


def _whole(value: Any) -> Any:
    return value if isinstance(value, jax.Array) else np.asarray(value, np.int32)
