"""Bring any model to one calling convention: Linen modules, or a pair of functions `(init, apply)`."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

import flax.linen as nn

from regjax.layers import ACTIVATIONS, PENALTIES
from regjax.typing import Array, PRNGKey, PyTree


class Model(NamedTuple):
    """A model as two functions.

    Attributes:
      init: `(key, x) -> (params, model_state)`.
      apply: `(variables, x, **options) -> outputs` with `variables["params"]`, for `regjax.build_loss`.
    """

    init: Callable[[PRNGKey, Array], tuple[PyTree, PyTree]]
    apply: Callable[..., Any]


def as_model(model: Any) -> Model:
    """The two functions of a Flax Linen module or of a pair `(init, apply)`.

    Args:
      model: a Linen module; or `(init, apply)` with `init(key, x) -> params` and `apply(params, x) -> outputs`, where
        `apply` may also take `train`, `rates` and `rngs` (a dict with the key `"dropout"`).

    Raises:
      ValueError: anything else.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> pair = (lambda key, x: {"w": jnp.zeros(x.shape[1])}, lambda params, x: x @ params["w"])
      >>> params, state = as_model(pair).init(jax.random.key(0), jnp.ones((1, 3)))
      >>> params["w"].shape, state
      ((3,), {})
    """
    if isinstance(model, nn.Module):
        return Model(_LinenInit(model), model.apply)
    if isinstance(model, tuple) and len(model) == 2 and all(callable(part) for part in model):
        return Model(_PairInit(model[0]), _PairApply(model[1]))
    raise ValueError(f"model must be a flax.linen Module or a pair (init, apply) of functions, got {model!r}")


@dataclasses.dataclass(frozen=True)
class _LinenInit:
    module: nn.Module

    def __call__(self, key: PRNGKey, x: Array) -> tuple[PyTree, PyTree]:
        variables = dict(self.module.init(key, x))
        params = variables.pop("params", {})
        # What layers sow belongs to a pass, not to the model.
        return params, {name: value for name, value in variables.items() if name not in (PENALTIES, ACTIVATIONS)}


@dataclasses.dataclass(frozen=True)
class _PairInit:
    init: Callable[[PRNGKey, Array], PyTree]

    def __call__(self, key: PRNGKey, x: Array) -> tuple[PyTree, PyTree]:
        return self.init(key, x), {}


@dataclasses.dataclass(frozen=True)
class _PairApply:
    apply: Callable[..., Any]

    @property
    def __signature__(self) -> inspect.Signature:
        # What the wrapped function takes decides which options it is given.
        return inspect.signature(self.apply)

    def __call__(self, variables: PyTree, x: Array, **options: Any) -> Any:
        return self.apply(variables["params"], x, **options)
