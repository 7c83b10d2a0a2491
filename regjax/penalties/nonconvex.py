"""Nonconvex penalties, which hardly shrink large weights: MCP, SCAD, log-sum and the number of non-zeros (L0).

L1 shrinks all weights by the same amount, which biases the large ones; these penalties flatten out. They are not
convex: a gradient method finds a local minimum, while each proximal map here is a global one.
"""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp

from regjax.core.checks import check_range
from regjax.core.dtypes import canonical, wide_dtype
from regjax.core.tree import Where
from regjax.core.typing import Array, ArrayLike, Numeric, PyTree
from regjax.penalties import prox as _prox
from regjax.penalties.base import Penalty, Strength, Term, new_term
from regjax.penalties.elementwise import absolute
from regjax.penalties.numbers import weighted_sum
from regjax.penalties.prox_parts import ProxParts


class _Nonconvex(Term):
    """Base of these terms, whose `leaf_value` sums a function of `|w|`."""

    is_smooth = False

    def leaf_strength_max(self, grads: Array, name: str) -> Array:
        return jnp.max(jnp.abs(grads))


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class _MCP(_Nonconvex):
    gamma: Numeric = 3.0
    kind = "mcp"

    def leaf_value(self, w: Array, strength: Numeric, name: str) -> Array:
        size = absolute(w)
        rising = strength * size - jnp.square(size) / (2 * self.gamma)
        return jnp.sum(jnp.where(size > self.gamma * strength, self.gamma * jnp.square(strength) / 2, rising))

    def prox_parts(self, strength: Numeric, name: str) -> ProxParts:
        return ProxParts(remainder=lambda w, t: _prox.firm_threshold(w, t, strength, self.gamma))

    def details(self) -> tuple[object, ...]:
        return (self.gamma,)


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class _SCAD(_Nonconvex):
    gamma: Numeric = 3.7
    kind = "scad"

    def leaf_value(self, w: Array, strength: Numeric, name: str) -> Array:
        return jnp.sum(_prox.scad_value(absolute(w), strength, self.gamma))

    def prox_parts(self, strength: Numeric, name: str) -> ProxParts:
        return ProxParts(remainder=lambda w, t: _prox.scad_threshold(w, t, strength, self.gamma))

    def details(self) -> tuple[object, ...]:
        return (self.gamma,)


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class _LogSum(_Nonconvex):
    epsilon: Numeric = 0.1
    kind = "log_sum"

    def leaf_value(self, w: Array, strength: Numeric, name: str) -> Array:
        return weighted_sum(strength, jnp.log1p(absolute(w) / self.epsilon))

    def prox_parts(self, strength: Numeric, name: str) -> ProxParts:
        return ProxParts(remainder=lambda w, t: _prox.log_sum_threshold(w, t, strength, self.epsilon))

    def leaf_strength_max(self, grads: Array, name: str) -> Array:
        return jnp.max(jnp.abs(grads)) * self.epsilon

    def details(self) -> tuple[object, ...]:
        return (self.epsilon,)


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class _L0(_Nonconvex):
    kind = "l0"
    term_modes = ("proximal",)

    def leaf_value(self, w: Array, strength: Numeric, name: str) -> Array:
        return weighted_sum(strength, jnp.where(jnp.isnan(w), jnp.nan, w != 0).astype(wide_dtype(w)))

    def prox_parts(self, strength: Numeric, name: str) -> ProxParts:
        return ProxParts(remainder=lambda w, t: _prox.hard_threshold(w, t, strength))

    def leaf_strength_max(self, grads: Array, name: str) -> Array:
        # Zero is a local minimum at every strength, and the gradient alone does not determine the global threshold.
        return Term.leaf_strength_max(self, grads, name)


def mcp(strength: Strength, gamma: ArrayLike = 3.0, where: Where | PyTree = None) -> Penalty:
    """Minimax concave penalty: `s |w| - w^2 / (2 gamma)` up to `|w| = gamma s`, then the constant `gamma s^2 / 2`.

    Args:
      strength: s >= 0; a number, a traced array, a schedule `step -> number`, or a pytree of strengths by leaf.
      gamma: > 1; the penalty is constant beyond `gamma s`. For large gamma it is `l1`, near 1 hard thresholding.
      where: which leaves; None means weights (rank >= 2, not bias or scale). See `regjax.core.tree.leaf_mask`.

    Returns:
      A `Penalty`. Its proximal map is firm thresholding (`regjax.penalties.prox.firm_threshold`).

    Raises:
      ValueError: a concrete strength that is negative or NaN, or `gamma` <= 1.

    Example:
      >>> float(mcp(1.0, gamma=2.0).value({"kernel": jnp.array([[1.0, 9.0]])}))  # 1 - 1/4, and 1
      1.75

    Reference:
      Zhang, Nearly unbiased variable selection under minimax concave penalty, 2010.
    """
    check_range("mcp: gamma", gamma, 1.0, jnp.inf, low_open=True, high_open=True)
    return new_term(_MCP, strength, where, canonical(gamma))


def scad(strength: Strength, gamma: ArrayLike = 3.7, where: Where | PyTree = None) -> Penalty:
    """Smoothly clipped absolute deviation: `s |w|` up to `s`, a parabola up to `gamma s`, then `s^2 (gamma + 1) / 2`.

    Args:
      strength: s >= 0; a number, a traced array, a schedule `step -> number`, or a pytree of strengths by leaf.
      gamma: > 2; the penalty is constant beyond `gamma s`.
      where: which leaves; None means weights (rank >= 2, not bias or scale). See `regjax.core.tree.leaf_mask`.

    Returns:
      A `Penalty`; for the pieces and the proximal map see `regjax.penalties.prox.scad_value` and `scad_threshold`.

    Raises:
      ValueError: a concrete strength that is negative or NaN, or `gamma` <= 2.

    Example:
      >>> float(scad(1.0, gamma=3.0).value({"kernel": jnp.array([[0.5, 9.0]])}))
      2.5

    Reference:
      Fan and Li, Variable selection via nonconcave penalized likelihood and its oracle properties, 2001.
    """
    check_range("scad: gamma", gamma, 2.0, jnp.inf, low_open=True, high_open=True)
    return new_term(_SCAD, strength, where, canonical(gamma))


def log_sum(strength: Strength, epsilon: ArrayLike = 0.1, where: Where | PyTree = None) -> Penalty:
    """Log-sum: `strength * sum_i log(1 + |w_i| / epsilon)`.

    Args:
      strength: >= 0; a number, a traced array, a schedule `step -> number`, or a pytree of strengths by leaf.
      epsilon: > 0; the smaller, the closer to counting non-zeros.
      where: which leaves; None means weights (rank >= 2, not bias or scale). See `regjax.core.tree.leaf_mask`.

    Returns:
      A `Penalty`; for the proximal map see `regjax.penalties.prox.log_sum_threshold`.

    Raises:
      ValueError: a concrete strength that is negative or NaN, or `epsilon` <= 0.

    Example:
      >>> round(float(log_sum(1.0, epsilon=1.0).value({"kernel": jnp.array([[1.0, 3.0]])})), 4)  # log 2 + log 4
      2.0794

    Reference:
      Candes, Wakin and Boyd, Enhancing sparsity by reweighted l1 minimization, 2008.
    """
    check_range("log_sum: epsilon", epsilon, 0.0, jnp.inf, low_open=True, high_open=True)
    return new_term(_LogSum, strength, where, canonical(epsilon))


def l0(strength: Strength, where: Where | PyTree = None) -> Penalty:
    """Number of non-zero weights: `strength * #{i: w_i != 0}`. Proximal mode only: it has no gradient.

    Args:
      strength: >= 0; a number, a traced array, a schedule `step -> number`, or a pytree of strengths by leaf.
      where: which leaves; None means weights (rank >= 2, not bias or scale). See `regjax.core.tree.leaf_mask`.

    Returns:
      A `Penalty`. Its proximal map is the hard threshold: weights with `w^2 <= 2 t s` become zero.

    Raises:
      ValueError: a concrete strength that is negative or NaN.

    Example:
      >>> float(l0(0.5).value({"kernel": jnp.array([[1.0, 0.0, -3.0]])}))
      1.0

    Reference:
      Blumensath and Davies, Iterative thresholding for sparse approximations, 2008.
    """
    return new_term(_L0, strength, where)
