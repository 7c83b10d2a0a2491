"""Gaussian noise on the gradient, as an optax transform."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import optax

from regjax import noise
from regjax.core.checks import check_range
from regjax.core.tree import is_weight_leaf
from regjax.core.typing import ArrayLike, PyTree, Value
from regjax.optim.verify import PROBE


def gradient_noise(eta: ArrayLike, gamma: ArrayLike = 0.55) -> optax.GradientTransformationExtraArgs:
    """Adds Gaussian noise of decaying variance to the gradient: `g + n_t`, `n_t ~ N(0, eta / (1 + t)^gamma)`.

    It goes before an optimizer in `optax.chain`. `update` needs a new `key=` in each step; `rj.make_step` passes it.

    Args:
      eta: variance at step 0, >= 0; a number or a traced array.
      gamma: >= 0, exponent of the decay.

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

    def update(
        grads: PyTree, state: optax.ScaleByScheduleState, params: PyTree | None = None, **extra: Value
    ) -> tuple[PyTree, optax.OptState]:
        del params
        if extra.get("key") is None:
            if PROBE in extra:
                return grads, state
            raise ValueError("gradient_noise: update needs key=, one for each step; rj.make_step gives it")
        # The root has no finite derivative at 0.
        variance = jnp.asarray(eta, jnp.float32) / (1.0 + state.count) ** gamma
        stddev = jnp.where(variance > 0, jnp.sqrt(jnp.where(variance > 0, variance, 1.0)), 0.0)
        leaves, treedef = jax.tree.flatten(grads)
        noisy = [
            noise.gaussian_noise(jax.random.fold_in(extra["key"], i), g, stddev) if is_weight_leaf(g) else g
            for i, g in enumerate(leaves)
        ]
        return jax.tree.unflatten(treedef, noisy), optax.ScaleByScheduleState(state.count + 1)

    return optax.GradientTransformationExtraArgs(lambda params: optax.ScaleByScheduleState(jnp.int32(0)), update)
