"""Types that the whole package shares."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import jax
import numpy as np

Array = jax.Array
ArrayLike = jax.typing.ArrayLike
PRNGKey = jax.Array

# Names for what no type describes; a test keeps `Any` itself to this module. Use the most precise type there is.
PyTree = Any  # a tree of arrays, as parameters, a state or gradients, of any framework
Numeric = Any  # a number or an array of NumPy or JAX, concrete or traced, for arithmetic that serves all of them
Value = Any  # the value of an option or argument that is known by name alone
Json = Any  # what `json.loads` returns
ModelLike = Any  # a model of any framework, for `as_model`: a Linen module, a pair (init, apply), ...
Estimator = Any  # an estimator of scikit-learn, with fit and predict
ApplyFn = Callable[..., Any]  # the apply function of a model of any framework
DType = np.dtype[Any]
DTypeLike = jax.typing.DTypeLike
PenaltyMode = Literal["loss", "coupled", "decoupled", "independent", "proximal"]
"""How a penalty enters training; see `regjax.optim.transforms`."""


class Batch(NamedTuple):
    """A batch of examples.

    Attributes:
      x: inputs `[B, ...]`: images are `[B, H, W, C]`, rows of a table `[B, F]`.
      y: targets: class indices `int[B]`, class distributions `[B, K]`, or numbers `[B]` / `[B, D]`; for sequences,
        token ids `int[B, T]` or distributions `[B, T, K]`.
      weight: optional `[B]`: 1 for an example, 0 for padding; None counts all alike. `[B, T]` weighs each token.
    """

    x: Array
    y: Array
    weight: Array | None = None


class Aux(NamedTuple):
    """What a loss function returns beside its value.

    Attributes:
      parts: the terms of the loss by name: `"data_loss"` and one entry for each penalty term.
      model_state: collections that the model changed in this step, as batch statistics; `{}` if there are none.
    """

    parts: dict[str, Array]
    model_state: PyTree
