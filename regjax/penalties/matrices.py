"""Penalties on matrices: nuclear norm, largest singular value, distance from orthogonality.

By default a kernel `[..., out]` is the matrix `[all other axes, out]`; a `layout` can change that, and a stack of
kernels is as many matrices (`regjax.penalties.layout`). A singular value decomposition of a 1024 x 1024 matrix takes
seconds on CPU; if only the largest value is needed, `iterations` steps of the power method can replace it.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp

from regjax.catalog import PENALTY_MODES
from regjax.core.checks import check_choice, check_range
from regjax.core.dtypes import wide_dtype, widened
from regjax.core.tree import Where
from regjax.core.typing import Array, DType, Numeric, PyTree
from regjax.penalties import prox as _prox
from regjax.penalties.base import Penalty, Strength, Term, new_term
from regjax.penalties.elementwise import squares
from regjax.penalties.layout import DEFAULT_LAYOUT, Layout, axes_of, check_layout, doubt
from regjax.penalties.numbers import scalar_strength
from regjax.penalties.prox_parts import ProxParts

METHODS = ("soft", "srip")


@dataclasses.dataclass(frozen=True)
class _Matrix(Term):
    """Base of these terms: one strength for a leaf, which is seen as one matrix or several."""

    layout: Layout = dataclasses.field(default=DEFAULT_LAYOUT, metadata={"static": True}, kw_only=True)
    elementwise = False
    is_separable = False

    def leaf_value(self, w: Array, strength: Numeric, name: str) -> Array:
        values = jax.vmap(self.of_matrix)(as_matrices(self.kind, w, name, self.layout))
        return scalar_strength(self.kind, strength, name) * jnp.sum(values)

    def units(self, shape: tuple[int, ...], name: str) -> str:
        stack, rows, columns = jax.eval_shape(lambda: as_matrices(self.kind, jnp.zeros(shape), name, self.layout)).shape
        return f"{rows}x{columns}" if stack == 1 else f"{stack} times {rows}x{columns}"

    def doubt(self, shape: tuple[int, ...], name: str) -> str:
        return doubt("out", self.layout, shape, name)

    def on_matrices(self, function: Callable[[Array, Array], Array], w: Array, threshold: Numeric, name: str) -> Array:
        """Apply a function of a matrix and a threshold to each matrix of a leaf."""
        axes = axes_of(self.kind, self.layout, w.shape, name)
        order = axes.batch + axes.inputs + axes.outputs
        out = jax.vmap(function, in_axes=(0, None))(as_matrices(self.kind, w, name, self.layout), threshold)
        return jnp.transpose(out.reshape([w.shape[a] for a in order]), [order.index(a) for a in range(w.ndim)])

    def of_matrix(self, m: Array) -> Array:
        """The value of one matrix at strength 1."""
        raise NotImplementedError


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class _Nuclear(_Matrix):
    kind = "nuclear"
    is_smooth = False

    def of_matrix(self, m: Array) -> Array:
        return jnp.sum(jnp.linalg.svd(m, compute_uv=False))

    def prox_parts(self, strength: Numeric, name: str) -> ProxParts:
        scalar_strength(self.kind, strength, name)
        return ProxParts(remainder=lambda w, t: self.on_matrices(_prox.shrink_singular_values, w, t * strength, name))

    def leaf_strength_max(self, grads: Array, name: str) -> Array:
        return jnp.max(jax.vmap(largest_singular_value)(as_matrices(self.kind, grads, name, self.layout)))


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class _Spectral(_Matrix):
    iterations: int | None = dataclasses.field(default=None, metadata={"static": True})
    kind = "spectral"
    is_smooth = False

    def of_matrix(self, m: Array) -> Array:
        return jnp.square(largest_singular_value(m, self.iterations))

    def prox_parts(self, strength: Numeric, name: str) -> ProxParts:
        scalar_strength(self.kind, strength, name)
        return ProxParts(remainder=lambda w, t: self.on_matrices(_prox.cap_singular_values, w, t * strength, name))


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class _Orthogonal(_Matrix):
    method: str = dataclasses.field(default="soft", metadata={"static": True})
    iterations: int | None = dataclasses.field(default=None, metadata={"static": True})
    kind = "orthogonal"
    term_modes = tuple(mode for mode in PENALTY_MODES if mode != "proximal")

    @property
    def is_smooth(self) -> bool:  # type: ignore[override]
        return self.method == "soft"

    def of_matrix(self, m: Array) -> Array:
        # Only the smaller Gram matrix can be the identity.
        gram = jnp.conj(m.T) @ m if m.shape[0] >= m.shape[1] else m @ jnp.conj(m.T)
        excess = gram - jnp.eye(gram.shape[0], dtype=gram.dtype)
        if self.method == "soft":
            return jnp.sum(squares(excess))
        return largest_singular_value(excess, self.iterations)

    def prox_parts(self, strength: Numeric, name: str) -> ProxParts:
        raise ValueError("prox: orthogonal has no proximal map in closed form (it is of fourth order in the weights)")

    def details(self) -> tuple[object, ...]:
        return (self.method,)


def nuclear(
    strength: Strength, where: Where | PyTree = None, *, layout: str | Mapping[str, str] = DEFAULT_LAYOUT
) -> Penalty:
    """Nuclear norm: `strength * sum_k sigma_k(W)`; favours low rank.

    Args:
      strength: >= 0; a number, a traced array, a schedule `step -> number`, or a pytree of strengths by leaf.
      where: which leaves; None means weights (rank >= 2, not bias or scale). See `regjax.core.tree.leaf_mask`.
      layout: which axes are inputs, outputs and a stack of kernels, each a matrix; as in `rj.group_lasso`.

    Returns:
      A `Penalty`. Its proximal map soft-thresholds the singular values, which lowers the rank exactly. It needs one
      step for the whole leaf, which adaptive optimizers do not have.

    The proximal map is differentiable where the singular values are distinct and not 0; elsewhere its derivative is
    NaN.

    Raises:
      ValueError: a concrete strength that is negative or NaN; when used, a leaf of rank < 2 or of
        another rank than the layout.

    Example:
      >>> round(float(nuclear(1.0).value({"kernel": jnp.diag(jnp.array([3.0, -4.0]))})), 4)
      7.0

    Reference:
      Fazel, Matrix rank minimization with applications, 2002.
    """
    return new_term(_Nuclear, strength, where, layout=check_layout("nuclear", layout))


def spectral(
    strength: Strength,
    iterations: int | None = None,
    where: Where | PyTree = None,
    *,
    layout: str | Mapping[str, str] = DEFAULT_LAYOUT,
) -> Penalty:
    """Squared largest singular value: `strength * sigma_max(W)^2`; limits how much a layer amplifies perturbations.

    Args:
      strength: >= 0; a number, a traced array, a schedule `step -> number`, or a pytree of strengths by leaf.
      iterations: steps of the power method for value and gradient; None is exact, by singular values.
      where: which leaves; None means weights (rank >= 2, not bias or scale). See `regjax.core.tree.leaf_mask`.
      layout: which axes are inputs, outputs and a stack of kernels, each a matrix; as in `rj.group_lasso`.

    Returns:
      A `Penalty`. Its proximal map caps the singular values at one level. It needs one step for the whole leaf, which
      adaptive optimizers do not have.

    The proximal map is differentiable where the singular values are distinct and not 0; elsewhere its derivative is
    NaN.

    Raises:
      ValueError: a concrete strength that is negative or NaN, `iterations` < 1; when used, a leaf of rank < 2 or of
        another rank than the layout.

    Example:
      >>> round(float(spectral(1.0).value({"kernel": jnp.diag(jnp.array([3.0, -4.0]))})), 4)
      16.0

    Reference:
      Yoshida and Miyato, Spectral norm regularization for improving the generalizability of deep learning, 2017 (with
      a factor of one half).
    """
    _check_iterations("spectral", iterations)
    return new_term(_Spectral, strength, where, iterations=iterations, layout=check_layout("spectral", layout))


def orthogonal(
    strength: Strength,
    method: str = "soft",
    iterations: int | None = None,
    where: Where | PyTree = None,
    *,
    layout: str | Mapping[str, str] = DEFAULT_LAYOUT,
) -> Penalty:
    """Distance from orthonormal columns: `strength * ||W'W - I||_F^2`.

    With method `"srip"` it is `strength * sigma_max(W'W - I)`. For a matrix with more columns than rows it
    is the distance from orthonormal rows, with `W W' - I`.

    Args:
      strength: >= 0; a number, a traced array, a schedule `step -> number`, or a pytree of strengths by leaf.
      method: `"soft"` (squared Frobenius norm) or `"srip"` (spectral restricted isometry property).
      iterations: of the power method for `"srip"`; None is exact.
      where: which leaves; None means weights (rank >= 2, not bias or scale). See `regjax.core.tree.leaf_mask`.
      layout: which axes are inputs, outputs and a stack of kernels, each a matrix; as in `rj.group_lasso`.

    Returns:
      A `Penalty` with a gradient and no proximal map: it is of fourth order in the weights.

    Raises:
      ValueError: a concrete strength that is negative or NaN, an unknown method, `iterations` < 1; when used, a leaf
        of rank < 2.

    Example:
      >>> float(orthogonal(1.0).value({"kernel": 2 * jnp.eye(2)}))
      18.0

    Reference:
      Bansal, Chen and Wang, Can we gain more from orthogonality regularizations in training deep networks?, 2018.
    """
    check_choice("orthogonal: method", method, METHODS)
    _check_iterations("orthogonal", iterations)
    letters = check_layout("orthogonal", layout)
    return new_term(_Orthogonal, strength, where, method=method, iterations=iterations, layout=letters)


def as_matrices(kind: str, w: Array, name: str, layout: Layout = DEFAULT_LAYOUT) -> Array:
    """A kernel as matrices `[stack, inputs, outputs]`, at least float32.

    Raises:
      ValueError: an array of rank < 2, or of another rank than the layout.
    """
    if w.ndim < 2:
        raise ValueError(f"{kind}: {name} must be a matrix or a kernel (rank >= 2), got shape {w.shape}")
    axes = axes_of(kind, layout, w.shape, name)
    w = jnp.transpose(w, axes.batch + axes.inputs + axes.outputs)
    rows = math.prod(w.shape[len(axes.batch) : len(axes.batch) + len(axes.inputs)])
    columns = math.prod(w.shape[w.ndim - len(axes.outputs) :])
    return widened(w.reshape(-1, rows, columns))


def power_start(size: int, dtype: DType) -> Array:
    """The first vector of the power method, `[size]`.

    It contains all frequencies, so that it is hardly ever orthogonal to the leading vector, as a constant one is to
    that of two columns with a negative correlation.
    """
    return jnp.cos(jnp.square(jnp.arange(size, dtype=dtype)) + 0.5)


def largest_singular_value(m: Array, iterations: int | None = None) -> Array:
    """The largest singular value of a matrix, exact, or a lower bound from the power method.

    Args:
      m: `[M, N]`.
      iterations: None is exact.

    Returns:
      A scalar. Its gradient is `u v'`, with the singular vectors, and finite for a matrix of zeros.

    Example:
      >>> [round(float(largest_singular_value(jnp.diag(jnp.array([3.0, 4.0])), n)), 3) for n in (None, 20)]
      [4.0, 4.0]
    """
    if iterations is None:
        return jnp.linalg.svd(m, compute_uv=False)[0]

    def unit(v: Array) -> Array:
        norm = _prox.safe_sqrt(jnp.sum(squares(v)))
        return v / jnp.where(norm > 0, norm, 1.0)

    fixed = jax.lax.stop_gradient(m)
    start = unit(power_start(m.shape[1], wide_dtype(m))).astype(m.dtype)
    v = jax.lax.fori_loop(0, iterations, lambda _, v: unit(jnp.conj(fixed.T) @ (fixed @ v)), start)
    return jnp.real(jnp.conj(unit(fixed @ v)) @ (m @ v))


def _check_iterations(kind: str, iterations: int | None) -> None:
    if iterations is not None:
        check_range(f"{kind}: iterations", iterations, 1)
        if not isinstance(iterations, int):
            raise ValueError(f"{kind}: iterations must be a Python integer, got {iterations!r}")
