"""The multilayer perceptron."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import flax.linen as nn

from regjax.core.checks import check_choice
from regjax.core.errors import InputError
from regjax.core.typing import Array
from regjax.models.base import NoisyModel, Rates, check_sizes, flatten, hidden_init, output_init
from regjax.noise.linen import ConcreteDense, record_activation

ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "relu": nn.relu,
    "gelu": nn.gelu,
    "selu": nn.selu,
    "tanh": nn.tanh,
}


class MLP(NoisyModel):
    """Dense layers: `h_{i+1} = noise(act(norm(h_i W_i + b_i)))`, plus `h_i` with skip connections.

    Images are flattened.

    Noises: `input_dropout` on the input; `dropout`, `gaussian_dropout`, `alpha_dropout` (for `activation="selu"`) and
    `gaussian_noise` after each hidden layer; `drop_path` with skip connections; `concrete_dropout` with learned rates,
    whose value is the strength of the regularizer.

    Attributes:
      widths: units of each hidden layer.
      activation: `"relu"`, `"gelu"`, `"selu"` or `"tanh"`.
      skip: whether a layer that is as wide as the previous one adds its input to its output.
      batch_norm: whether to apply batch normalization before the activation.
      concrete: whether each layer after the first has dropout with a learned rate on its input
        (`rj.layers.ConcreteDense`).

    Example:
      >>> import jax, jax.numpy as jnp
      >>> model, x = MLP(num_outputs=3, widths=(16,)), jnp.ones((2, 8, 8, 1))
      >>> variables = model.init(jax.random.key(0), x)
      >>> rngs = {"dropout": jax.random.key(1)}
      >>> model.apply(variables, x, train=True, rates={"dropout": 0.5}, rngs=rngs).shape
      (2, 3)

    Reference: Well-tuned Simple Nets Excel on Tabular Datasets (Kadra et al., 2021), for skip connections, batch
      normalization and many regularizers at once.
    """

    widths: tuple[int, ...] = (256,)
    activation: str = "relu"
    skip: bool = False
    batch_norm: bool = False
    concrete: bool = False

    unit_noises: ClassVar[tuple[str, ...]] = ("dropout", "gaussian_dropout", "alpha_dropout", "gaussian_noise")

    def __post_init__(self) -> None:
        check_sizes(self, "widths")
        check_choice("MLP: activation", self.activation, ACTIVATIONS)
        if self.skip and not any(a == b for a, b in zip(self.widths, self.widths[1:], strict=False)):
            raise InputError(f"MLP: skip needs neighbouring layers of one width, got widths {self.widths}")
        super().__post_init__()

    @property
    def accepted_rates(self) -> tuple[str, ...]:
        """The names of the noises that this model has."""
        extra = (("drop_path", self.skip), ("concrete_dropout", self.concrete))
        return (*super().accepted_rates, *(name for name, is_available in extra if is_available))

    @nn.compact
    def __call__(self, x: Array, train: bool = False, rates: Rates | None = None) -> Array:
        """Logits or predictions of `x` `[B, ...]`; see `NoisyModel`."""
        active = self.active_rates(rates)
        x = self.noisy(flatten("MLP", x), active, ("input_dropout",), "")
        for i, width in enumerate(self.widths):
            h = self._dense(width, active, hidden_init, f"hidden_{i}", learned=i > 0)(x)
            if self.batch_norm:
                h = nn.BatchNorm(use_running_average=not train, momentum=0.9, name=f"norm_{i}")(h)
            h = record_activation(self, f"activation_{i}", ACTIVATIONS[self.activation](h))
            h = self.noisy(h, active, self.unit_noises, str(i))
            x = self.residual(x, h, active, i, len(self.widths)) if self.skip and h.shape == x.shape else h
        if not self.concrete:
            return self.head(x)
        return self.squeezed(self._dense(self.num_outputs, active, output_init, "output", learned=True)(x))

    def _dense(
        self, features: int, active: Rates, init: nn.initializers.Initializer, name: str, learned: bool
    ) -> Callable[[Array], Array]:
        if not (self.concrete and learned):
            return nn.Dense(features, kernel_init=init, name=name)
        layer, strength = ConcreteDense(features, kernel_init=init, name=name), active.get("concrete_dropout")
        return lambda x: layer(x, 0.0 if strength is None else strength, deterministic=strength is None)
