"""Noise as thin Flax Linen modules: the strength is given at call time and may be traced.

`flax.linen.Dropout` reads its rate in Python, so it can be neither swept, scheduled nor mapped; these layers
take it beside the input and call `regjax.noise`, with a key of their own from the module's rng collection.
"""

from __future__ import annotations

import flax.linen as nn

from regjax import noise
from regjax.typing import Array, ArrayLike, PRNGKey


class Dropout(nn.Module):
    """Dropout; see `regjax.noise.dropout` for the formulas.

    Attributes:
      scaling: `"inverted"` (kept units divided by the keep probability in training; inference is the
        identity) or `"classic"` (inference multiplies by the keep probability).
      broadcast_dims: axes along which one decision is shared.
      rng_collection: name of the key in `rngs`.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> rngs = {"dropout": jax.random.key(0)}
      >>> Dropout().apply({}, jnp.ones((2, 3)), 0.5, rngs=rngs).shape
      (2, 3)

    Reference: Dropout: A Simple Way to Prevent Neural Networks from Overfitting (Srivastava et al., 2014).
    """

    scaling: str = "inverted"
    broadcast_dims: tuple[int, ...] = ()
    rng_collection: str = "dropout"

    @nn.compact
    def __call__(self, x: Array, rate: ArrayLike, *, deterministic: bool = False) -> Array:
        """Drops the fraction `rate` of `x`.

        Args:
          x: floating-point array `[...]`.
          rate: scalar in [0, 1], the fraction that is dropped; may be traced.
          deterministic: inference; needs no key.

        Returns:
          Array like `x`.

        Raises:
          ValueError: training without a key in `rngs`, or as `regjax.noise.dropout`.
        """
        return noise.dropout(
            None if deterministic else layer_key(self, self.rng_collection),
            x,
            rate,
            scaling=self.scaling,
            broadcast_dims=self.broadcast_dims,
            deterministic=deterministic,
        )


class GaussianNoise(nn.Module):
    """Additive normal noise in training; see `regjax.noise.gaussian_noise`.

    Attributes:
      rng_collection: name of the key in `rngs`.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> GaussianNoise().apply({}, jnp.ones(2), 0.1, deterministic=True)
      Array([1., 1.], dtype=float32)

    Reference: Training with Noise is Equivalent to Tikhonov Regularization (Bishop, 1995).
    """

    rng_collection: str = "dropout"

    @nn.compact
    def __call__(self, x: Array, stddev: ArrayLike, *, deterministic: bool = False) -> Array:
        """Adds noise of standard deviation `stddev` to `x`.

        Args:
          x: floating-point array `[...]`.
          stddev: scalar >= 0 in the units of `x`; may be traced.
          deterministic: inference; needs no key.

        Returns:
          Array like `x`.

        Raises:
          ValueError: training without a key in `rngs`, or as `regjax.noise.gaussian_noise`.
        """
        key = None if deterministic else layer_key(self, self.rng_collection)
        return noise.gaussian_noise(key, x, stddev, deterministic=deterministic)


def layer_key(module: nn.Module, collection: str) -> PRNGKey:
    """A key that belongs to one call of one layer: two layers, or two calls, never share a mask.

    Args:
      module: bound module that draws.
      collection: name of the key in `rngs`.

    Returns:
      A key.

    Raises:
      ValueError: `rngs` has no such key.
    """
    # Asked for here, because make_rng would silently fall back to the "params" key.
    if not module.has_rng(collection):
        name = "/".join(module.path) or type(module).__name__
        raise ValueError(
            f"{name}: training with noise needs a key: pass rngs={{{collection!r}: key}} "
            "(inference, which draws nothing, is deterministic=True, or train=False in a model)"
        )
    return module.make_rng(collection)
