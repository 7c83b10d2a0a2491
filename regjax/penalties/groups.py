"""Penalties on groups of weights that become zero together: a unit, an input, a channel or a whole leaf."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping

import jax
import jax.numpy as jnp

from regjax.core.checks import check_choice, check_range
from regjax.core.dtypes import canonical
from regjax.core.tree import Where
from regjax.core.typing import Array, ArrayLike, Numeric, PyTree
from regjax.penalties import prox as _prox
from regjax.penalties.base import Penalty, Strength, Term, new_term
from regjax.penalties.elementwise import absolute, squares
from regjax.penalties.layout import DEFAULT_LAYOUT, Axis, Layout, check_axis, check_layout, doubt, units_text, within
from regjax.penalties.numbers import scalar_strength, weighted_sum
from regjax.penalties.prox_parts import ProxParts

WEIGHTINGS = ("none", "sqrt_size")


class _Grouped(Term):
    """Base of group terms: the axes within a group, and the weight of a group."""

    is_smooth = False
    is_separable = False
    axis: Axis
    layout: Layout
    weighting: str

    def within(self, shape: tuple[int, ...], name: str) -> tuple[int, ...]:
        """The axes along which the entries of a group lie."""
        return within(self.kind, self.axis, self.layout, shape, name)

    def units(self, shape: tuple[int, ...], name: str) -> str:
        return units_text(self.kind, self.axis, self.layout, shape, name)

    def doubt(self, shape: tuple[int, ...], name: str) -> str:
        return doubt(self.axis, self.layout, shape, name)

    def weight(self, shape: tuple[int, ...], name: str) -> float:
        """The factor of the norm of each group."""
        return (
            math.sqrt(math.prod(shape[a] for a in self.within(shape, name))) if self.weighting == "sqrt_size" else 1.0
        )

    def norms(self, w: Array, name: str) -> Array:
        """The weighted norm of each group; the gradient at a group of zeros is 0."""
        total = jnp.sum(squares(w), self.within(w.shape, name))
        return self.weight(w.shape, name) * _prox.safe_sqrt(total)

    def shrink(self, w: Array, t: Numeric, strength: Numeric, name: str) -> Array:
        """The proximal map of `strength * sum of norms`."""
        return _prox.group_soft_threshold(w, t * (strength * self.weight(w.shape, name)), self.within(w.shape, name))


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class _GroupLasso(_Grouped):
    axis: Axis = dataclasses.field(default="out", metadata={"static": True})
    layout: Layout = dataclasses.field(default=DEFAULT_LAYOUT, metadata={"static": True})
    weighting: str = dataclasses.field(default="none", metadata={"static": True})
    kind = "group_lasso"

    def leaf_value(self, w: Array, strength: Numeric, name: str) -> Array:
        return scalar_strength(self.kind, strength, name) * jnp.sum(self.norms(w, name))

    def prox_parts(self, strength: Numeric, name: str) -> ProxParts:
        scalar_strength(self.kind, strength, name)
        return ProxParts(remainder=lambda w, t: self.shrink(w, t, strength, name), adds_to_l1=True)

    def leaf_strength_max(self, grads: Array, name: str) -> Array:
        return jnp.max(self.norms(grads, name)) / self.weight(grads.shape, name) ** 2


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class _SparseGroupLasso(_Grouped):
    l1_ratio: Numeric = 0.5
    axis: Axis = dataclasses.field(default="out", metadata={"static": True})
    layout: Layout = dataclasses.field(default=DEFAULT_LAYOUT, metadata={"static": True})
    weighting: str = dataclasses.field(default="none", metadata={"static": True})
    kind = "sparse_group_lasso"
    components = ("l1", "group_lasso")

    def leaf_value(self, w: Array, strength: Numeric, name: str) -> Array:
        scalar_strength(self.kind, strength, name)
        l1_norm = weighted_sum(strength, absolute(w))
        return self.l1_ratio * l1_norm + (1 - self.l1_ratio) * strength * jnp.sum(self.norms(w, name))

    def prox_parts(self, strength: Numeric, name: str) -> ProxParts:
        scalar_strength(self.kind, strength, name)
        group = strength * (1 - self.l1_ratio)
        return ProxParts(
            l1=strength * self.l1_ratio, remainder=lambda w, t: self.shrink(w, t, group, name), adds_to_l1=True
        )

    def leaf_strength_max(self, grads: Array, name: str) -> Array:
        """The largest root, over all groups, of `||soft(g, s r)|| = s (1 - r) c`, by bisection."""
        axes, c = self.within(grads.shape, name), self.weight(grads.shape, name)
        size = jnp.abs(grads)

        def zero_at(s: Array) -> Array:
            kept = jnp.maximum(size - s * self.l1_ratio, 0)
            return jnp.sqrt(jnp.sum(kept**2, axes, keepdims=True)) <= s * (1 - self.l1_ratio) * c

        def halve(ends: tuple[Array, Array], _: None) -> tuple[tuple[Array, Array], None]:
            low, high = ends
            middle = (low + high) / 2
            zero = zero_at(middle)
            return (jnp.where(zero, low, middle), jnp.where(zero, middle, high)), None

        # All entries are zero at s = max|g| / r, the group is at ||g|| / ((1 - r) c): one of these is finite.
        by_entry = jnp.max(size, axes, keepdims=True) / jnp.maximum(self.l1_ratio, 1e-12)
        by_group = jnp.sqrt(jnp.sum(size**2, axes, keepdims=True)) / jnp.maximum((1 - self.l1_ratio) * c, 1e-12)
        start = (jnp.zeros_like(by_entry), jnp.minimum(by_entry, by_group))
        # One halving for each bit of a number, and a few more.
        (_, high), _ = jax.lax.scan(halve, start, None, length=jnp.finfo(size.dtype).bits + 8)
        return jnp.max(high)

    def details(self) -> tuple[object, ...]:
        return (self.l1_ratio,)


def group_lasso(
    strength: Strength,
    axis: Axis = "out",
    weighting: str = "none",
    where: Where | PyTree = None,
    *,
    layout: str | Mapping[str, str] = DEFAULT_LAYOUT,
) -> Penalty:
    """Group lasso: `strength * sum_g c_g ||w_g||_2`; groups become zero as a whole.

    Args:
      strength: >= 0; a number, a traced array, a schedule `step -> number`, or a pytree of strengths by leaf.
      axis: what indexes the groups: `"out"`, the output units (columns of a dense kernel, channels), or `"in"`, the
        inputs (rows: a zero row is an unused feature). Or an axis or a tuple of axes, counted as in NumPy; `()` makes
        the whole leaf one group.
      weighting: `"none"` (c = 1) or `"sqrt_size"` (c is the square root of the group size, which treats groups of all
        sizes alike).
      where: which leaves; None means weights (rank >= 2, not bias or scale). See `regjax.core.tree.leaf_mask`.
      layout: **which axes are inputs and outputs**: `"...io"`, the default, is Flax and Keras; Equinox and torch store
        `"oi..."`; layers stacked by `nn.scan` or `vmap` are `"bio"`, attention is `"ioo"`. One for all leaves, or
        `{pattern: letters}`; see `regjax.penalties.layout`. `print(penalty.plan(params))` shows the units of each leaf.

    Returns:
      A `Penalty`. Its proximal map is `w_g max(0, 1 - t s c_g / ||w_g||)`; in the metric of an adaptive optimizer,
      the root of one equation a group (`regjax.penalties.prox.group_soft_threshold`).

    Raises:
      ValueError: a concrete strength that is negative or NaN, or an unknown weighting; when used, an axis or
        a layout that a leaf does not have.

    Example:
      >>> float(group_lasso(1.0).value({"kernel": jnp.array([[3.0, 0.0], [4.0, 1.0]])}))  # columns: 5 and 1
      6.0

    Reference:
      Yuan and Lin, Model selection and estimation in regression with grouped variables, 2006; Wen et al., Learning
      structured sparsity in deep neural networks, 2016.
    """
    check_choice("group_lasso: weighting", weighting, WEIGHTINGS)
    letters = check_layout("group_lasso", layout)
    axis = check_axis("group_lasso", axis, letters)
    return new_term(_GroupLasso, strength, where, axis=axis, layout=letters, weighting=weighting)


def sparse_group_lasso(
    strength: Strength,
    l1_ratio: ArrayLike = 0.5,
    axis: Axis = "out",
    weighting: str = "none",
    where: Where | PyTree = None,
    *,
    layout: str | Mapping[str, str] = DEFAULT_LAYOUT,
) -> Penalty:
    """Sparse group lasso: `strength * (l1_ratio * sum_i |w_i| + (1 - l1_ratio) * sum_g c_g ||w_g||_2)`.

    Args:
      strength: >= 0; a number, a traced array, a schedule `step -> number`, or a pytree of strengths by leaf.
      l1_ratio: in [0, 1]: 1 is `l1`, 0 is `group_lasso`.
      axis: as in `group_lasso`.
      weighting: as in `group_lasso`.
      where: which leaves; None means weights (rank >= 2, not bias or scale). See `regjax.core.tree.leaf_mask`.
      layout: as in `group_lasso`.

    Returns:
      A `Penalty`. Its proximal map is soft-thresholding, then that of the group lasso, which is exact.

    Raises:
      ValueError: a concrete strength that is negative or NaN, a ratio outside [0, 1] or an unknown weighting; when
        used, an axis or a layout that a leaf does not have.

    Example:
      >>> float(sparse_group_lasso(1.0).value({"kernel": jnp.array([[3.0, 0.0], [4.0, 1.0]])}))  # (8 + 6) / 2
      7.0

    Reference:
      Simon, Friedman, Hastie and Tibshirani, A sparse-group lasso, 2013.
    """
    check_choice("sparse_group_lasso: weighting", weighting, WEIGHTINGS)
    check_range("sparse_group_lasso: l1_ratio", l1_ratio, 0.0, 1.0)
    letters = check_layout("sparse_group_lasso", layout)
    axis = check_axis("sparse_group_lasso", axis, letters)
    ratio = canonical(l1_ratio)
    return new_term(_SparseGroupLasso, strength, where, ratio, axis=axis, layout=letters, weighting=weighting)
