"""Noise as thin Flax Linen modules whose strength is given at call time and may be traced.

`flax.linen.Dropout` reads its rate in Python, so the rate can be neither swept, scheduled nor mapped. These layers
take it as an argument and call `regjax.noise` with a key of their own from the rng collection of the module. In
`flax.nnx`, call the functions of `regjax.noise` with a key from `nnx.Rngs`, or wrap a layer in `nnx.bridge.ToNNX`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp

from regjax import noise
from regjax.core.checks import check_choice, check_range
from regjax.core.rng import stream
from regjax.core.typing import Array, ArrayLike, PRNGKey, Value

PENALTIES = "penalties"  # collection into which a layer sows a term of the loss; `rj.build_loss` adds it
ACTIVATIONS = "activations"  # collection into which a layer sows what an activity penalty acts on


class Noise(nn.Module):
    """Base of the noise layers; a subclass names the function and its options."""

    function: ClassVar[str]

    rng_collection: str = dataclasses.field(default="dropout", kw_only=True)

    @nn.compact
    def __call__(self, x: Array, strength: ArrayLike, *, deterministic: bool = False) -> Array:
        """Applies the noise.

        Args:
          x: floating-point array, as the function of `regjax.noise` takes it.
          strength: rate in [0, 1], or a standard deviation; may be traced.
          deterministic: inference; needs no key.

        Returns:
          Array like `x`.

        Raises:
          ValueError: training without a key in `rngs`, or what the function raises.
        """
        key = None if deterministic else layer_key(self, self.rng_collection)
        return noise.NOISES[self.function](key, x, strength, deterministic=deterministic, **self._options())

    def _options(self) -> Mapping[str, Value]:
        """Static arguments of the function."""
        return {}


class Dropout(Noise):
    """Dropout; see `regjax.noise.dropout` for the formulas.

    Attributes:
      scaling: `"inverted"` (kept units divided by the keep probability in training; inference is the
        identity) or `"classic"` (inference multiplies by the keep probability).
      broadcast_dims: axes that share one decision.
      rng_collection: name of the key in `rngs`.

    Example:
      >>> rngs = {"dropout": jax.random.key(0)}
      >>> Dropout().apply({}, jnp.ones((2, 3)), 0.5, rngs=rngs).shape
      (2, 3)

    Reference: Dropout: A Simple Way to Prevent Neural Networks from Overfitting (Srivastava et al., 2014).
    """

    function: ClassVar[str] = "dropout"

    scaling: str = "inverted"
    broadcast_dims: tuple[int, ...] = ()

    def _options(self) -> Mapping[str, Value]:
        return {"scaling": self.scaling, "broadcast_dims": self.broadcast_dims}


class SpatialDropout(Noise):
    """Drops whole channels; see `regjax.noise.spatial_dropout`.

    Attributes:
      rng_collection: name of the key in `rngs`.

    Example:
      >>> SpatialDropout().apply({}, jnp.ones((1, 2, 2, 3)), 0.5, deterministic=True).shape
      (1, 2, 2, 3)
    """

    function: ClassVar[str] = "spatial_dropout"


class GaussianDropout(Noise):
    """Multiplicative normal noise; see `regjax.noise.gaussian_dropout`.

    Attributes:
      rng_collection: name of the key in `rngs`.

    Example:
      >>> GaussianDropout().apply({}, jnp.ones(2), 0.0, rngs={"dropout": jax.random.key(0)})
      Array([1., 1.], dtype=float32)
    """

    function: ClassVar[str] = "gaussian_dropout"


class AlphaDropout(Noise):
    """Dropout after a SELU; see `regjax.noise.alpha_dropout`.

    Attributes:
      rng_collection: name of the key in `rngs`.

    Example:
      >>> AlphaDropout().apply({}, jnp.ones(2), 0.1, deterministic=True)
      Array([1., 1.], dtype=float32)
    """

    function: ClassVar[str] = "alpha_dropout"


class DropBlock(Noise):
    """Drops squares of a feature map; see `regjax.noise.drop_block`.

    Attributes:
      block_size: side of the squares; at most the larger side of the map.
      per_channel: whether each channel draws its own blocks.
      rng_collection: name of the key in `rngs`.

    Example:
      >>> DropBlock(block_size=2).apply({}, jnp.ones((1, 4, 4, 1)), 1.0, rngs={"dropout": jax.random.key(0)}).sum()
      Array(0., dtype=float32)
    """

    function: ClassVar[str] = "drop_block"

    block_size: int = 7
    per_channel: bool = True

    def _options(self) -> Mapping[str, Value]:
        return {"block_size": self.block_size, "per_channel": self.per_channel}


class DropPath(Noise):
    """Drops residual branches, with one decision for each example; see `regjax.noise.drop_path` and `depth_rates`.

    Attributes:
      rng_collection: name of the key in `rngs`.

    Example:
      >>> DropPath().apply({}, jnp.ones((2, 3)), 1.0, rngs={"dropout": jax.random.key(0)}).sum()
      Array(0., dtype=float32)
    """

    function: ClassVar[str] = "drop_path"


class GaussianNoise(Noise):
    """Additive normal noise in training; see `regjax.noise.gaussian_noise`.

    Attributes:
      rng_collection: name of the key in `rngs`.

    Example:
      >>> GaussianNoise().apply({}, jnp.ones(2), 0.1, deterministic=True)
      Array([1., 1.], dtype=float32)

    Reference: Training with Noise is Equivalent to Tikhonov Regularization (Bishop, 1995).
    """

    function: ClassVar[str] = "gaussian_noise"


class NoisyDense(nn.Module):
    """A dense layer with noise on its kernel: `x V + b`, `V = noise(W)`; see `regjax.noise.weights`.

    For noise on the weights of a model without such layers, use the rates `"drop_connect"` and
    `"weight_noise"` of `rj.build_loss`.

    Attributes:
      features: number of outputs.
      function: `"drop_connect"` or `"weight_noise"`.
      use_bias: whether to add a bias, which has no noise.
      kernel_init: initializer of the kernel.
      rng_collection: name of the key in `rngs`.

    Example:
      >>> x, layer = jnp.ones((1, 2)), NoisyDense(3)
      >>> variables = layer.init(jax.random.key(0), x, 0.0, deterministic=True)
      >>> layer.apply(variables, x, 1.0, rngs={"dropout": jax.random.key(1)})
      Array([[0., 0., 0.]], dtype=float32)
    """

    features: int
    function: str = "drop_connect"
    use_bias: bool = True
    kernel_init: nn.initializers.Initializer = nn.initializers.lecun_normal()
    rng_collection: str = "dropout"

    @nn.compact
    def __call__(self, x: Array, strength: ArrayLike, *, deterministic: bool = False) -> Array:
        """The outputs `[..., features]` of `x` `[..., d]`; `strength` is the rate or standard deviation."""
        check_choice("NoisyDense: function", self.function, noise.WEIGHT_NOISES)
        key = None if deterministic else layer_key(self, self.rng_collection)
        kernel = self.param("kernel", self.kernel_init, (x.shape[-1], self.features))
        y = x @ noise.NOISES[self.function](key, kernel, strength, deterministic=deterministic).astype(x.dtype)
        return y + self.param("bias", nn.initializers.zeros, (self.features,)).astype(x.dtype) if self.use_bias else y


class ConcreteDense(nn.Module):
    """A dense layer with dropout of a learned rate on its input; see `regjax.noise.concrete_dropout`.

    In training it sows its regularizer, which `rj.build_loss` adds to the loss as `concrete_dropout`. The parameter
    `rate_logit` is the logit of the rate.

    Attributes:
      features: number of outputs.
      initial_rate: initial value of the rate, in (0, 1).
      temperature: > 0, of the smooth mask.
      length_scale: > 0, of the prior on the weights.
      kernel_init: initializer of the kernel.
      rng_collection: name of the key in `rngs`.

    Example:
      >>> x, layer = jnp.ones((1, 2)), ConcreteDense(3, initial_rate=0.2)
      >>> variables = layer.init(jax.random.key(0), x, 0.01, deterministic=True)
      >>> round(float(jax.nn.sigmoid(variables["params"]["rate_logit"])), 3)
      0.2

    Reference: Concrete Dropout (Gal, Hron & Kendall, 2017).
    """

    features: int
    initial_rate: float = 0.1
    temperature: float = 0.1
    length_scale: float = 1e-2
    kernel_init: nn.initializers.Initializer = nn.initializers.lecun_normal()
    rng_collection: str = "dropout"

    @nn.compact
    def __call__(self, x: Array, strength: ArrayLike, *, deterministic: bool = False) -> Array:
        """The outputs `[..., features]` of `x` `[..., d]`; `strength` scales the regularizer, it is not a rate."""
        check_range("ConcreteDense: initial_rate", self.initial_rate, 0.0, 1.0, low_open=True, high_open=True)
        initial_logit = jnp.log(self.initial_rate) - jnp.log1p(-self.initial_rate)
        rate = jax.nn.sigmoid(self.param("rate_logit", lambda key: jnp.asarray(initial_logit, jnp.float32)))
        key = None if deterministic else layer_key(self, self.rng_collection)
        x = noise.concrete_dropout(key, x, rate, temperature=self.temperature, deterministic=deterministic)
        dense = nn.Dense(self.features, kernel_init=self.kernel_init, name="dense")
        y = dense(x)
        if not deterministic:
            kernel = dense.variables["params"]["kernel"]
            penalty = noise.concrete_penalty(rate, kernel, strength, length_scale=self.length_scale)
            self.sow(PENALTIES, "concrete_dropout", penalty, init_fn=lambda: jnp.float32(0.0), reduce_fn=jnp.add)
        return y


def record_activation(module: nn.Module, name: str, x: Array) -> Array:
    """Sow `x` as `name` into the collection `"activations"`, for activity penalties; returns `x` unchanged.

    Costs nothing unless an activity penalty reads it.

    Args:
      module: bound module that computes `x`.
      name: name of the activation.
      x: `[B, ...]`.
    """
    if not module.is_initializing():  # initialization would store every collection
        module.sow(ACTIVATIONS, name, x)
    return x


def layer_key(module: nn.Module, collection: str) -> PRNGKey:
    """A key for one call of one layer: no two layers, and no two calls, share a mask.

    Args:
      module: bound module that draws random numbers.
      collection: name of the key in `rngs`.

    Returns:
      A key.

    Raises:
      ValueError: `rngs` has no such key.
    """
    # Checked here, because make_rng would silently fall back to the "params" key.
    if not module.has_rng(collection):
        name = "/".join(module.path) or type(module).__name__
        raise ValueError(
            f"{name}: training with noise needs a key: pass rngs={{{collection!r}: key}} "
            "(inference, which draws nothing, is deterministic=True, or no rates in a model)"
        )
    key = module.make_rng(collection)
    # Linen derives the key from the path alone, so one key under two names would give the same mask.
    return key if collection == "dropout" else stream(key, collection)
