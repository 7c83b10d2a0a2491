"""Models by name."""

from __future__ import annotations

import dataclasses

from regjax.core.checks import check_choice
from regjax.core.errors import InputError
from regjax.core.parse import parse_call
from regjax.core.typing import Value
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
    **fields: Value,
) -> NoisyModel:
    """Make a model by name; it is hashable, so it can be a static part of a `Spec`.

    Args:
      name: `linear`, `mlp`, `cnn`, `resnet` or `vit`.
      num_outputs: number of classes, or of regression targets.
      widths: units of the hidden layers (mlp; default `(256,)`), channels of the convolutions (cnn; default `(32, 64)`)
        or of the stages (resnet; default `(32, 64, 128)`); other models have none.
      task: one of `regjax.catalog.TASKS`.
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
    accepted = model_fields(name)
    for field in fields:
        if field not in accepted:
            raise InputError(f"model {name!r} has no {field!r}; accepted: {', '.join(accepted) or 'none'}")
    return model(num_outputs=num_outputs, task=task, **fields)


def model_fields(name: str) -> tuple[str, ...]:
    """The fields of a model, apart from the number of outputs and the task.

    Example:
      >>> model_fields("cnn")
      ('widths', 'dense', 'block_size')
    """
    common = ("parent", "name", "num_outputs", "task")
    return tuple(field.name for field in dataclasses.fields(MODELS[name]) if field.name not in common)


def parse_model(
    text: str, *, num_outputs: int, widths: tuple[int, ...] | None = None, task: str = "classification"
) -> NoisyModel:
    """Parse a model from the text of a flag: `"mlp"` or `"mlp(batch_norm=True)"`; see `regjax.core.parse`.

    Args:
      text: name, with fields by name in parentheses.
      num_outputs: as in `make_model`.
      widths: as in `make_model`; excludes widths in the text.
      task: as in `make_model`.

    Raises:
      InputError: one line that says what cannot be read or does not fit.

    Example:
      >>> parse_model("resnet(blocks=1, norm='group')", num_outputs=3).norm
      'group'
    """
    fields_by_model = {name: model_fields(name) for name in MODELS}
    name, fields = parse_call(text, fields_by_model, "model") if "(" in text else (text, {})
    if widths is not None and "widths" in fields:
        raise InputError("model: widths are given twice")
    if "widths" in fields:
        widths_value = fields.pop("widths")
        widths = widths_value if isinstance(widths_value, tuple) else (widths_value,)
    return make_model(name, num_outputs=num_outputs, widths=widths, task=task, **fields)
