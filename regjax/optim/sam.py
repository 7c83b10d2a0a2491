"""Sharpness-aware minimization as an optax transform."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import optax
import optax.contrib

from regjax.core.checks import check_range
from regjax.core.typing import Array, ArrayLike, PyTree, Value
from regjax.optim.verify import PROBE


def sam(tx: optax.GradientTransformation, rho: ArrayLike = 0.05) -> optax.GradientTransformationExtraArgs:
    """Sharpness-aware minimization: uses the gradient at the adversarial point `w + rho g / ||g||`.

    `optax.contrib.sam` in its opaque mode: one update takes **two gradients** and counts as one step everywhere.
    `update` needs `grad_fn=(params, i) -> gradients`; `rj.make_step` passes it.

    Args:
      tx: the optimizer that uses the gradient, including its penalties.
      rho: radius >= 0, in the joint norm of all parameters; a number or a traced array.

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

    def ascend(grads: PyTree, state: optax.EmptyState, params: PyTree | None = None) -> tuple[PyTree, optax.OptState]:
        del params
        norm = optax.tree.norm(grads)
        # optax.contrib.normalize divides by zero at a stationary point.
        scale = jnp.where(norm > 0, rho / jnp.where(norm > 0, norm, 1.0), 0.0)
        return jax.tree.map(lambda g: (-scale * g).astype(g.dtype), grads), state

    adversary = optax.GradientTransformation(lambda params: optax.EmptyState(), ascend)
    inner = optax.contrib.sam(tx, adversary, sync_period=2, opaque_mode=True)

    def update(
        grads: PyTree,
        state: optax.OptState,
        params: PyTree | None = None,
        *,
        grad_fn: Callable[[PyTree, Array], PyTree] | None = None,
        **extra: Value,
    ) -> tuple[PyTree, optax.OptState]:
        if PROBE in extra:
            updates, opt_state = optax.with_extra_args_support(tx).update(grads, state.opt_state, params, **extra)
            return updates, state._replace(opt_state=opt_state)
        if grad_fn is None:
            raise ValueError("sam: update needs grad_fn=(params, i) -> gradients; rj.make_step gives it")
        # Extra arguments are for other transforms; optax's sam refuses unknown ones.
        return inner.update(grads, state, params, grad_fn=grad_fn)

    return optax.GradientTransformationExtraArgs(inner.init, update)
