"""Floating-point types: sums are in float32 at least, and in float64 for float64 arrays under `jax_enable_x64`.

Arrays keep their dtype. What is computed from them (values, norms, proximal maps before rounding) has `wide_dtype`;
numbers given by the user have `float_dtype`.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from regjax.core.typing import Array, ArrayLike, DType, Numeric


def float_dtype() -> DType:
    """The dtype of hyperparameters: float64 under `jax_enable_x64`, else float32.

    Example:
      >>> float_dtype()
      dtype('float32')
    """
    return jnp.result_type(float)


def canonical(value: ArrayLike) -> Numeric:
    """A number in one type, because a Python float, a NumPy scalar and a JAX scalar are three jit-cache entries.

    Args:
      value: a number or array. A JAX array is returned unchanged, anything else stays on the host.

    Example:
      >>> canonical(0.5), canonical(np.float64(0.5))
      (array(0.5, dtype=float32), array(0.5, dtype=float32))
    """
    return value if isinstance(value, jax.Array) else np.asarray(value, float_dtype())


def wide_dtype(*arrays: ArrayLike | DType) -> DType:
    """The real dtype to compute in: the common one of the arrays, float32 at least.

    Example:
      >>> wide_dtype(jnp.ones(2, jnp.bfloat16)), wide_dtype(jnp.ones(2, jnp.complex64))
      (dtype('float32'), dtype('float32'))
    """
    return jnp.finfo(jnp.promote_types(jnp.result_type(*arrays), jnp.float32)).dtype


def widened(array: ArrayLike) -> Array:
    """The array in at least the precision of float32; complex arrays stay complex.

    Example:
      >>> widened(jnp.ones(2, jnp.float16)).dtype
      dtype('float32')
    """
    array = jnp.asarray(array)
    return array.astype(jnp.promote_types(array.dtype, jnp.float32))
