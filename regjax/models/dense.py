"""The product of a dense layer with few outputs, whose gradient the CPU computes in the order that is fast for it."""

from __future__ import annotations

import functools
from typing import TypeAlias

import jax
from jax import lax

from regjax.core.typing import Array, PyTree, Value

Options: TypeAlias = tuple[tuple[str, Value], ...]

FEW_OUTPUTS = 64
"""Layers with more outputs compute their gradient as usual: with 128 and 1,024, the other order was slower."""


def dot_general(lhs: Array, rhs: Array, dimension_numbers: Value, **options: Value) -> Array:
    """`lax.dot_general`, for the argument of that name of `flax.linen.Dense`.

    The gradient of a kernel `[I, O]` is a product of inputs `[B, I]` and of gradients of outputs `[B, O]`. With few
    outputs XLA's product `x^T g` takes several times as long on a CPU as `g^T x`, the same numbers in another order.
    All derivatives exist, in both modes.

    Args:
      lhs: inputs `[..., I]`.
      rhs: the kernel `[I, O]`.
      dimension_numbers: as of `lax.dot_general`; other products than those of a dense layer are left to it.
      **options: as of `lax.dot_general`.

    Example:
      >>> import jax.numpy as jnp
      >>> dot_general(jnp.ones((2, 3)), jnp.ones((3, 1)), (((1,), (0,)), ((), ()))).shape
      (2, 1)
    """
    usual = dimension_numbers == (((lhs.ndim - 1,), (0,)), ((), ())) and rhs.ndim == 2
    if not usual or rhs.shape[1] > FEW_OUTPUTS or rhs.shape[1] > rhs.shape[0]:
        return lax.dot_general(lhs, rhs, dimension_numbers, **options)
    return _product(lhs, rhs, tuple(options.items()))


@functools.partial(jax.custom_jvp, nondiff_argnums=(2,))
def _with_tangent(x: Array, kernel: Array, options: Options) -> Array:
    return lax.dot_general(x, kernel, (((x.ndim - 1,), (0,)), ((), ())), **dict(options))


@_with_tangent.defjvp
def _(options: Options, primals: tuple[Array, Array], tangents: tuple[Array, Array]) -> tuple[Array, Array]:
    (x, kernel), (dx, dkernel) = primals, tangents
    return _product(x, kernel, options), _product(dx, kernel, options) + _transposed(x, dkernel, options)


# Stacked kernels of NumPy are no constants that `custom_jvp` takes; `jit` makes them such.
_product = jax.jit(_with_tangent, static_argnums=2, inline=True)


def _transposed(x: Array, kernel: Array, options: Options) -> Array:
    """`x @ kernel` as `(kernel^T x^T)^T`. Of this only the transpose is computed, `g -> (g^T x)^T`.

    The barriers keep the compiler from taking it for `x^T g`.
    """
    rows = x.reshape(-1, x.shape[-1])
    y = lax.dot_general(kept(kernel.T), rows, (((1,), (1,)), ((), ())), **dict(options))
    return kept(y).T.reshape(*x.shape[:-1], -1)


def kept(arrays: PyTree) -> PyTree:
    """The same arrays, which on a CPU are computed as written: the compiler moves no transposition across them."""
    return lax.platform_dependent(arrays, cpu=lax.optimization_barrier, default=lambda arrays: arrays)
