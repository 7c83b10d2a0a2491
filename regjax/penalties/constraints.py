"""Hard constraints on parameters: maximal or unit norm of each unit, non-negative, inside a box.

A unit is what one index along `axis` selects; by default an output unit, which is a column of a kernel
`[..., in, out]`. **Equinox and torch store `[out, in]`, which needs `layout="oi..."`.** (Keras counts the other way:
its `axis=0` for a dense kernel names the axis *within* a unit.)
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from regjax.core.checks import check_range, is_traced
from regjax.core.dtypes import canonical, widened
from regjax.core.parse import parse_sum
from regjax.core.tree import Where, check_real, freeze_where, leaf_mask, leaf_names, map_selected
from regjax.core.typing import Array, ArrayLike, Numeric, PyTree
from regjax.penalties.base import Penalty
from regjax.penalties.elementwise import squares
from regjax.penalties.layout import DEFAULT_LAYOUT, Axis, Layout, check_axis, check_layout, doubt, units_text, within
from regjax.penalties.numbers import as_text
from regjax.penalties.plan import Plan, PlanRow, doubts


class Constraint:
    """A set to which parameters are confined; made by `max_norm`, `unit_norm`, `non_negative`, `box`, and `+`.

    A constraint is a pytree whose leaves are limits; kinds, masks and axes are static.
    """

    def flat(self) -> tuple[_Single, ...]:
        """The single constraints that make up this one."""
        raise NotImplementedError

    def project(self, params: PyTree) -> PyTree:
        """The closest parameters in the set, in Euclidean distance; keeps dtypes.

        Args:
          params: any pytree of arrays.
        """
        raise NotImplementedError

    def plan(self, params: PyTree) -> Plan:
        """Which constraints act on which leaf, with its units; `print(constraint.plan(params))` shows a table."""
        masks = [leaf_mask(params, single.where) for single in self.flat()]
        rows = []
        for i, (name, leaf) in enumerate(zip(leaf_names(params), jax.tree.leaves(params), strict=True)):
            acting = [single for single, mask in zip(self.flat(), masks, strict=True) if mask[i]]
            shape = tuple(np.shape(leaf))
            described = tuple(single.describe(shape, name) for single in acting)
            rows.append(PlanRow(name, shape, int(np.size(leaf)), described, doubts(acting, params, name, shape)))
        return Plan(tuple(rows), "constraint", "constrained")

    def __add__(self, other: Constraint) -> Constraint:
        """Both constraints; on one leaf, only `non_negative` and a norm can be combined."""
        return _All(self.flat() + other.flat()) if isinstance(other, Constraint) else NotImplemented


def apply_constraints(constraint: Constraint | Sequence[Constraint] | None, params: PyTree) -> PyTree:
    """Project parameters onto a constraint.

    Boxes and signs hold exactly; norms hold up to the rounding of one multiplication.

    Args:
      constraint: one constraint, a sequence of them, or None.
      params: any pytree of arrays.

    Returns:
      `params` with the selected leaves replaced, dtypes kept.

    Raises:
      ValueError: no leaf is selected, or the constraints on one leaf have no joint projection.

    Example:
      >>> apply_constraints(max_norm(1.0), {"kernel": jnp.array([[3.0, 0.1], [4.0, 0.1]])})["kernel"].round(3)
      Array([[0.6, 0.1],
             [0.8, 0.1]], dtype=float32)
    """
    if constraint is None:
        return params
    if isinstance(constraint, Constraint):
        return constraint.project(params)
    if not isinstance(constraint, list | tuple) or not all(isinstance(item, Constraint) for item in constraint):
        raise ValueError(f"apply_constraints: expected constraints, as rj.max_norm(2.0), got {constraint!r}")
    return _All(tuple(single for item in constraint for single in item.flat())).project(params)


def check_projected(penalty: Penalty, constraint: Constraint | None) -> None:
    """Refuse a penalty and a constraint for which proximal map and projection together are not the map of the sum.

    Clipping the result of a group or matrix penalty to an interval gives another point: with the group lasso the
    solution would depend on the learning rate. If either has a `where`, they may act on different leaves.

    Raises:
      ValueError: names the penalty and the constraint.

    Example:
      >>> from regjax.penalties import group_lasso, l1
      >>> check_projected(l1(0.1), non_negative())
      >>> check_projected(group_lasso(0.1), non_negative())
      Traceback (most recent call last):
      ...
      ValueError: group_lasso in mode 'proximal' beside non_negative() does not rest at the solution; ...
    """
    singles = () if constraint is None else constraint.flat()
    for term in penalty.flat():
        for single in singles:
            clips = isinstance(single, _Box | _NonNegative)
            if clips and not term.is_separable and term.where is None and single.where is None:
                raise ValueError(
                    f"{term.kind} in mode 'proximal' beside {single.kind}() does not rest at the solution; use mode "
                    "'loss', or an elementwise penalty as l1"
                )


@dataclasses.dataclass(frozen=True)
class _Single(Constraint):
    """A single constraint, on the leaves that `where` selects."""

    where: Where = dataclasses.field(default=None, metadata={"static": True}, kw_only=True)

    kind: ClassVar[str]

    def flat(self) -> tuple[_Single, ...]:
        """The constraint itself."""
        return (self,)

    def project(self, params: PyTree) -> PyTree:
        names = leaf_names(params)
        index = jax.tree.unflatten(jax.tree.structure(params), range(len(names)))

        def leaf(w: ArrayLike, i: int) -> Array:
            w = jnp.asarray(w)
            return self.project_leaf(w, names[i]).astype(w.dtype)

        return map_selected(leaf, leaf_mask(params, self.where), params, index)

    def project_leaf(self, w: Array, name: str) -> Array:
        """The projection of one array."""
        raise NotImplementedError

    def describe(self, shape: tuple[int, ...], name: str) -> str:
        """Short text such as `max_norm(2, 5 units on axis 1)`."""
        del shape, name
        return self.kind

    def doubt(self, shape: tuple[int, ...], name: str) -> str:
        """As `Term.doubt`."""
        del shape, name
        return ""


class _PerUnit(_Single):
    """A constraint on the norm of each unit."""

    axis: Axis
    layout: Layout

    def describe(self, shape: tuple[int, ...], name: str) -> str:
        limit = [as_text(self.limit)] if hasattr(self, "limit") else []
        return f"{self.kind}({', '.join([*limit, units_text(self.kind, self.axis, self.layout, shape, name)])})"

    def doubt(self, shape: tuple[int, ...], name: str) -> str:
        return doubt(self.axis, self.layout, shape, name)


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class _MaxNorm(_PerUnit):
    limit: Numeric
    axis: Axis = dataclasses.field(default="out", metadata={"static": True})
    layout: Layout = dataclasses.field(default=DEFAULT_LAYOUT, metadata={"static": True})
    kind = "max_norm"

    def project_leaf(self, w: Array, name: str) -> Array:
        norm = _norms(self.kind, w, self.axis, self.layout, name)
        scale = self.limit / jnp.where(norm > 0, norm, 1.0)
        return jnp.where(norm > self.limit, w * scale, w)


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class _UnitNorm(_PerUnit):
    axis: Axis = dataclasses.field(default="out", metadata={"static": True})
    layout: Layout = dataclasses.field(default=DEFAULT_LAYOUT, metadata={"static": True})
    kind = "unit_norm"

    def project_leaf(self, w: Array, name: str) -> Array:
        norm = _norms(self.kind, w, self.axis, self.layout, name)
        # All points of the sphere are equally close to 0; the one with equal entries is taken.
        size = w.size // norm.size
        return jnp.where(norm > 0, w / jnp.where(norm > 0, norm, 1.0), size**-0.5)


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class _Box(_Single):
    low: Numeric
    high: Numeric
    kind = "box"

    def project_leaf(self, w: Array, name: str) -> Array:
        # In the dtype of the weights, so that the stored weights satisfy the bounds exactly.
        check_real(self.kind, name, w)
        return jnp.clip(w, jnp.asarray(self.low, w.dtype), jnp.asarray(self.high, w.dtype))


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class _NonNegative(_Single):
    kind = "non_negative"

    def project_leaf(self, w: Array, name: str) -> Array:
        check_real(self.kind, name, w)
        return jnp.maximum(w, 0)


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class _All(Constraint):
    constraints: tuple[_Single, ...]

    def flat(self) -> tuple[_Single, ...]:
        return self.constraints

    def project(self, params: PyTree) -> PyTree:
        masks = [leaf_mask(params, single.where) for single in self.constraints]
        for i, name in enumerate(leaf_names(params)):
            kinds = [single.kind for single, mask in zip(self.constraints, masks, strict=True) if mask[i]]
            if len(kinds) > 1 and sorted(kinds) not in (["max_norm", "non_negative"], ["non_negative", "unit_norm"]):
                raise ValueError(
                    f"constraints {' and '.join(kinds)} on {name} have no projection in closed form; "
                    "only non_negative goes together with max_norm or unit_norm"
                )
        # Projecting onto the cone and then onto the ball is the projection onto both.
        for single in sorted(self.constraints, key=lambda single: single.kind != "non_negative"):
            params = single.project(params)
        return params


def max_norm(
    limit: ArrayLike,
    axis: Axis = "out",
    where: Where | PyTree = None,
    *,
    layout: str | Mapping[str, str] = DEFAULT_LAYOUT,
) -> Constraint:
    """Maximal Euclidean norm of each unit: `||w_u||_2 <= limit`; longer units are scaled down.

    Args:
      limit: > 0; a number or a traced array.
      axis: what indexes the units: `"out"`, output units, `"in"`, inputs, or an axis or axes; `()` is the whole leaf.
      where: which leaves; None means weights (rank >= 2, not bias or scale). See `regjax.core.tree.leaf_mask`.
      layout: **which axes are inputs and outputs**, as in `rj.group_lasso`: `"...io"` is Flax and Keras, `"oi..."` is
        Equinox and torch.

    Raises:
      ValueError: a concrete limit that is not > 0; when used, an axis that a leaf does not have.

    Example:
      >>> max_norm(1.0).project({"kernel": jnp.array([[3.0], [4.0]])})["kernel"].round(3)
      Array([[0.6],
             [0.8]], dtype=float32)

    Reference:
      Srivastava et al., Dropout, 2014 (c = 2 to 4 together with dropout).
    """
    check_range("max_norm: limit", limit, 0.0, low_open=True)
    letters = check_layout("max_norm", layout)
    axis = check_axis("max_norm", axis, letters)
    return _MaxNorm(canonical(limit), axis=axis, layout=letters, where=freeze_where(where))


def unit_norm(
    axis: Axis = "out", where: Where | PyTree = None, *, layout: str | Mapping[str, str] = DEFAULT_LAYOUT
) -> Constraint:
    """Unit Euclidean norm of each unit: `||w_u||_2 = 1`.

    Args:
      axis: as in `max_norm`.
      where: which leaves; None means weights (rank >= 2, not bias or scale). See `regjax.core.tree.leaf_mask`.
      layout: as in `max_norm`.

    Raises:
      ValueError: when used, an axis that a leaf does not have.

    Example:
      >>> unit_norm().project({"kernel": jnp.array([[3.0], [4.0]])})["kernel"].round(3)
      Array([[0.6],
             [0.8]], dtype=float32)
    """
    letters = check_layout("unit_norm", layout)
    return _UnitNorm(axis=check_axis("unit_norm", axis, letters), layout=letters, where=freeze_where(where))


def non_negative(where: Where | PyTree = None) -> Constraint:
    """Non-negative weights: `w >= 0`.

    Args:
      where: which leaves; None means weights (rank >= 2, not bias or scale). See `regjax.core.tree.leaf_mask`.

    Example:
      >>> non_negative().project({"kernel": jnp.array([[3.0, -4.0]])})["kernel"]
      Array([[3., 0.]], dtype=float32)
    """
    return _NonNegative(where=freeze_where(where))


def box(low: ArrayLike, high: ArrayLike, where: Where | PyTree = None) -> Constraint:
    """Weights between two bounds: `low <= w <= high`.

    Args:
      low: lower bound, <= `high`; a number or a traced array.
      high: upper bound.
      where: which leaves; None means weights (rank >= 2, not bias or scale). See `regjax.core.tree.leaf_mask`.

    Raises:
      ValueError: concrete bounds that are NaN or in the wrong order.

    Example:
      >>> box(-1.0, 2.0).project({"kernel": jnp.array([[3.0, -4.0]])})["kernel"]
      Array([[ 2., -1.]], dtype=float32)
    """
    check_range("box: low", low)
    check_range("box: high", high)
    if not is_traced(low) and not is_traced(high) and np.any(np.asarray(low) > np.asarray(high)):
        raise ValueError(f"box: low must be <= high, got {low} and {high}")
    return _Box(canonical(low), canonical(high), where=freeze_where(where))


# By the names that flags and configurations use.
CONSTRAINTS: dict[str, Callable[..., Constraint]] = {
    "box": box,
    "max_norm": max_norm,
    "non_negative": non_negative,
    "unit_norm": unit_norm,
}


def parse_constraint(text: str) -> Constraint:
    """Parse a constraint from the text of a flag; nothing is evaluated. `regjax.core.parse` has the grammar.

    Args:
      text: as `"max_norm(2) + non_negative()"`.

    Raises:
      InputError: one line that says what cannot be read or does not fit.

    Example:
      >>> parse_constraint("box(-1, 2)").project({"kernel": jnp.array([[3.0, -4.0]])})["kernel"]
      Array([[ 2., -1.]], dtype=float32)
    """
    first, *others = parse_sum(text, CONSTRAINTS, "constraint")
    return sum(others, start=first)


def _norms(kind: str, w: Array, axis: Axis, layout: Layout, name: str) -> Array:
    return jnp.sqrt(jnp.sum(squares(widened(w)), within(kind, axis, layout, w.shape, name), keepdims=True))
