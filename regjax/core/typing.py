"""Types that the whole package shares."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import jax

Array = jax.Array
ArrayLike = jax.typing.ArrayLike
PRNGKey = jax.Array
PyTree = Any
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
