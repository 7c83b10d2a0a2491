"""Penalties on parameters: pytrees whose strengths are data, so one compiled program serves every strength.

A penalty knows its value and its proximal map. How it enters training (in the loss, coupled, decoupled,
proximal, ...) is the choice of the caller: `regjax.build_loss` and `regjax.regularize`.

Gradients of `value` come from `jax.grad`. At `w = 0` the subgradient 0 is used for `|w|`, so a gradient method keeps
small weights oscillating around zero; only the proximal route gives exact zeros.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from regjax import prox as _prox
from regjax.checks import check_range, is_traced
from regjax.tree import Where, freeze_where, leaf_names, map_selected, select
from regjax.typing import Array, ArrayLike, PyTree

Strength = ArrayLike | Callable[[Any], Any]


class Penalty:
    """A sum of terms, each a function of some of the parameters. Build one with `l1`, `l2`, ... and `+`.

    A pytree: strengths are leaves, kinds and masks are static, so it passes through `jit`, `vmap` and
    `jax.tree.map` and a sweep over strengths is an ordinary stacked pytree.
    """

    def flat(self) -> tuple[Term, ...]:
        """The terms of the sum, in order."""
        raise NotImplementedError

    def value(self, params: PyTree, step: ArrayLike = 0) -> Array:
        """The penalty of `params`: the sum of `terms`, a float32 scalar.

        Args:
          params: any pytree of arrays.
          step: counts updates; only scheduled strengths read it.
        """
        return sum(self.terms(params, step).values(), start=jnp.float32(0.0))

    def terms(self, params: PyTree, step: ArrayLike = 0) -> dict[str, Array]:
        """The value of each term by name (`"l1"`, `"l2"`; a second one of a kind is `"l1_2"`)."""
        names = _term_names([term.kind for term in self.flat()])
        return {name: term.term_value(params, step) for name, term in zip(names, self.flat(), strict=True)}

    def prox(self, params: PyTree, stepsize: ArrayLike | PyTree, step: ArrayLike = 0) -> PyTree:
        """Proximal map: `argmin_z sum_i (z_i - w_i)^2 / (2 t_i) + penalty(z)`, exact.

        Args:
          params: `w`, any pytree of arrays.
          stepsize: `t` > 0: a scalar, or a pytree like `params` for a step that differs between weights.
          step: counts updates; only scheduled strengths read it.

        Returns:
          `params` with the selected leaves replaced, dtypes kept.

        Raises:
          ValueError: a concrete `stepsize` <= 0, or several terms on one leaf whose sum has no closed form.
        """
        if jax.tree_util.treedef_is_leaf(jax.tree.structure(stepsize)):
            check_range("prox: stepsize", stepsize, 0.0, low_open=True)
            stepsize = jax.tree.map(lambda _: stepsize, params)
        acting = self._acting_terms(params)
        index = jax.tree.unflatten(jax.tree.structure(params), range(len(acting)))
        touched = [bool(terms) for terms in acting]
        return map_selected(lambda w, t, i: _prox_leaf(acting[i], w, t, step), touched, params, stepsize, index)

    @property
    def smooth(self) -> bool:
        """Whether the gradient is defined everywhere."""
        return all(term.is_smooth for term in self.flat())

    def plan(self, params: PyTree) -> Plan:
        """Which leaf gets which terms, with counts; `print(penalty.plan(params))` shows a table."""
        rows = []
        acting = self._acting_terms(params)
        for name, leaf, terms in zip(leaf_names(params), jax.tree.leaves(params), acting, strict=True):
            described = tuple(term.describe() for term in terms)
            rows.append(PlanRow(name, tuple(np.shape(leaf)), int(np.size(leaf)), described))
        return Plan(tuple(rows))

    def __add__(self, other: Penalty) -> Penalty:
        """The sum of two penalties; same as `combine(self, other)`."""
        return combine(self, other) if isinstance(other, Penalty) else NotImplemented

    def __radd__(self, other: Any) -> Penalty:
        # sum([p, q]) starts from the integer 0.
        return self if isinstance(other, int) and other == 0 else NotImplemented

    def _acting_terms(self, params: PyTree) -> list[list[Term]]:
        """For each leaf of `params`, the terms that act on it."""
        chosen = [select(params, term.where) for term in self.flat()]
        count = len(jax.tree.leaves(params))
        return [[t for t, mask in zip(self.flat(), chosen, strict=True) if mask[i]] for i in range(count)]


@dataclasses.dataclass(frozen=True)
class Term(Penalty):
    """One kind of penalty with a strength, on the leaves that `where` selects."""

    strength: Any
    where: Where = dataclasses.field(default=None, metadata={"static": True}, kw_only=True)
    schedule: Callable[[Any], Any] | None = dataclasses.field(default=None, metadata={"static": True}, kw_only=True)

    kind: ClassVar[str]
    is_smooth: ClassVar[bool]

    def flat(self) -> tuple[Term, ...]:
        """The term itself."""
        return (self,)

    def strength_at(self, step: ArrayLike) -> Array:
        """The strength at update `step`: `strength * schedule(step)`."""
        return self.strength if self.schedule is None else self.strength * self.schedule(step)

    def term_value(self, params: PyTree, step: ArrayLike) -> Array:
        """The value of this term, a float32 scalar."""
        chosen = select(params, self.where)
        leaves = [w for w, use in zip(jax.tree.leaves(params), chosen, strict=True) if use]
        strength = self.strength_at(step)
        return sum((self.leaf_value(jnp.asarray(w), strength) for w in leaves), start=jnp.float32(0.0))

    def leaf_value(self, w: Array, strength: ArrayLike) -> Array:
        """The value on one array."""
        raise NotImplementedError

    def leaf_prox(self, w: Array, stepsize: ArrayLike, strength: ArrayLike) -> Array:
        """The proximal map on one array."""
        a, b = self.elastic_weights(strength)  # type: ignore[misc]
        return _prox.elastic(w, stepsize * a, stepsize * b)

    def elastic_weights(self, strength: ArrayLike) -> tuple[Any, Any] | None:
        """`(a, b)` where the term is `sum a |w| + b w^2`, None for other kinds. Such terms add in closed form."""
        return None

    def describe(self) -> str:
        """Short text such as `l2(0.01)`."""
        strength = "traced" if is_traced(self.strength) else f"{_plain(self.strength)}"
        return f"{self.kind}({strength}{' scheduled' if self.schedule else ''})"


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class _L1(Term):
    kind = "l1"
    is_smooth = False

    def leaf_value(self, w: Array, strength: ArrayLike) -> Array:
        return jnp.asarray(strength * jnp.sum(jnp.abs(w), dtype=jnp.float32))

    def leaf_prox(self, w: Array, stepsize: ArrayLike, strength: ArrayLike) -> Array:
        return _prox.soft_threshold(w, stepsize * strength)

    def elastic_weights(self, strength: ArrayLike) -> tuple[Any, Any]:
        return strength, 0.0


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class _L2(Term):
    kind = "l2"
    is_smooth = True

    def leaf_value(self, w: Array, strength: ArrayLike) -> Array:
        return jnp.asarray(strength * _sum_of_squares(w))

    def elastic_weights(self, strength: ArrayLike) -> tuple[Any, Any]:
        return 0.0, strength


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class _ElasticNet(Term):
    l1_ratio: Any = 0.5
    kind = "elastic_net"
    is_smooth = False

    def leaf_value(self, w: Array, strength: ArrayLike) -> Array:
        absolute = jnp.sum(jnp.abs(w), dtype=jnp.float32)
        return strength * (self.l1_ratio * absolute + (1 - self.l1_ratio) * _sum_of_squares(w))

    def elastic_weights(self, strength: ArrayLike) -> tuple[Any, Any]:
        return strength * self.l1_ratio, strength * (1 - self.l1_ratio)


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class _Sum(Penalty):
    parts: tuple[Term, ...]

    def flat(self) -> tuple[Term, ...]:
        return self.parts


def l1(strength: Strength, where: Where | PyTree = None) -> Penalty:
    """L1 (lasso): `strength * sum_i |w_i|`.

    Args:
      strength: >= 0; a number, a traced array, or a schedule `step -> number`.
      where: which leaves; None means weights (rank >= 2, not bias or scale). See `regjax.tree.select`.

    Returns:
      A `Penalty`. Its proximal map is soft-thresholding, which gives exact zeros; its gradient does not.

    Raises:
      ValueError: a concrete strength that is negative or NaN.

    Example:
      >>> float(l1(0.5).value({"kernel": jnp.array([[1.0, -3.0]])}))
      2.0

    Reference:
      Tibshirani, Regression shrinkage and selection via the lasso, 1996.
    """
    return _L1(*_strength("l1", strength), **_static(where, strength))


def l2(strength: Strength, where: Where | PyTree = None) -> Penalty:
    """L2 (ridge): `strength * sum_i w_i^2`, with gradient `2 * strength * w`.

    The weight decay `wd` of torch and optax, which adds `wd * w` to the gradient, is `l2(wd / 2)`.

    Args:
      strength: >= 0; a number, a traced array, or a schedule `step -> number`.
      where: which leaves; None means weights (rank >= 2, not bias or scale). See `regjax.tree.select`.

    Returns:
      A `Penalty`. Weights become small but not zero.

    Raises:
      ValueError: a concrete strength that is negative or NaN.

    Example:
      >>> float(l2(0.5).value({"kernel": jnp.array([[1.0, -3.0]])}))
      5.0

    Reference:
      Hoerl and Kennard, Ridge regression, 1970.
    """
    return _L2(*_strength("l2", strength), **_static(where, strength))


def elastic_net(strength: Strength, l1_ratio: ArrayLike = 0.5, where: Where | PyTree = None) -> Penalty:
    """Elastic net: `strength * (l1_ratio * sum_i |w_i| + (1 - l1_ratio) * sum_i w_i^2)`.

    Args:
      strength: >= 0; a number, a traced array, or a schedule `step -> number`.
      l1_ratio: in [0, 1]: 1 is `l1(strength)`, 0 is `l2(strength)`. scikit-learn and glmnet put a factor of one
        half before the square, this package does not.
      where: which leaves; None means weights (rank >= 2, not bias or scale). See `regjax.tree.select`.

    Returns:
      A `Penalty`.

    Raises:
      ValueError: a concrete strength that is negative or NaN, or a ratio outside [0, 1].

    Example:
      >>> float(elastic_net(1.0, l1_ratio=0.5).value({"kernel": jnp.array([[1.0, -3.0]])}))
      7.0

    Reference:
      Zou and Hastie, Regularization and variable selection via the elastic net, 2005.
    """
    check_range("elastic_net: l1_ratio", l1_ratio, 0.0, 1.0)
    (value,) = _strength("elastic_net", strength)
    return _ElasticNet(value, _canonical(l1_ratio), **_static(where, strength))


def combine(*penalties: Penalty | Sequence[Penalty]) -> Penalty:
    """The sum of penalties; `combine(p, q)`, `combine([p, q])`, `p + q` and `sum([p, q])` are the same.

    Raises:
      ValueError: nothing to add, or something that is not a penalty.

    Example:
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
    return flat[0] if len(flat) == 1 else _Sum(tuple(flat))


class PlanRow(NamedTuple):
    """One leaf of a `Plan`: its name, shape, number of entries, and the terms that act on it."""

    leaf: str
    shape: tuple[int, ...]
    size: int
    terms: tuple[str, ...]


class Plan(NamedTuple):
    """Which leaf of the parameters gets which terms."""

    rows: tuple[PlanRow, ...]

    def __str__(self) -> str:
        """A table with one line a leaf and a line of totals."""
        head = ("leaf", "shape", "size", "penalty")
        body = [
            (
                row.leaf,
                "x".join(map(str, row.shape)) or "scalar",
                f"{row.size:,}",
                " + ".join(row.terms) or "-",
            )
            for row in self.rows
        ]
        widths = [max(len(line[i]) for line in [head, *body]) for i in range(4)]
        lines = [
            "  ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)).rstrip() for line in [head, *body]
        ]
        touched = [row for row in self.rows if row.terms]
        total = sum(row.size for row in self.rows)
        penalized = sum(row.size for row in touched)
        lines.append(f"{len(touched)} of {len(self.rows)} leaves, {penalized:,} of {total:,} numbers penalized")
        return "\n".join(lines)


def _prox_leaf(terms: Sequence[Term], w: Any, stepsize: Any, step: ArrayLike) -> Array:
    w = jnp.asarray(w)
    if len(terms) == 1:
        return terms[0].leaf_prox(w, stepsize, terms[0].strength_at(step))
    weights = [term.elastic_weights(term.strength_at(step)) for term in terms]
    if any(pair is None for pair in weights):
        kinds = " + ".join(term.kind for term in terms)
        raise ValueError(f"prox: the sum {kinds} on one leaf has no closed form; put the terms on different leaves")
    a = sum(pair[0] for pair in weights)  # type: ignore[index]
    b = sum(pair[1] for pair in weights)  # type: ignore[index]
    return _prox.elastic(w, stepsize * a, stepsize * b)


def _sum_of_squares(w: Array) -> Array:
    squared = jnp.real(w * jnp.conj(w)) if jnp.iscomplexobj(w) else jnp.square(w)
    return jnp.sum(squared, dtype=jnp.float32)


def _term_names(kinds: Sequence[str]) -> list[str]:
    return [
        kind if kinds[:i].count(kind) == 0 else f"{kind}_{kinds[:i].count(kind) + 1}" for i, kind in enumerate(kinds)
    ]


def _strength(kind: str, strength: Strength) -> tuple[Any]:
    if callable(strength):
        return (np.asarray(1.0, np.float32),)
    check_range(f"{kind}: strength", strength, 0.0, np.inf, high_open=True)
    return (_canonical(strength),)


def _static(where: Where | PyTree, strength: Strength) -> dict[str, Any]:
    return {"where": freeze_where(where), "schedule": strength if callable(strength) else None}


def _canonical(value: Any) -> Any:
    # One type for every number: a Python float, a NumPy scalar and a JAX scalar would be three jit-cache entries.
    return value if isinstance(value, jax.Array) else np.asarray(value, np.float32)


def _plain(value: Any) -> str:
    array = np.asarray(value)
    return f"{float(array):g}" if array.ndim == 0 else f"{array.shape} strengths"
