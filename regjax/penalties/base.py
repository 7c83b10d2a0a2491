"""The contract of penalties: a sum of terms, each with a value, a proximal map and the leaves on which it acts."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import ClassVar, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from regjax.catalog import PENALTY_MODES
from regjax.core.checks import check_range
from regjax.core.dtypes import canonical, wide_dtype, widened
from regjax.core.tree import Where, check_same_leaves, freeze_where, leaf_mask, leaf_names, map_selected
from regjax.core.typing import Array, ArrayLike, Numeric, PyTree, Value
from regjax.penalties.numbers import as_text
from regjax.penalties.plan import Plan, PlanRow, doubts
from regjax.penalties.prox_parts import ProxParts, prox_of_sum

Schedule = Callable[[Numeric], Numeric]  # of the number of updates so far
Strength = ArrayLike | PyTree | Schedule
TermT = TypeVar("TermT", bound="Term")


class Penalty:
    """A sum of terms, each a function of some of the parameters. Build one with `l1`, `l2`, ... and `+`.

    A penalty is a pytree whose leaves are strengths; kinds and masks are static. So it passes through `jit`, `vmap`
    and `jax.tree.map`, and a sweep over strengths is an ordinary stacked pytree.
    """

    def flat(self) -> tuple[Term, ...]:
        """The terms of the sum, in order."""
        raise NotImplementedError

    def value(self, params: PyTree, step: ArrayLike = 0) -> Array:
        """The value of the penalty, the sum of `terms`: a scalar in float32, or float64 for float64 parameters.

        Args:
          params: any pytree of arrays.
          step: number of updates so far; only scheduled strengths read it.
        """
        return sum(self.terms(params, step).values(), start=jnp.float32(0.0))

    def terms(self, params: PyTree, step: ArrayLike = 0) -> dict[str, Array]:
        """The value of each term by name (`"l1"`, `"l2"`; a second one of a kind is `"l1_2"`)."""
        names = _term_names([term.kind for term in self.flat()])
        return {name: term.term_value(params, step) for name, term in zip(names, self.flat(), strict=True)}

    def prox(self, params: PyTree, stepsize: ArrayLike | PyTree, step: ArrayLike = 0) -> PyTree:
        """The exact proximal map: `argmin_z sum_i (z_i - w_i)^2 / (2 t_i) + penalty(z)`.

        Args:
          params: `w`, any pytree of arrays.
          stepsize: `t` >= 0: a scalar, or a pytree like `params` for steps that differ between weights. The map is
            the identity where it is 0.
          step: number of updates so far; only scheduled strengths read it.

        Returns:
          `params` with the selected leaves replaced, dtypes kept.

        Raises:
          ValueError: a concrete `stepsize` < 0; a term without a proximal map; several terms on one leaf whose sum has
            no closed form (quadratic terms go with any other; `l1` goes with `l1`, `elastic_net` and one group term);
            steps that differ between entries for a term that needs one step for a leaf (`nuclear`, `spectral`).
        """
        for leaf in jax.tree.leaves(stepsize):
            check_range("prox: stepsize", leaf, 0.0, np.inf, high_open=True)
        is_leaf = [jax.tree_util.treedef_is_leaf(jax.tree.structure(tree)) for tree in (stepsize, params)]
        if is_leaf[0] and not (is_leaf[1] and np.shape(stepsize) == np.shape(params)):
            if np.ndim(stepsize):
                raise ValueError(
                    f"prox: stepsize must be one number or a tree like params, got shape {np.shape(stepsize)}"
                )
            stepsize = jax.tree.map(lambda _: stepsize, params)
        else:
            check_same_leaves("prox: stepsize", stepsize, params)
        acting = self._acting_terms(params)
        names, index = leaf_names(params), jax.tree.unflatten(jax.tree.structure(params), range(len(acting)))
        mask = [bool(terms) for terms in acting]
        return map_selected(lambda w, t, i: prox_of_sum(acting[i], w, t, step, names[i]), mask, params, stepsize, index)

    def strength_max(self, grads: PyTree) -> Array:
        """The smallest strength at which all selected weights are zero, from the gradient of the data loss at zero.

        For a term that is not convex (`mcp`, `scad`, `log_sum`) zero is then a local minimum. For a tree or an array of
        strengths it is the factor that multiplies them (`scaled`); weights of strength 0 are not penalized and do not
        count.

        Args:
          grads: gradient of the data loss where the selected weights are zero (and, for the exact threshold, the
            other parameters optimal), shaped like the parameters.

        Returns:
          A scalar in float32, or float64 for float64 gradients.

        Raises:
          ValueError: a sum of several terms, or a term that never makes all weights zero (`l2`, `l0`, ...).

        Example:
          >>> from regjax.penalties import l1
          >>> float(l1(1.0).strength_max({"kernel": jnp.array([[0.5, -2.0]])}))
          2.0
        """
        terms = self.flat()
        if len(terms) != 1:
            raise ValueError(f"strength_max: defined for one term, this is a sum of {len(terms)}")
        term = terms[0]
        leaves = zip(jax.tree.leaves(grads), term.leaf_mask(grads), leaf_names(grads), strict=True)
        each = [_leaf_factor(term, widened(g), name) for g, use, name in leaves if use]
        return jnp.max(jnp.stack(each)).astype(wide_dtype(*jax.tree.leaves(grads)))

    def scaled(self, factor: ArrayLike) -> Penalty:
        """The same penalty with every strength multiplied by `factor` >= 0, which may be traced."""
        check_range("scaled: factor", factor, 0.0, np.inf, high_open=True)
        if np.ndim(factor):
            raise ValueError(f"scaled: factor must be one number, got shape {np.shape(factor)}")
        terms = [
            dataclasses.replace(term, strength=jax.tree.map(lambda s: canonical(factor * s), term.strength))
            for term in self.flat()
        ]
        return combine(terms)

    def anchored(self, start: PyTree) -> Penalty:
        """The same penalty, with these parameters as the starting point of `l2_to("start", ...)`."""
        return combine([term.with_start(start) for term in self.flat()])

    @property
    def needs_start(self) -> bool:
        """Whether a term refers to the initial parameters of a run."""
        return any(term.refers_to_start for term in self.flat())

    @property
    def smooth(self) -> bool:
        """Whether the gradient is defined everywhere."""
        return all(term.is_smooth for term in self.flat())

    @property
    def modes(self) -> tuple[str, ...]:
        """The modes in which every term can enter training, of `regjax.penalties.PENALTY_MODES`."""
        return tuple(mode for mode in PENALTY_MODES if all(mode in term.term_modes for term in self.flat()))

    def plan(self, params: PyTree) -> Plan:
        """Which terms act on which leaf; `print(penalty.plan(params))` shows a table."""
        rows = []
        acting = self._acting_terms(params)
        for name, leaf, terms in zip(leaf_names(params), jax.tree.leaves(params), acting, strict=True):
            shape = tuple(np.shape(leaf))
            described = tuple(term.describe(name, shape) for term in terms)
            rows.append(PlanRow(name, shape, int(np.size(leaf)), described, doubts(terms, params, name, shape)))
        return Plan(tuple(rows))

    def describe(self, name: str, shape: tuple[int, ...] | None = None) -> str:
        """Short text such as `l1(0.1) + l2(0.01)`, for the leaf `name`; with its units if `shape` is given."""
        return " + ".join(term.describe(name, shape) for term in self.flat())

    def __mul__(self, factor: ArrayLike) -> Penalty:
        """`penalty * 2` and `2 * penalty`, the same as `scaled`.

        Example:
          >>> from regjax.penalties import l1
          >>> float((2 * l1(0.5)).value({"kernel": jnp.array([[1.0, -3.0]])}))
          4.0
        """
        is_number = isinstance(factor, int | float | np.number | np.ndarray | jax.Array)
        return self.scaled(factor) if is_number else NotImplemented

    __rmul__ = __mul__
    __array_ufunc__ = None  # NumPy's numbers leave `2 * penalty` to the penalty

    def __add__(self, other: Penalty) -> Penalty:
        """The sum of two penalties; same as `combine(self, other)`."""
        return combine(self, other) if isinstance(other, Penalty) else NotImplemented

    def __radd__(self, other: object) -> Penalty:
        # sum([p, q]) starts from the integer 0.
        return self if isinstance(other, int) and other == 0 else NotImplemented

    def _acting_terms(self, params: PyTree) -> list[list[Term]]:
        """For each leaf of `params`, the terms that act on it."""
        masks = [term.leaf_mask(params) for term in self.flat()]
        count = len(jax.tree.leaves(params))
        return [[t for t, mask in zip(self.flat(), masks, strict=True) if mask[i]] for i in range(count)]


@dataclasses.dataclass(frozen=True)
class Term(Penalty):
    """One kind of penalty with a strength, which acts on the leaves that `where` selects."""

    strength: PyTree
    where: Where = dataclasses.field(default=None, metadata={"static": True}, kw_only=True)
    schedule: Callable[[Numeric], Numeric] | None = dataclasses.field(
        default=None, metadata={"static": True}, kw_only=True
    )

    kind: ClassVar[str]
    is_smooth: ClassVar[bool]
    is_separable: ClassVar[bool] = True  # a sum over entries
    term_modes: ClassVar[tuple[str, ...]] = PENALTY_MODES
    # For a term that is a sum: the kinds that it consists of, none of which may act on a leaf in another mode as well.
    components: ClassVar[tuple[str, ...]] = ()
    # Whether the proximal map allows a step that differs between entries, as in adaptive optimizers.
    elementwise: ClassVar[bool] = True

    def flat(self) -> tuple[Term, ...]:
        """The term itself."""
        return (self,)

    def leaf_mask(self, params: PyTree) -> list[bool]:
        """A mask over the leaves of `params`: on which of them the term acts.

        A tree of strengths selects the leaves that it names; `where` then narrows the selection.
        """
        if not self.has_tree:
            return leaf_mask(params, self.where)
        strength_names = frozenset(leaf_names(self.strength))
        unknown = sorted(strength_names - set(leaf_names(params)))
        if unknown:
            raise ValueError(
                f"{self.kind}: strengths for {', '.join(unknown)}, but the leaves are {', '.join(leaf_names(params))}"
            )
        mask = leaf_mask(params, strength_names)
        return (
            mask if self.where is None else [a and b for a, b in zip(mask, leaf_mask(params, self.where), strict=True)]
        )

    @property
    def static_where(self) -> Where:
        """The `where` of the term, with a tree of strengths replaced by the names of its leaves."""
        return frozenset(leaf_names(self.strength)) if self.has_tree and self.where is None else self.where

    @property
    def has_tree(self) -> bool:
        """Whether the strength is a tree, with one strength for each leaf."""
        return not jax.tree_util.treedef_is_leaf(jax.tree.structure(self.strength))

    def strength_at(self, step: ArrayLike, name: str) -> Numeric:
        """The strength on the leaf `name` at update `step`: `strength * schedule(step)`."""
        strength = self.strength
        if self.has_tree:
            strength = dict(zip(leaf_names(strength), jax.tree.leaves(strength), strict=True))[name]
        if self.schedule is None:
            return strength
        factor = self.schedule(step)
        check_range(f"{self.kind}: scheduled strength", factor, 0.0, np.inf, high_open=True)
        return strength * factor

    def term_value(self, params: PyTree, step: ArrayLike) -> Array:
        """The value of this term, a scalar."""
        leaves = zip(jax.tree.leaves(params), self.leaf_mask(params), leaf_names(params), strict=True)
        values = [
            self.leaf_value(widened(w), self.strength_at(step, name), name).astype(wide_dtype(w))
            for w, use, name in leaves
            if use
        ]
        return sum(values, start=jnp.float32(0.0))

    def leaf_value(self, w: Array, strength: Numeric, name: str) -> Array:
        """The value for one array in float32 or float64; terms that hold a tree look up `name` in it."""
        raise NotImplementedError

    def prox_parts(self, strength: Numeric, name: str) -> ProxParts:
        """The parts of the proximal map of the term on one array.

        Raises:
          ValueError: the term has no proximal map; the message says why.
        """
        raise NotImplementedError

    def leaf_strength_max(self, grads: Array, name: str) -> Array:
        """As `Penalty.strength_max`, on one array."""
        raise ValueError(f"strength_max: no strength of {self.kind} makes all weights zero")

    @property
    def refers_to_start(self) -> bool:
        """As `Penalty.needs_start`, of this term."""
        return False

    def with_start(self, start: PyTree) -> Term:
        """As `Penalty.anchored`, of this term."""
        del start
        return self

    def describe(self, name: str, shape: tuple[int, ...] | None = None) -> str:
        """Short text such as `l2(0.01)`, with the units of an array of this shape."""
        scheduled = " scheduled" if self.schedule else ""
        strength = self.strength if not self.has_tree else dataclasses.replace(self, schedule=None).strength_at(0, name)
        arguments = [as_text(value) for value in (strength, *self.details())]
        if shape is not None and (units := self.units(shape, name)):
            arguments.append(units)
        return f"{self.kind}({', '.join(arguments)}{scheduled})"

    def details(self) -> tuple[object, ...]:
        """Further numbers that a plan shows."""
        return ()

    def units(self, shape: tuple[int, ...], name: str) -> str:
        """The units of an array as text; empty for terms without units."""
        del shape, name
        return ""

    def doubt(self, shape: tuple[int, ...], name: str) -> str:
        """Why the units of an array may be wrong; empty if they are given explicitly, or certain."""
        del shape, name
        return ""


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Sum(Penalty):
    """A sum of several terms; made by `combine`."""

    summands: tuple[Term, ...]

    def flat(self) -> tuple[Term, ...]:
        """The terms, in order."""
        return self.summands


def combine(*penalties: Penalty | Sequence[Penalty]) -> Penalty:
    """The sum of penalties; `combine(p, q)`, `combine([p, q])`, `p + q` and `sum([p, q])` are the same.

    Raises:
      ValueError: nothing to add, or something that is not a penalty.

    Example:
      >>> from regjax.penalties import l1, l2
      >>> both = combine(l1(1.0), l2(0.5))
      >>> {name: float(v) for name, v in both.terms({"kernel": jnp.array([[2.0]])}).items()}
      {'l1': 2.0, 'l2': 2.0}
    """
    flat: list[Term] = []
    for item in penalties:
        for penalty in item if isinstance(item, list | tuple) else [item]:
            if not isinstance(penalty, Penalty):
                raise ValueError(f"combine: expected penalties, got {penalty!r}")
            flat.extend(penalty.flat())
    if not flat:
        raise ValueError("combine: at least one penalty is needed")
    return flat[0] if len(flat) == 1 else Sum(tuple(flat))


def _leaf_factor(term: Term, grads: Array, name: str) -> Array:
    """The strength (or the factor on the strengths) at and above which one array is zero."""
    if not term.has_tree and np.ndim(term.strength) == 0:
        return term.leaf_strength_max(grads, name)
    weight = jnp.asarray(dataclasses.replace(term, schedule=None).strength_at(0, name))
    safe = jnp.where(weight > 0, weight, 1.0)
    if weight.ndim:
        return term.leaf_strength_max(jnp.where(weight > 0, grads / safe, 0.0), name)
    return jnp.where(weight > 0, term.leaf_strength_max(grads, name) / safe, 0.0)


def new_term(cls: type[TermT], strength: Strength, where: Where | PyTree, *numbers: PyTree, **static: Value) -> TermT:
    """Make a term with a checked strength in one dtype; a schedule becomes a term of strength 1 with a schedule.

    Raises:
      ValueError: a concrete strength that is negative, NaN or infinite, or an invalid `where`.
    """
    kind = cls.kind
    schedule = None
    # A tree of parameters may be callable too: an Equinox module is.
    if callable(strength) and jax.tree_util.all_leaves([strength]):
        schedule, strength = strength, 1.0
    if not jax.tree.leaves(strength):
        raise ValueError(f"{kind}: strength must be a number, a schedule or a tree of numbers, got {strength!r}")
    for leaf in jax.tree.leaves(strength):
        check_range(f"{kind}: strength", leaf, 0.0, np.inf, high_open=True)
    strength = jax.tree.map(canonical, strength)
    return cls(strength, *numbers, where=freeze_where(where), schedule=schedule, **static)


def _term_names(kinds: Sequence[str]) -> list[str]:
    return [
        kind if kinds[:i].count(kind) == 0 else f"{kind}_{kinds[:i].count(kind) + 1}" for i, kind in enumerate(kinds)
    ]


def check_penalty_mode(penalty: Penalty, mode: str) -> None:
    """Refuse a penalty in a mode that it does not support: without a gradient it would silently do nothing.

    Raises:
      ValueError: names the term and the modes that it supports.
    """
    for term in penalty.flat():
        if mode not in term.term_modes:
            raise ValueError(
                f"{term.kind} does not support the mode {mode!r}; accepted penalty_mode: {', '.join(term.term_modes)}"
            )
