"""The functions that train one `Spec`: initialization, updates, and the end of an epoch with early stopping.

`run`, which is compiled as a whole, and `fit`, a host loop, use the same functions and give the same results.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from regjax.averaging import Ensemble
from regjax.core.dtypes import float_dtype
from regjax.core.mesh import replicated, split_examples
from regjax.core.rng import INIT, STEP, stream
from regjax.core.typing import ApplyFn, Array, ArrayLike, PRNGKey, PyTree, Value
from regjax.models.interface import as_model
from regjax.stopping import keep_best
from regjax.training.assemble import learning_rate_of, loss_of, optimizer_of, penalty_value
from regjax.training.batches import Block, next_block
from regjax.training.evaluate import METRICS, evaluate
from regjax.training.spec import Hparams, Spec
from regjax.training.state import History, RunState, TrainData, TrainState, Weights, evaluated_weights
from regjax.training.step import MakeTx, init_train_state, make_step


class Program(NamedTuple):
    """The functions of one `Spec`, which are pure and not jitted.

    Attributes:
      init: `(hparams, key, example, weights=None) -> RunState`; the model is initialized with `example` `[1, ...]`,
        before standardization; `weights` replace the random initialization.
      updates: `(state, hparams, key, block, steps) -> RunState` after the first `steps` updates of a block. `steps` may
        be traced, so one program serves any number of updates, and the division into blocks does not change the result.
      end_epoch: `(state, hparams, data) -> RunState` after an evaluation and early stopping.
      epoch_block: `(state, hparams, key, data) -> RunState` after one more epoch, with its updates and its end.
    """

    init: Callable[..., RunState]
    updates: Callable[[RunState, Hparams, PRNGKey, Block, ArrayLike], RunState]
    end_epoch: Callable[[RunState, Hparams, TrainData], RunState]
    epoch_block: Callable[[RunState, Hparams, PRNGKey, TrainData], RunState]


def history_names(task: str) -> tuple[str, ...]:
    """Return the columns of a history, named as in `metrics.jsonl`."""
    metrics = [name for name in METRICS[task] if name != "loss"]
    train = [
        "train/loss",
        "train/data_loss",
        "train/penalty",
        *(f"train/{m}" for m in metrics),
        "train/running_loss",
    ]
    return (*train, "val/loss", *(f"val/{m}" for m in metrics), "learning_rate")


def make_program(spec: Spec, make_tx: MakeTx | None = None) -> Program:
    """Build the functions that train one `Spec`.

    Args:
      spec: what to compile.
      make_tx: `hparams -> optax transform`; None builds `spec.optimizer` with the penalties of `hparams` in
        their modes. A custom function must apply all penalties outside the loss itself.

    Returns:
      A `Program`.
    """
    model = as_model(spec.model)
    # An optimizer that is built from the specification fits its penalties by construction.
    check_step, make_tx = make_tx is not None, make_tx or (lambda hparams: optimizer_of(spec, hparams))
    loss_fn = loss_of(spec)
    step = make_step(
        loss_fn,
        make_tx,
        constraint=lambda hparams: hparams.constraint,
        micro_batch=spec.micro_batch_size(),
        check_step=check_step,
    )

    names = history_names(spec.task)

    def init(hparams: Hparams, key: PRNGKey, example: Array, weights: Weights | None = None) -> RunState:
        weights = init_weights(spec, key, hparams.standardized(example)) if weights is None else weights
        start = weights.params if any(p.needs_start for p in hparams.penalties.values()) else None
        hparams = _anchored(hparams, start)
        train = init_train_state(*weights, make_tx(hparams))
        averages = None if hparams.average is None else hparams.average.init(weights)
        # With its dtype: NaN alone is weakly typed, and a state that comes from a file would be another program.
        table = jnp.full((spec.epochs, len(names)), jnp.nan, float_dtype())
        return RunState(
            train=train,
            stop=hparams.stopping.init(),
            # Copied, so that the buffers of the state can be donated.
            best=jax.tree.map(jnp.copy, evaluated_weights(train, averages, hparams)),
            averages=averages,
            loss_sum=jnp.asarray(0.0, float_dtype()),
            history=History(table, jnp.zeros((spec.epochs,), bool), names),
            epoch=jnp.asarray(0, jnp.int32),
            start=jax.tree.map(jnp.copy, start),
        )

    def updates(state: RunState, hparams: Hparams, key: PRNGKey, block: Block, steps: ArrayLike) -> RunState:
        hparams = _anchored(hparams, state.start)

        def body(i: Array, carry: tuple[TrainState, PyTree, Array]) -> tuple[TrainState, PyTree, Array]:
            train, averages, loss_sum = carry
            with jax.named_scope("batch"):
                batch = split_examples(block.batch(i), spec.mesh)
            train, metrics = step(hparams, train, batch, stream(key, STEP, train.step))
            if hparams.average is not None:
                averages, weights = hparams.average.update(averages, Weights(train.params, train.model_state))
                train = train._replace(params=weights.params, model_state=weights.model_state)
            return train, averages, loss_sum + metrics["loss"]

        start = (state.train, state.averages, state.loss_sum)
        train, averages, loss_sum = jax.lax.fori_loop(0, steps, body, start)
        return replicated(state._replace(train=train, averages=averages, loss_sum=loss_sum), spec.mesh)

    def end_epoch(state: RunState, hparams: Hparams, data: TrainData) -> RunState:
        hparams = _anchored(hparams, state.start)
        train, averages = state.train, state.averages
        running_loss = state.loss_sum / spec.steps_per_epoch
        weights = evaluated_weights(train, averages, hparams)
        with jax.named_scope("evaluate"):
            on_train, on_val = _measure(spec, model.apply, weights, hparams, data)
        # A training loss that is not finite must stop the run, even if the validation loss is still finite.
        watched = jnp.where(jnp.isfinite(running_loss), on_val["loss"], jnp.nan)
        stop = hparams.stopping.update(state.stop, watched, on_train["loss"])
        single = train.params if isinstance(weights.params, Ensemble) else weights.params
        penalty = penalty_value(hparams, single, train.step)
        row = {
            "train/loss": on_train["loss"] + penalty,
            "train/data_loss": on_train["loss"],
            "train/penalty": penalty,
            "train/running_loss": running_loss,
            "learning_rate": learning_rate_of(spec, hparams)(train.step - 1),
            **{f"train/{name}": value for name, value in on_train.items() if name != "loss"},
            **{f"val/{name}": value for name, value in on_val.items()},
        }
        table = state.history.table.at[state.epoch].set(jnp.stack([row[name] for name in names]))
        return RunState(
            train=train,
            stop=stop,
            best=keep_best(state.best, weights, stop.improved),
            averages=averages,
            loss_sum=jnp.zeros_like(state.loss_sum),
            history=History(table, state.history.valid.at[state.epoch].set(True), names),
            epoch=state.epoch + 1,
            start=state.start,
        )

    def epoch_block(state: RunState, hparams: Hparams, key: PRNGKey, data: TrainData) -> RunState:
        steps = spec.steps_per_epoch
        with jax.named_scope("shuffle"):
            block = next_block(spec, key, state.train.step, data, hparams.n_train, steps)
        return end_epoch(updates(state, hparams, key, block, steps), hparams, data)

    return Program(init, updates, end_epoch, epoch_block)


def init_weights(spec: Spec, key: PRNGKey, x: Array) -> Weights:
    """Return the initial weights of a run with this key.

    Args:
      spec: the specification, which has the model.
      key: root key of the run.
      x: a batch of inputs of the model, such as `hparams.standardized(data.x[:1])`.

    Returns:
      `Weights`.

    Example:
      >>> import flax.linen as nn
      >>> init_weights(Spec(nn.Dense(2)), jax.random.key(0), jnp.ones((1, 3))).params["kernel"].shape
      (3, 2)
    """
    return Weights(*as_model(spec.model).init(stream(key, INIT), x))


def weight_shapes(spec: Spec, x: Array | np.ndarray) -> Weights:
    """Return the shapes of the weights of a run without computing them; `x` contains at least one example."""
    return jax.eval_shape(lambda: init_weights(spec, jax.random.key(0), jnp.asarray(x[:1])))


def _anchored(hparams: Hparams, start: PyTree) -> Hparams:
    """Return the hyperparameters with the initial parameters in those penalties that refer to them."""
    return hparams._replace(penalties={mode: p.anchored(start) for mode, p in hparams.penalties.items()})


def _measure(
    spec: Spec, apply_fn: ApplyFn, weights: Weights, hparams: Hparams, data: TrainData
) -> tuple[dict[str, Array], dict[str, Array]]:
    """Compute the metrics of the training and validation sets in one pass over both."""
    seen = min(spec.eval_train_examples, data.order.shape[0])
    subset = data.order[:seen]
    x_val, y_val, counts = data.validation()
    x = split_examples(jnp.concatenate([data.x[subset], x_val]), spec.mesh)
    y = hparams.standardized_targets(jnp.concatenate([data.y[subset], y_val]))
    is_train = jnp.arange(seen) < hparams.n_train
    groups = jnp.stack(
        [
            jnp.concatenate([is_train, jnp.zeros_like(counts)]),
            jnp.concatenate([jnp.zeros_like(is_train), counts]),
        ]
    )
    options: dict[str, Value] = {
        "task": spec.task,
        "loss": spec.loss,
        "loss_parameter": hparams.loss_parameter(spec.loss),
        "batch_size": spec.eval_batch_size,
        "ignore_index": spec.ignore_index,
    }
    options["standardize"] = hparams.standardized
    both = evaluate(apply_fn, *weights, x, y, groups, **options)
    return {name: value[0] for name, value in both.items()}, {name: value[1] for name, value in both.items()}
