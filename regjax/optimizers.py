"""Optimizers by name, with the penalty on the route that was asked for and the right threshold by construction."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import optax.contrib

from regjax import noise, stepsizes
from regjax.checks import InputError, check_choice, check_range
from regjax.constraints import Constraint
from regjax.penalties import Penalty
from regjax.stepsizes import LearningRate
from regjax.transforms import MODES, project, regularize
from regjax.typing import ArrayLike, PyTree

OPTIMIZERS = ("sgd", "momentum", "nesterov", "adam", "rmsprop", "adagrad")


def make_optimizer(
    name: str,
    learning_rate: LearningRate,
    *,
    penalty: Penalty | None = None,
    mode: str = "coupled",
    constraint: Constraint | None = None,
    momentum: ArrayLike = 0.9,
    b1: ArrayLike = 0.9,
    b2: ArrayLike = 0.999,
    eps: ArrayLike = 1e-8,
    decay: ArrayLike = 0.9,
) -> optax.GradientTransformation:
    """An optimizer with a penalty, consistent by construction.

    Args:
      name: `"sgd"`, `"momentum"` (heavy ball), `"nesterov"`, `"adam"`, `"rmsprop"` or `"adagrad"`. `"adam"` with
        `l2(s)` and mode `"decoupled"` is AdamW with `weight_decay = 2 s`.
      learning_rate: > 0; a number, a traced array, a schedule, or `rj.BaseAndShape` (which mode `"independent"`
        needs when the rate is scheduled).
      penalty: optional.
      mode: `"coupled"`, `"decoupled"`, `"independent"` or `"proximal"`; see `regjax.transforms`.
      momentum: of `"momentum"` and `"nesterov"`, in [0, 1).
      b1: Adam's first decay, in [0, 1).
      b2: Adam's second decay, in [0, 1).
      eps: >= 0, of Adam (outside the root), RMSProp and Adagrad (inside).
      decay: of the second moment of RMSProp, in [0, 1).
      constraint: optional; every update ends inside it (to rounding; `rj.apply_constraints` is exact).

    Returns:
      An optax transform whose `update` needs `params` when there is a penalty.

    Raises:
      InputError: unknown name or mode.
      ValueError: a concrete number out of range, or mode `"loss"`, which belongs to `rj.build_loss`.

    Example:
      >>> from regjax.penalties import l1
      >>> tx = make_optimizer("adam", 1e-3, penalty=l1(1e-4), mode="proximal")
    """
    check_choice("mode", mode, MODES)
    penalties = {} if penalty is None else {mode: penalty}
    tx = with_penalties(name, learning_rate, penalties, momentum=momentum, b1=b1, b2=b2, eps=eps, decay=decay)
    return tx if constraint is None else optax.chain(tx, project(constraint))


def with_penalties(
    name: str,
    learning_rate: LearningRate,
    penalties: Mapping[str, Penalty],
    *,
    momentum: ArrayLike = 0.9,
    b1: ArrayLike = 0.9,
    b2: ArrayLike = 0.999,
    eps: ArrayLike = 1e-8,
    decay: ArrayLike = 0.9,
) -> optax.GradientTransformation:
    """Like `make_optimizer`, with a penalty for each of several routes, as `{"coupled": l2(.1)}`.

    The proximal step acts on the finished update, so its zeros are final.

    Raises:
      InputError: unknown name or mode.
      ValueError: as `make_optimizer`.

    Example:
      >>> from regjax.penalties import l1, l2
      >>> tx = with_penalties("sgd", 0.1, {"coupled": l2(0.01), "proximal": l1(0.1)})
    """
    if name == "adamw":
        raise InputError("optimizer 'adamw' is 'adam' with penalty l2(weight_decay / 2) and mode 'decoupled'")
    check_choice("optimizer", name, OPTIMIZERS)
    if not callable(learning_rate):
        check_range("make_optimizer: learning_rate", learning_rate, 0.0, low_open=True)
    for label, value in (("momentum", momentum), ("b1", b1), ("b2", b2), ("decay", decay)):
        check_range(f"make_optimizer: {label}", value, 0.0, 1.0, high_open=True)
    check_range("make_optimizer: eps", eps, 0.0)

    if name == "adam":
        tx = optax.adam(learning_rate, b1=b1, b2=b2, eps=eps)
        stepsize = stepsizes.adam(learning_rate, b2, eps)
    elif name == "rmsprop":
        tx = optax.rmsprop(learning_rate, decay=decay, eps=eps)
        stepsize = stepsizes.rmsprop(learning_rate, eps)
    elif name == "adagrad":
        tx = optax.adagrad(learning_rate, eps=eps)
        stepsize = stepsizes.adagrad(learning_rate, eps)
    else:
        mu, nesterov = (0.0 if name == "sgd" else momentum), name == "nesterov"
        tx = optax.sgd(learning_rate, momentum=None if name == "sgd" else mu, nesterov=nesterov)
        stepsize = stepsizes.sgd(learning_rate, mu, nesterov=nesterov)
    for mode in sorted(penalties, key=MODES.index):  # proximal is the last of MODES
        needs: dict[str, Any] = {}
        if mode == "proximal":
            needs |= {"stepsize": stepsize, "check_stepsize": False}  # they were made for each other
        elif mode in ("decoupled", "independent"):
            needs["learning_rate"] = learning_rate
        tx = regularize(tx, penalties[mode], mode=mode, **needs)
    return tx


def sam(tx: optax.GradientTransformation, rho: ArrayLike = 0.05) -> optax.GradientTransformationExtraArgs:
    """Sharpness-aware minimization: the gradient is taken at the worst point nearby, `w + rho g / ||g||`.

    `optax.contrib.sam` in its opaque mode: one update takes **two gradients**, and counts as one step everywhere.
    `update` needs `grad_fn=(params, i) -> gradients`; `rj.make_step` gives it.

    Args:
      tx: the optimizer that uses the gradient, penalties on its side included.
      rho: radius >= 0, in the norm of all parameters together; a number or a traced array.

    Returns:
      An optax transform.

    Raises:
      ValueError: a concrete radius that is negative or NaN.

    Example:
      >>> import jax
      >>> loss = lambda w: w**2
      >>> tx = sam(optax.sgd(0.5), rho=1.0)
      >>> updates, _ = tx.update(jax.grad(loss)(2.0), tx.init(2.0), 2.0, grad_fn=lambda w, i: jax.grad(loss)(w))
      >>> float(updates)  # the gradient is taken at 3
      -3.0

    Reference:
      Foret, Kleiner, Mobahi and Neyshabur, Sharpness-aware minimization for efficiently improving generalization, 2021.
    """
    check_range("sam: rho", rho, 0.0, np.inf, high_open=True)

    def ascend(grads: PyTree, state: optax.EmptyState, params: PyTree | None = None) -> tuple[PyTree, Any]:
        del params
        norm = optax.tree.norm(grads)
        # optax.contrib.normalize divides by zero at a stationary point.
        scale = jnp.where(norm > 0, rho / jnp.where(norm > 0, norm, 1.0), 0.0)
        return jax.tree.map(lambda g: (-scale * g).astype(g.dtype), grads), state

    adversary = optax.GradientTransformation(lambda params: optax.EmptyState(), ascend)
    inner = optax.contrib.sam(tx, adversary, sync_period=2, opaque_mode=True)

    def update(grads: PyTree, state: Any, params: PyTree | None = None, *, grad_fn: Any, **extra: Any) -> Any:
        del extra  # meant for other transforms; optax's refuses what it does not know
        return inner.update(grads, state, params, grad_fn=grad_fn)

    return optax.GradientTransformationExtraArgs(inner.init, update)


def gradient_noise(eta: ArrayLike, gamma: ArrayLike = 0.55) -> optax.GradientTransformationExtraArgs:
    """Adds normal noise to the gradient whose variance decays: `g + n_t`, `n_t ~ N(0, eta / (1 + t)^gamma)`.

    Put before an optimizer in `optax.chain`. `update` needs `key=`, one for each step; `rj.make_step` gives it.

    Args:
      eta: variance at step 0, >= 0; a number or a traced array.
      gamma: >= 0, how fast it decays.

    Returns:
      An optax transform.

    Raises:
      ValueError: a concrete number out of range; when called, no key.

    Example:
      >>> tx = gradient_noise(0.01)
      >>> updates, state = tx.update(jnp.zeros(2), tx.init(jnp.zeros(2)), key=jax.random.key(0))
      >>> int(state.count)
      1

    Reference:
      Neelakantan et al., Adding gradient noise improves learning for very deep networks, 2015.
    """
    check_range("gradient_noise: eta", eta, 0.0, np.inf, high_open=True)
    check_range("gradient_noise: gamma", gamma, 0.0, np.inf, high_open=True)

    def update(grads: PyTree, state: optax.ScaleByScheduleState, params: PyTree | None = None, **extra: Any) -> Any:
        del params
        if extra.get("key") is None:
            raise ValueError("gradient_noise: update needs key=, one for each step; rj.make_step gives it")
        # The root has no finite derivative at 0.
        variance = jnp.asarray(eta, jnp.float32) / (1.0 + state.count) ** gamma
        stddev = jnp.where(variance > 0, jnp.sqrt(jnp.where(variance > 0, variance, 1.0)), 0.0)
        leaves, treedef = jax.tree.flatten(grads)
        noisy = [
            noise.gaussian_noise(jax.random.fold_in(extra["key"], i), g, stddev) if _is_inexact(g) else g
            for i, g in enumerate(leaves)
        ]
        return jax.tree.unflatten(treedef, noisy), optax.ScaleByScheduleState(state.count + 1)

    return optax.GradientTransformationExtraArgs(lambda params: optax.ScaleByScheduleState(jnp.int32(0)), update)


def _is_inexact(leaf: Any) -> bool:
    return bool(jnp.issubdtype(jnp.asarray(leaf).dtype, jnp.inexact))
