"""Types of numbers: sums in float32 at least, and in float64 where `jax_enable_x64` is on and the arrays are.

Arrays keep the type they have. What is computed from them (values, norms, proximal maps before they are rounded) has
`wide_dtype`; numbers that the user gives are kept in `float_dtype`.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from regjax.core.typing import Array, ArrayLike


def float_dtype() -> Any:
    """The type of hyperparameters: float64 under `jax_enable_x64`, else float32.

    Example:
      >>> float_dtype()
      dtype('float32')
    """
    return jnp.result_type(float)


def canonical(value: ArrayLike) -> Any:
    """One type for every number: a Python float, a NumPy scalar and a JAX scalar would be three jit-cache entries.

    Args:
      value: a number or array; one of JAX is returned as it is, anything else stays on the host.

    Example:
      >>> canonical(0.5), canonical(np.float64(0.5))
      (array(0.5, dtype=float32), array(0.5, dtype=float32))
    """
    return value if isinstance(value, jax.Array) else np.asarray(value, float_dtype())


def wide_dtype(*arrays: ArrayLike) -> Any:
    """The real type to compute in: that of the arrays together, float32 at least.

    Example:
      >>> wide_dtype(jnp.ones(2, jnp.bfloat16)), wide_dtype(jnp.ones(2, jnp.complex64))
      (dtype('float32'), dtype('float32'))
    """
    return jnp.finfo(jnp.promote_types(jnp.result_type(*arrays), jnp.float32)).dtype


def widened(array: ArrayLike) -> Array:
    """The array with at least the precision of float32; a complex one stays complex.

    Example:
      >>> widened(jnp.ones(2, jnp.float16)).dtype
      dtype('float32')
    """
    array = jnp.asarray(array)
    return array.astype(jnp.promote_types(array.dtype, jnp.float32))
