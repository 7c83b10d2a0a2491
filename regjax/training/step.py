"""The update function `step(hparams, state, batch, key) -> (state, metrics)`."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import optax

from regjax.core.barrier import after_all
from regjax.core.rng import GRADIENT, stream
from regjax.core.tree import leaf_mask, leaf_names
from regjax.core.typing import Array, Aux, Batch, PRNGKey, PyTree
from regjax.optim.applied_penalties import AppliedPenalty, applied_penalties, applied_penalty, with_extra_arguments
from regjax.optim.verify import check_optimizer
from regjax.penalties import Penalty, check_penalty_mode
from regjax.penalties.constraints import Constraint, apply_constraints
from regjax.training.accumulate import loss_and_grads
from regjax.training.loss import LossFn, resolve
from regjax.training.state import TrainState

MakeTx = Callable[[PyTree], optax.GradientTransformation]
TrainStep = Callable[[PyTree, TrainState, Batch, PRNGKey], tuple[TrainState, dict[str, Array]]]


def init_train_state(params: PyTree, model_state: PyTree, tx: optax.GradientTransformation) -> TrainState:
    """Return the state before the first update.

    Args:
      params: initial parameters.
      model_state: other collections of the model, `{}` if it has none.
      tx: the optimizer.

    Example:
      >>> state = init_train_state({"w": jnp.ones(2)}, {}, optax.sgd(0.1))
      >>> int(state.step)
      0
    """
    return TrainState(jnp.asarray(0, jnp.int32), params, model_state, tx.init(params))


def make_step(
    loss_fn: LossFn,
    tx: optax.GradientTransformation | optax.MultiSteps | MakeTx,
    *,
    constraint: Constraint | Callable[[PyTree], Constraint | None] | None = None,
    micro_batch: int | None = None,
    check_step: bool = True,
) -> TrainStep:
    """Make the update function for a loss and an optimizer. It is pure, and the caller jits, scans or vmaps it.

    Args:
      loss_fn: from `build_loss`.
      tx: an optax transform, or a function `hparams -> transform` that is called while tracing, so that the learning
        rate and strengths are data. A transform with extra arguments gets `grad_fn` and `key`, which `rj.sam` and
        `rj.gradient_noise` need.
      constraint: satisfied exactly after every update (`rj.apply_constraints`); may be a function of `hparams`.
      check_step: whether to check while tracing that no other transform in `tx` changes the effect of a penalty
        (`rj.check_optimizer`). With False, nothing is guaranteed.
      micro_batch: size of a micro-batch (`regjax.training.accumulate.loss_and_grads`). None is the whole batch.

    Returns:
      `step(hparams, state, batch, key) -> (state, metrics)`; `metrics` has `"loss"` and the parts of the loss,
      measured in training mode before the update.

    Raises:
      ValueError: when called, if terms of one kind act on the same leaf in two modes, such as `l2` in the loss and `l2`
        in the optimizer; if a term in the loss has no gradient (`l0`); or if `rj.check_optimizer` fails. A loop without
        `make_step` is not checked.

    Example:
      >>> import jax
      >>> from regjax.training.loss import build_loss
      >>> loss_fn = build_loss(lambda v, x: x @ v["params"]["w"], "mse")
      >>> tx = optax.sgd(0.5)
      >>> state = init_train_state({"w": jnp.zeros(1)}, {}, tx)
      >>> state, metrics = make_step(loss_fn, tx)(None, state, Batch(jnp.ones((2, 1)), jnp.ones(2)), jax.random.key(0))
      >>> float(metrics["loss"]), state.params["w"]
      (1.0, Array([1.], dtype=float32))
    """

    def step(hparams: PyTree, state: TrainState, batch: Batch, key: PRNGKey) -> tuple[TrainState, dict[str, Array]]:
        is_transform = isinstance(tx, optax.GradientTransformation | optax.MultiSteps)
        transform = with_extra_arguments(tx if is_transform else tx(hparams))
        check_disjoint(_all_applied(loss_fn.penalty_for(hparams), state.opt_state), state.params)
        if check_step:
            check_optimizer(transform, state.params)

        def gradient_at(params: PyTree) -> tuple[tuple[Array, Aux], PyTree]:
            return loss_and_grads(
                loss_fn,
                params,
                batch,
                key,
                model_state=state.model_state,
                hparams=hparams,
                step=state.step,
                micro_batch=micro_batch,
            )

        # The scopes name the parts of an update in a profile.
        with jax.named_scope("gradients"):
            (loss, aux), grads = gradient_at(state.params)
            grads = after_all(grads)
        # grad_fn serves optimizers such as SAM, which compute gradients at other points on the same batch and noise.
        with jax.named_scope("optimizer"):
            updates, opt_state = transform.update(
                grads,
                state.opt_state,
                state.params,
                grad_fn=lambda params, _: gradient_at(params)[1],
                key=stream(key, GRADIENT),
            )
            params = apply_constraints(resolve(constraint, hparams), optax.apply_updates(state.params, updates))
        return TrainState(state.step + 1, params, aux.model_state, opt_state), {"loss": loss, **aux.parts}

    return step


def check_disjoint(penalties: Sequence[AppliedPenalty], params: PyTree) -> None:
    """Check that no two terms of one kind act on the same leaf in different modes. The check runs only while tracing.

    Args:
      penalties: all penalties that are applied; a mode may occur several times.
      params: parameters, or their shapes.

    Raises:
      ValueError: names the kind of term, the leaf and both modes.
    """
    names = leaf_names(params)
    seen: dict[tuple[str, str], str] = {}
    for applied in penalties:
        for kind, where in applied.terms:
            for name in [n for n, chosen in zip(names, leaf_mask(params, where), strict=True) if chosen]:
                other = seen.setdefault((kind, name), applied.mode)
                if other != applied.mode:
                    raise ValueError(
                        f"{kind} acts on {name} in two modes, {other} and {applied.mode}; choose one penalty_mode"
                    )


def _all_applied(in_loss: Penalty | None, opt_state: PyTree) -> list[AppliedPenalty]:
    applied = list(applied_penalties(opt_state))
    if in_loss is not None:
        check_penalty_mode(in_loss, "loss")
        applied.append(applied_penalty("loss", in_loss))
    return applied
