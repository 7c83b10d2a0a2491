"""Running averages: exponential (EMA), stochastic weight averaging (SWA), lookahead."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from regjax.averaging.base import Average, AverageState, is_averaged, update_count
from regjax.core.checks import check_range
from regjax.core.dtypes import canonical, float_dtype
from regjax.core.typing import ArrayLike, PyTree


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class _EMA(Average):
    decay: Any
    warmup: bool = dataclasses.field(metadata={"static": True})
    kind = "ema"

    def update(self, state: AverageState, params: PyTree) -> tuple[AverageState, PyTree]:
        t = state.count.astype(float_dtype())
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
        # The n-th member moves the mean by 1/n; before the start the average equals the parameters.
        member = jnp.where(past < 0, 0, past // self.every)
        due = (past < 0) | (past % self.every == 0)
        rate = jnp.where(due, 1 / (member + 1).astype(float_dtype()), 0.0)
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
      warmup: whether the decay grows with t, so that the initial weights are forgotten quickly.

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
    return _EMA(canonical(decay), bool(warmup))


def swa(start: ArrayLike, every: ArrayLike = 1) -> Average:
    """Stochastic weight averaging: the plain mean of the parameters at updates `start`, `start + every`, ...

    Before `start` the average equals the parameters.

    Args:
      start: update of the first member, counted from 1; >= 1.
      every: updates between members, >= 1; one epoch in the paper.

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
    return _SWA(update_count("swa: start", start), update_count("swa: every", every))


def lookahead(period: ArrayLike = 5, slow_step: ArrayLike = 0.5) -> Average:
    """Lookahead: every `period` updates the slow weights move, `a <- a + slow_step (w - a)`, and `w <- a`.

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
    check_range("lookahead: slow_step", slow_step, 0.0, 1.0, low_open=True)
    period = update_count("lookahead: period", period)
    return _Lookahead(period, canonical(slow_step))


def _towards(average: PyTree, params: PyTree, rate: ArrayLike) -> PyTree:
    # In this form both ends are exact: rate 0 keeps the average, rate 1 is the parameters.
    def leaf(a: Any, w: Any) -> Any:
        return ((1 - rate) * a + rate * w.astype(a.dtype)).astype(a.dtype) if is_averaged(a) else w

    return jax.tree.map(leaf, average, params)
