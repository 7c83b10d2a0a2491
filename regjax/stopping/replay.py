"""What an early-stopping rule would have done on curves that are there already, without training again."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from regjax.core.checks import is_traced
from regjax.core.dtypes import float_dtype
from regjax.core.typing import Array, ArrayLike
from regjax.stopping.early_stopping import EarlyStopping, StopState


def replay(stopper: EarlyStopping, values: ArrayLike, train_values: ArrayLike | None = None) -> StopState:
    """Replay an early-stopping rule on whole curves of validation values.

    One long run serves every rule: what a rule would have kept, and when it would have stopped, follows from the curve
    alone. All curves are replayed in one compiled program; other numbers of the rule do not compile it again. As in any
    compiled program, values are compared in JAX's floating-point type.

    Args:
      stopper: the rule; its numbers may be traced, so that `jax.vmap` replays many patiences at once.
      values: validation values `[..., T]`, of T evaluations.
      train_values: training losses of the same evaluations, `[..., T]`; criterion `"pq"` needs them.

    Returns:
      The final state of each curve, `[...]`: `count` is the number of evaluations until the stop (T if it did not
      stop), `best_step` and `best_value` what it kept, `reason` why it stopped, 0 if it did not.

    Raises:
      ValueError: there are no evaluations, the shapes differ, the training losses are missing, or criterion `"gl"` or
        `"pq"` gets a value below 0.

    Example:
      >>> curves = jnp.array([[4.0, 3.0, 3.5, 3.4, 3.3], [4.0, 3.0, 2.0, 1.0, 0.5]])
      >>> state = replay(EarlyStopping(patience=2), curves)
      >>> state.count.tolist(), state.best_step.tolist(), state.should_stop.tolist()
      ([4, 5], [1, 4], [True, False])

    Reference:
      Prechelt, Early stopping - but when?, 1998.
    """
    curves = jnp.asarray(values, float_dtype())
    if curves.ndim == 0 or 0 in curves.shape:
        raise ValueError(f"replay: values must be curves [..., T] of at least one evaluation, got shape {curves.shape}")
    if train_values is None:
        if stopper.criterion == "pq":
            raise ValueError("replay: criterion 'pq' needs train_values")
        train = jnp.full_like(curves, jnp.nan)
    else:
        train = jnp.asarray(train_values, float_dtype())
        if train.shape != curves.shape:
            raise ValueError(f"replay: train_values must be like values {curves.shape}, got shape {train.shape}")
    if stopper.criterion in ("gl", "pq") and not is_traced(curves) and bool((curves < 0).any()):
        raise ValueError(f"replay: criterion {stopper.criterion!r} is for losses >= 0, got {float(np.nanmin(curves))}")
    flat = _replayed(stopper.canonical(), curves.reshape(-1, curves.shape[-1]), train.reshape(-1, curves.shape[-1]))
    return jax.tree.map(lambda leaf: leaf.reshape(curves.shape[:-1] + leaf.shape[1:]), flat)


@jax.jit
def _replayed(stopper: EarlyStopping, curves: Array, train: Array) -> StopState:
    def of_curve(values: Array, losses: Array) -> StopState:
        def step(state: StopState, pair: tuple[Array, Array]) -> tuple[StopState, None]:
            return stopper.update(state, *pair), None

        return jax.lax.scan(step, stopper.init(), (values, losses))[0]

    return jax.vmap(of_curve)(curves, train)
