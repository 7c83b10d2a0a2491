"""Models by name."""

from __future__ import annotations

import dataclasses
from typing import Any

from regjax.checks import InputError, check_choice
from regjax.models.base import NoisyModel
from regjax.models.cnn import CNN
from regjax.models.linear import Linear
from regjax.models.mlp import MLP

MODELS: dict[str, type[NoisyModel]] = {"linear": Linear, "mlp": MLP, "cnn": CNN}


def make_model(
    name: str,
    *,
    num_outputs: int,
    widths: tuple[int, ...] | None = None,
    task: str = "classification",
    **fields: Any,
) -> NoisyModel:
    """Model by name; hashable, so it can be a static part of a compiled program's description.

    Args:
      name: `linear`, `mlp` or `cnn`.
      num_outputs: number of classes, or of regression targets.
      widths: units of the hidden layers (mlp; default `(256,)`) or channels of the convolutions (cnn;
        default `(32, 64)`); `linear` has none.
      task: `"classification"` or `"regression"`.
      **fields: further fields of that model, as `dense` of the cnn.

    Returns:
      A Flax Linen module; see `NoisyModel` for how it is called.

    Raises:
      InputError: unknown name, a field that the model does not have, or a width below 1.

    Example:
      >>> make_model("mlp", num_outputs=10, widths=(64, 64)).widths
      (64, 64)
    """
    check_choice("model", name, MODELS)
    model = MODELS[name]
    if widths is not None:
        fields["widths"] = tuple(int(width) for width in widths)
    known = [field.name for field in dataclasses.fields(model) if field.name not in ("parent", "name")]
    for field in fields:
        if field not in known:
            raise InputError(f"model {name!r} has no {field!r}; accepted: {', '.join(known)}")
    for field in ("widths", "dense"):
        sizes = fields.get(field, ())
        if any(size < 1 for size in (sizes if isinstance(sizes, tuple) else (sizes,))):
            raise InputError(f"model {name!r}: {field} must be >= 1, got {sizes}")
    return model(num_outputs=num_outputs, task=task, **fields)
