"""Models by name."""

from __future__ import annotations

import dataclasses
from typing import Any

from regjax.core.checks import check_choice
from regjax.core.errors import InputError
from regjax.core.parse import parse_call
from regjax.models.base import NoisyModel
from regjax.models.cnn import CNN
from regjax.models.linear import Linear
from regjax.models.mlp import MLP
from regjax.models.resnet import ResNet
from regjax.models.vit import ViT

MODELS: dict[str, type[NoisyModel]] = {"linear": Linear, "mlp": MLP, "cnn": CNN, "resnet": ResNet, "vit": ViT}


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
      name: `linear`, `mlp`, `cnn`, `resnet` or `vit`.
      num_outputs: number of classes, or of regression targets.
      widths: units of the hidden layers (mlp; default `(256,)`), channels of the convolutions (cnn; default `(32, 64)`)
        or of the stages (resnet; default `(32, 64, 128)`); the others have none.
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
        fields["widths"] = tuple(widths)
    known = model_fields(name)
    for field in fields:
        if field not in known:
            raise InputError(f"model {name!r} has no {field!r}; accepted: {', '.join(known) or 'none'}")
    return model(num_outputs=num_outputs, task=task, **fields)


def model_fields(name: str) -> tuple[str, ...]:
    """The fields of a model beside the outputs and the task.

    Example:
      >>> model_fields("cnn")
      ('widths', 'dense', 'block_size')
    """
    common = ("parent", "name", "num_outputs", "task")
    return tuple(field.name for field in dataclasses.fields(MODELS[name]) if field.name not in common)


def parse_model(
    text: str, *, num_outputs: int, widths: tuple[int, ...] | None = None, task: str = "classification"
) -> NoisyModel:
    """A model from text, as a flag gives it: `"mlp"` or `"mlp(batch_norm=True)"`; see `regjax.core.parse`.

    Args:
      text: name, and fields by name in parentheses.
      num_outputs: as `make_model`.
      widths: as `make_model`; excludes widths in the text.
      task: as `make_model`.

    Raises:
      InputError: one line that says what cannot be read or does not fit.

    Example:
      >>> parse_model("resnet(blocks=1, norm='group')", num_outputs=3).norm
      'group'
    """
    known = {name: model_fields(name) for name in MODELS}
    name, fields = parse_call(text, known, "model") if "(" in text else (text, {})
    if widths is not None and "widths" in fields:
        raise InputError("model: widths are given twice")
    if "widths" in fields:
        given = fields.pop("widths")
        widths = given if isinstance(given, tuple) else (given,)
    return make_model(name, num_outputs=num_outputs, widths=widths, task=task, **fields)
