"""The loss of a model: data loss plus penalties, with every regularizer on data, labels and activations applied.

Penalty, data loss and model do not know each other; they meet here.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence

import jax
import jax.numpy as jnp
import numpy as np
import optax

from regjax.core.dtypes import wide_dtype
from regjax.core.labels import without_ignored
from regjax.core.rng import BATCH, stream
from regjax.core.typing import ApplyFn, Array, ArrayLike, Aux, Batch, DTypeLike, PRNGKey, PyTree, Value
from regjax.losses import Loss, get_loss, weighted_mean
from regjax.models.call import ModelOutput, call_in_dtype
from regjax.penalties import Penalty, check_penalty_mode
from regjax.penalties.outputs import Forward, OutputPenalty

Rates = Mapping[str, ArrayLike | optax.Schedule]


@dataclasses.dataclass(frozen=True)
class LossFn:
    """`loss_fn(params, batch, key, *, model_state, hparams, step, train) -> (loss, Aux)`; see `build_loss`."""

    apply_fn: ApplyFn
    data_loss: Loss
    penalty: Penalty | Callable[[PyTree], Penalty | None] | None
    output_penalties: Sequence[OutputPenalty] | Callable[[PyTree], Sequence[OutputPenalty]]
    rates: Rates | Callable[[PyTree], Rates] | None
    transform_batch: Callable[[PRNGKey, Batch, PyTree], Batch] | None
    compute_dtype: DTypeLike | None = None
    ignore_index: int | None = None

    def __call__(
        self,
        params: PyTree,
        batch: Batch,
        key: PRNGKey | None = None,
        *,
        model_state: PyTree | None = None,
        hparams: PyTree = None,
        step: ArrayLike = 0,
        train: bool = True,
    ) -> tuple[Array, Aux]:
        """The loss of `params` on `batch`, and its parts."""
        batch = self.prepared(batch, key, hparams) if train else self.counted(batch)
        rates = _at_step(resolve(self.rates, hparams), step) if train else {}
        terms = tuple(resolve(self.output_penalties, hparams) or ()) if train else ()

        def forward(x: Array, noise: str) -> ModelOutput:
            noise_key = None if key is None else stream(key, noise)
            recorded = any(term.needs_activations for term in terms)
            return call_in_dtype(
                self.compute_dtype if train else None,
                self.apply_fn,
                params,
                model_state,
                x,
                train=train,
                rates=rates,
                key=noise_key,
                recorded=recorded,
            )

        first = forward(batch.x, "dropout")

        def mean_loss(outputs: Array) -> Array:
            losses, shapes = self.data_loss(outputs, batch.y), _target_shapes(batch)
            if not any(losses.shape == shape[: losses.ndim] for shape in shapes):
                raise ValueError(
                    f"data_loss must give one number, or one for each example or target of "
                    f"{' or '.join(map(str, shapes))}, got {losses.shape}"
                )
            if not losses.ndim and batch.weight is not None:
                raise ValueError(
                    "data_loss gives one number, so the weight of examples cannot act; give one an example"
                )
            return weighted_mean(losses, batch.weight)

        parts = {"data_loss": mean_loss(first.outputs), **first.penalties}
        observed = Forward(
            batch,
            first.outputs,
            first.activations,
            mean_loss,
            lambda x, noise: forward(x, noise).outputs,
            lambda name: stream(_need(key), name),
        )
        for term in terms:
            value = term.value(observed).astype(wide_dtype(parts["data_loss"]))
            parts[term.kind] = parts.get(term.kind, 0.0) + value
        penalty = self.penalty_for(hparams)
        if penalty is not None:
            parts |= penalty.terms(params, step)
        return sum(parts.values(), start=jnp.float32(0.0)), Aux(parts, first.model_state)

    def prepared(self, batch: Batch, key: PRNGKey | None, hparams: PyTree) -> Batch:
        """The batch as training sees it: augmented, mixed, smoothed."""
        batch = self.counted(batch)
        if self.transform_batch is None:
            return batch
        return self.transform_batch(stream(_need(key), BATCH), batch, hparams)

    def counted(self, batch: Batch) -> Batch:
        """The batch with weight 0, and class 0, where the label is the ignored one."""
        y, counts = without_ignored(batch.y, self.ignore_index)
        if counts is None:
            return batch
        weight = counts.astype(jnp.float32)
        if batch.weight is not None:
            weight *= batch.weight.reshape(*batch.weight.shape, *[1] * (weight.ndim - batch.weight.ndim))
        return batch._replace(y=y, weight=weight)

    def penalty_for(self, hparams: PyTree) -> Penalty | None:
        """The penalty inside the loss under these hyperparameters."""
        return resolve(self.penalty, hparams)


def build_loss(
    apply_fn: ApplyFn,
    data_loss: str | Loss,
    penalty: Penalty | Callable[[PyTree], Penalty | None] | None = None,
    *,
    output_penalties: Sequence[OutputPenalty] | Callable[[PyTree], Sequence[OutputPenalty]] = (),
    rates: Rates | Callable[[PyTree], Rates] | None = None,
    transform_batch: Callable[[PRNGKey, Batch, PyTree], Batch] | None = None,
    compute_dtype: DTypeLike | None = None,
    ignore_index: int | None = None,
) -> LossFn:
    """Build `loss_fn(params, batch, key, ...) -> (loss, aux)` with `loss = mean data loss + penalty`.

    Args:
      apply_fn: `model.apply` of a Flax Linen module, or any `(variables, x) -> outputs` where `variables["params"]`
        are the parameters. If it takes them, `rates` and a key (`rngs`, `rng` or `key`) are passed, and whether it
        trains, by any of `train`, `training`, `is_training`, `deterministic` and `inference` that its `__call__` (or a
        field of the module) has.
      data_loss: `"cross_entropy"`, `"mse"`, or a function `(outputs, y) -> [B]`, of sequences `[B, T]` (or one number);
        such a function may take a y of any structure, or None.
        Its mean over all examples or tokens of the batch is taken, by `batch.weight`: `[B]`, or `[B, T]` for tokens.
      penalty: added to the loss, never divided by the batch size. May be a function of `hparams`.
      output_penalties: terms on activations and outputs, as `rj.confidence(0.1)`, in training; may be a function of
        `hparams`.
      rates: noise strengths by name, given to the model in training; each may be an optax schedule of the step.
        `"drop_connect"` and `"weight_noise"` act on the weights of any model. May be a function of `hparams`.
      transform_batch: `(key, batch, hparams) -> batch`, applied in training: augmentation, mixup, smoothing.
      ignore_index: class indices equal to it count for nothing, as padding in sequences: they weigh 0 and the loss
        function gets a 0 in their place. -100 is that of torch.
      compute_dtype: of the model's arithmetic in training, as `jnp.bfloat16`; None is that of the parameters.
        Parameters, gradients, losses and the model's collections (batch statistics) stay what they are.

    Returns:
      A callable. With `train=False` nothing is random and the key may be None. `aux.parts` names the data loss, each
      penalty term and what the model's layers sowed into `"penalties"`; their sum is the loss. `aux.model_state` holds
      updated collections.

    Raises:
      ValueError: a term without a gradient (`l0`); when called: rates for a model that takes none, training noise
        without a key, a model with noise that cannot be told that it trains, losses or weights of a shape that fits no
        targets, a concrete label that is no class.

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
        check_penalty_mode(penalty, "loss")
    return LossFn(
        apply_fn, get_loss(data_loss), penalty, output_penalties, rates, transform_batch, compute_dtype, ignore_index
    )


def _at_step(rates: Rates | None, step: ArrayLike) -> dict[str, ArrayLike]:
    """The rates at a step; a schedule is called."""
    return {name: rate(step) if callable(rate) else rate for name, rate in (rates or {}).items()}


def _target_shapes(batch: Batch) -> list[tuple[int, ...]]:
    """The shapes of the arrays of targets; of the examples, if there are none."""
    y = batch.y
    found = [np.shape(leaf) for leaf in ([y] if isinstance(y, list) else jax.tree.leaves(y))]
    return [shape for shape in found if shape] or [np.shape(leaf)[:1] for leaf in jax.tree.leaves(batch.x)[:1]]


def resolve(value: Value, hparams: PyTree) -> Value:
    """What is a function of `hparams`, for these; anything else as it is."""
    return value(hparams) if callable(value) and not isinstance(value, Penalty) else value


def _need(key: PRNGKey | None) -> PRNGKey:
    if key is None:
        raise ValueError("training with augmentation or label noise needs a key: loss_fn(params, batch, key)")
    return key
