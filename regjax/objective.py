"""The loss of a model: data loss plus penalties, with every regularizer on data, labels and activations applied.

Penalty, data loss and model do not know each other; they meet here.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Mapping
from typing import Any

import flax.linen as nn
import jax.numpy as jnp

from regjax.losses import Loss, get_loss, weighted_mean
from regjax.penalties import Penalty
from regjax.rng import stream
from regjax.transforms import check_route
from regjax.typing import Array, ArrayLike, Aux, Batch, PRNGKey, PyTree


@dataclasses.dataclass(frozen=True)
class LossFn:
    """`loss_fn(params, batch, key, *, model_state, hparams, step, train) -> (loss, Aux)`; see `build_loss`."""

    apply_fn: Callable[..., Any]
    data_loss: Loss
    penalty: Penalty | Callable[[Any], Penalty | None] | None
    rates: Mapping[str, ArrayLike] | Callable[[Any], Mapping[str, ArrayLike]] | None
    transform_batch: Callable[[PRNGKey, Batch, Any], Batch] | None

    def __call__(
        self,
        params: PyTree,
        batch: Batch,
        key: PRNGKey | None = None,
        *,
        model_state: PyTree | None = None,
        hparams: Any = None,
        step: ArrayLike = 0,
        train: bool = True,
    ) -> tuple[Array, Aux]:
        """The loss of `params` on `batch`, and its parts."""
        if train:
            batch = self.prepared(batch, key, hparams)
        outputs, new_state = call_model(
            self.apply_fn,
            params,
            model_state,
            batch.x,
            train=train,
            rates=resolve(self.rates, hparams) if train else None,
            key=None if key is None else stream(key, "dropout"),
        )
        losses = self.data_loss(outputs, batch.y)
        if losses.ndim > 1:
            raise ValueError(f"data_loss must give one number or one an example [B], got shape {losses.shape}")
        parts = {"data_loss": weighted_mean(losses, batch.weight) if losses.ndim else losses}
        penalty = self.penalty_for(hparams)
        if penalty is not None:
            parts |= penalty.terms(params, step)
        return sum(parts.values(), start=jnp.float32(0.0)), Aux(parts, new_state)

    def prepared(self, batch: Batch, key: PRNGKey | None, hparams: Any) -> Batch:
        """The batch as training sees it: augmented, mixed, smoothed."""
        if self.transform_batch is None:
            return batch
        return self.transform_batch(stream(_need(key), "batch"), batch, hparams)

    def penalty_for(self, hparams: Any) -> Penalty | None:
        """The penalty inside the loss under these hyperparameters."""
        return resolve(self.penalty, hparams)


def build_loss(
    apply_fn: Callable[..., Any],
    data_loss: str | Loss,
    penalty: Penalty | Callable[[Any], Penalty | None] | None = None,
    *,
    rates: Mapping[str, ArrayLike] | Callable[[Any], Mapping[str, ArrayLike]] | None = None,
    transform_batch: Callable[[PRNGKey, Batch, Any], Batch] | None = None,
) -> LossFn:
    """Build `loss_fn(params, batch, key, ...) -> (loss, aux)` with `loss = mean data loss + penalty`.

    Args:
      apply_fn: `model.apply` of a Flax Linen module, or any `(variables, x) -> outputs` where `variables["params"]`
        are the parameters. `train`, `rates` and `rngs` are passed if the model takes them.
      data_loss: `"cross_entropy"`, `"mse"`, or a function `(outputs, y) -> [B]` (or one number).
      penalty: added to the loss, never divided by the batch size. May be a function of `hparams`.
      rates: noise rates by name, given to the model in training; may be a function of `hparams`.
      transform_batch: `(key, batch, hparams) -> batch`, applied in training: augmentation, mixup, smoothing.

    Returns:
      A hashable callable. With `train=False` nothing is random and the key may be None. `aux.parts` names
      the data loss and each penalty term; `aux.model_state` holds updated collections.

    Raises:
      ValueError: a term without a gradient (`l0`); when called: rates for a model that takes none, training noise
        without a key.

    Example:
      >>> import flax.linen as nn, jax
      >>> from regjax.penalties import l2
      >>> model = nn.Dense(1, use_bias=False)
      >>> loss_fn = build_loss(model.apply, lambda f, y: jnp.square(f[:, 0] - y), l2(0.5))
      >>> params = {"kernel": jnp.ones((2, 1))}
      >>> loss, aux = loss_fn(params, Batch(jnp.ones((4, 2)), jnp.zeros(4)), train=False)
      >>> float(loss), {name: float(value) for name, value in aux.parts.items()}
      (5.0, {'data_loss': 4.0, 'l2': 1.0})
    """
    if isinstance(penalty, Penalty):
        check_route(penalty, "loss")
    return LossFn(apply_fn, get_loss(data_loss), penalty, rates, transform_batch)


def call_model(
    apply_fn: Callable[..., Any],
    params: PyTree,
    model_state: PyTree | None,
    x: Array,
    *,
    train: bool,
    rates: Mapping[str, ArrayLike] | None = None,
    key: PRNGKey | None = None,
) -> tuple[Any, PyTree]:
    """Apply a model with the arguments that it takes; returns its outputs and its updated collections.

    Args:
      apply_fn: as in `build_loss`.
      params: parameters.
      model_state: other collections, as `{"batch_stats": ...}`; None or `{}` when there are none.
      x: inputs `[B, ...]`.
      train: passed on if the model takes it; in training the collections may change.
      rates: noise rates by name; passed only when there are any.
      key: key of the model's noise, for the rng stream `"dropout"`.

    Raises:
      ValueError: rates for a model that does not take them.
    """
    model_state = model_state or {}
    accepted = _accepted_arguments(apply_fn)
    options: dict[str, Any] = {}
    if _takes(accepted, "train"):
        options["train"] = train
    if rates:
        if not _takes(accepted, "rates"):
            raise ValueError(f"the model takes no argument 'rates', but rates for {sorted(rates)} were given")
        options["rates"] = dict(rates)
    linen = isinstance(getattr(apply_fn, "__self__", None), nn.Module)
    if key is not None and train and (linen or _takes(accepted, "rngs")):
        options["rngs"] = {"dropout": key}
    variables = {"params": params, **model_state}
    if linen and train and model_state:
        return apply_fn(variables, x, mutable=list(model_state), **options)
    return apply_fn(variables, x, **options), model_state


def takes_rates(apply_fn: Callable[..., Any]) -> bool:
    """Whether a model takes noise rates, so that dropout can be switched on from outside."""
    return _takes(_accepted_arguments(apply_fn), "rates")


def _accepted_arguments(apply_fn: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    module = getattr(apply_fn, "__self__", None)
    target = type(module).__call__ if isinstance(module, nn.Module) else apply_fn
    return inspect.signature(target).parameters


def _takes(accepted: Mapping[str, inspect.Parameter], name: str) -> bool:
    return name in accepted or any(p.kind is inspect.Parameter.VAR_KEYWORD for p in accepted.values())


def resolve(value: Any, hparams: Any) -> Any:
    """What is a function of `hparams`, for these; anything else as it is."""
    return value(hparams) if callable(value) and not isinstance(value, Penalty) else value


def _need(key: PRNGKey | None) -> PRNGKey:
    if key is None:
        raise ValueError("training with augmentation or label noise needs a key: loss_fn(params, batch, key)")
    return key
