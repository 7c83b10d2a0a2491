"""The loss of a model: data loss plus penalties, with all regularizers of data, labels and activations.

Penalties, data losses and models are independent of each other and are combined here.
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
    loss_parameter: ArrayLike | Callable[[PyTree], ArrayLike | None] | None = None

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
        """Return the loss of `params` on `batch`, and its parts."""
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

        first, parameter = forward(batch.x, "dropout"), resolve(self.loss_parameter, hparams)
        arguments = () if parameter is None else (parameter,)

        def mean_loss(outputs: Array) -> Array:
            losses, shapes = self.data_loss(outputs, batch.y, *arguments), _target_shapes(batch)
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
        """Apply the transforms of training to a batch: augmentation, mixup, label smoothing."""
        batch = self.counted(batch)
        if self.transform_batch is None:
            return batch
        return self.transform_batch(stream(_need(key), BATCH), batch, hparams)

    def counted(self, batch: Batch) -> Batch:
        """Set weight and class to 0 where the label is `ignore_index`."""
        y, counts = without_ignored(batch.y, self.ignore_index)
        if counts is None:
            return batch
        weight = counts.astype(jnp.float32)
        if batch.weight is not None:
            weight *= batch.weight.reshape(*batch.weight.shape, *[1] * (weight.ndim - batch.weight.ndim))
        return batch._replace(y=y, weight=weight)

    def penalty_for(self, hparams: PyTree) -> Penalty | None:
        """Return the penalty that these hyperparameters add to the loss."""
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
    loss_parameter: ArrayLike | Callable[[PyTree], ArrayLike | None] | None = None,
) -> LossFn:
    """Build `loss_fn(params, batch, key, ...) -> (loss, aux)` with `loss = mean data loss + penalty`.

    Args:
      apply_fn: `model.apply` of a Flax Linen module, or any `(variables, x) -> outputs` where `variables["params"]`
        are the parameters. It is called with `rates` and a key (`rngs`, `rng` or `key`) if it accepts them, and with
        the training flags that its `__call__` or the module has, of `train`, `training`, `is_training`,
        `deterministic` and `inference`.
      data_loss: a name of `rj.losses.LOSSES`, such as `"cross_entropy"` or `"mse"`, or a function
        `(outputs, y) -> [B]`, `[B, T]` for sequences, or one number. A function may take a `y` of any structure, or
        None. The loss is averaged over all examples or tokens of the batch, weighted by `batch.weight`: `[B]`, or
        `[B, T]` for tokens.
      penalty: a penalty that is added to the loss and never divided by the batch size; may be a function of `hparams`.
      output_penalties: penalties on activations and outputs, such as `rj.confidence(0.1)`, used in training only;
        may be a function of `hparams`.
      rates: noise strengths by name, which are passed to the model in training; each may be an optax schedule.
        `"drop_connect"` and `"weight_noise"` act on the weights of any model. May be a function of `hparams`.
      transform_batch: a function `(key, batch, hparams) -> batch` that is applied in training, for augmentation, mixup
        or label smoothing.
      ignore_index: class indices with this value are ignored, such as padding in sequences: they get weight 0, and the
        loss function receives 0 in their place. PyTorch uses -100.
      compute_dtype: dtype of the computations of the model in training, such as `jnp.bfloat16`; None is the dtype of
        the parameters. Parameters, gradients, losses and batch statistics keep their dtype.

      loss_parameter: a third argument of the data loss, such as the quantile of `"quantile"`; None leaves it at its
        default. May be a function of `hparams`.

    Returns:
      A callable. With `train=False` nothing is random and the key may be None. `aux.parts` contains the data loss, each
      penalty term and the values that layers of the model sowed into `"penalties"`; their sum is the loss.
      `aux.model_state` contains the updated collections.

    Raises:
      ValueError: a penalty term has no gradient (`l0`). When called: there are rates but the model takes none, or noise
        without a key; a model with noise takes no training flag; the shape of losses or weights does not fit the
        targets; a concrete label is not a class.

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
        apply_fn,
        get_loss(data_loss),
        penalty,
        output_penalties,
        rates,
        transform_batch,
        compute_dtype,
        ignore_index,
        loss_parameter,
    )


def _at_step(rates: Rates | None, step: ArrayLike) -> dict[str, ArrayLike]:
    """Return the rates at a step; schedules are evaluated."""
    return {name: rate(step) if callable(rate) else rate for name, rate in (rates or {}).items()}


def _target_shapes(batch: Batch) -> list[tuple[int, ...]]:
    """Return the shapes of the target arrays, or those of the examples if there are no targets."""
    y = batch.y
    found = [np.shape(leaf) for leaf in ([y] if isinstance(y, list) else jax.tree.leaves(y))]
    return [shape for shape in found if shape] or [np.shape(leaf)[:1] for leaf in jax.tree.leaves(batch.x)[:1]]


def resolve(value: Value, hparams: PyTree) -> Value:
    """Call `value` with `hparams` if it is a function; otherwise return it unchanged."""
    return value(hparams) if callable(value) and not isinstance(value, Penalty) else value


def _need(key: PRNGKey | None) -> PRNGKey:
    if key is None:
        raise ValueError("training with augmentation or label noise needs a key: loss_fn(params, batch, key)")
    return key
