"""Standardization of examples and targets, whose numbers are data of compiled programs."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np


class Standardization(NamedTuple):
    """`x -> (x - mean) / scale`, and for regression `y -> (y - y_mean) / y_scale`, on the host or in a program.

    The numbers are data of a compiled program, so that runs on different examples share it.

    Attributes:
      mean: `float32`, in the units of the original examples; broadcasts against one example. None leaves examples as
        they are, such as token ids.
      scale: `float32`, like `mean`, never 0.
      y_mean: `float32[]` or `float32[D]`; None if targets are not standardized.
      y_scale: like `y_mean`, never 0.
      fill: what replaces missing numbers (NaN), like `mean`; None if there are none.

    Example:
      >>> Standardization(np.float32(100.0), np.float32(50.0)).apply(np.array([[0, 200]], np.uint8))
      array([[-2.,  2.]], dtype=float32)
    """

    mean: Any
    scale: Any
    y_mean: Any = None
    y_scale: Any = None
    fill: Any = None

    def apply(self, x: Any) -> Any:
        """Return standardized examples; `x` is a NumPy or JAX array `[N, ...]` and is not changed."""
        if self.mean is None:
            return x
        if not isinstance(x, np.ndarray):
            import jax.numpy as jnp  # the array is one of JAX, so this costs nothing

            x = x.astype(np.float32)
            return ((x if self.fill is None else jnp.where(jnp.isnan(x), self.fill, x)) - self.mean) / self.scale
        out = x.astype(np.float32)
        if self.fill is not None:
            np.copyto(out, self.fill, where=np.isnan(out))
        out -= self.mean
        out /= self.scale
        return out

    def targets(self, y: Any) -> Any:
        """Return standardized targets, or `y` itself if targets are not standardized."""
        if self.y_mean is None:
            return y
        return ((y - self.y_mean) / self.y_scale).astype(np.float32)
