"""Step sizes that differ between the entries of a leaf: the Adam family, RMSProp, Adagrad.

They divide by the root of a second moment `v`. An entry with `v = 0` has not had a gradient yet, as the embedding of a
token that has not occurred. The formula then gives `lr / eps`, so that one update of any strength would erase it. The
optimizer does not move such an entry, so every positive step has the same solutions; these functions use `lr` over the
root mean square of the other entries of the leaf, and 0 if no entry has had a gradient. An unused weight then vanishes
as fast as an ordinary one.

`experiments/studies/unreached_entries.py` compares both on 2,000 tokens with Zipf's law, strength 1e-5 and learning
rate 1e-3: after the first update the formula has erased 76% of the rows of the embedding, these steps none. A step of
0 would leave the weights of all-zero columns at their initial values, which is not the solution of the lasso.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax

from regjax.core.checks import check_range
from regjax.core.dtypes import float_dtype
from regjax.core.typing import Array, ArrayLike, Numeric, PyTree
from regjax.optim.stepsizes.base import LearningRate, StepSize, check_rate, current, only, states


def adam(learning_rate: LearningRate, b2: ArrayLike = 0.999, eps: ArrayLike = 1e-8) -> StepSize:
    """Step size of Adam at update `t` (from 1): `T_i = lr / (sqrt(v_i / (1 - b2^t)) + eps)`, elementwise.

    `v` is read from the state of the wrapped optimizer; `lr`, `b2` and `eps` are not in it and must be those of the
    optimizer. `rj.make_optimizer("adam", ...)` takes care of that.

    Args:
      learning_rate: > 0; a number, a traced array or a schedule `count -> number`. Inside
        `optax.inject_hyperparams` the values in its state are used, here and for the other arguments.
      b2: decay of the second moment, in [0, 1).
      eps: the optimizer's `eps`, added outside the root.

    Returns:
      A `StepSize` shaped like the parameters. For entries without a gradient so far, see this module.

    Raises:
      ValueError: a concrete value out of range; when used, an optimizer without exactly one Adam state.

    Example:
      >>> adam(1e-3, b2=0.999, eps=1e-8).elementwise
      True
    """
    return _adam("stepsizes.adam", learning_rate, None, b2, eps)


def nadam(learning_rate: LearningRate, b1: ArrayLike = 0.9, b2: ArrayLike = 0.999, eps: ArrayLike = 1e-8) -> StepSize:
    """Step size of Adam with Nesterov momentum at update `t` (from 1): that of `adam` times a gain.

    `gain = b1 (1 - b1^t) / (1 - b1^(t+1)) + (1 - b1) / (1 - b1^t)`, the effect of `optax.nadam` on a constant gradient.

    Args:
      learning_rate: as in `adam`.
      b1: decay of the first moment, in [0, 1).
      b2: decay of the second moment, in [0, 1).
      eps: the optimizer's `eps`, added outside the root.

    Returns:
      A `StepSize` shaped like the parameters.

    Raises:
      ValueError: a concrete value out of range; when used, an optimizer without exactly one Adam state.

    Example:
      >>> nadam(1e-3).elementwise
      True

    Reference:
      Dozat, Incorporating Nesterov momentum into Adam, 2016.
    """
    check_range("stepsizes.nadam: b1", b1, 0.0, 1.0, high_open=True)
    return _adam("stepsizes.nadam", learning_rate, b1, b2, eps)


def amsgrad(learning_rate: LearningRate, eps: ArrayLike = 1e-8) -> StepSize:
    """Step size of AMSGrad: `T_i = lr / (sqrt(max_t v_i) + eps)`, the maximum of the corrected second moments so far.

    Args:
      learning_rate: as in `adam`.
      eps: the optimizer's `eps`, added outside the root.

    Returns:
      A `StepSize` shaped like the parameters.

    Raises:
      ValueError: a concrete value out of range; when used, an optimizer without exactly one AMSGrad state.

    Example:
      >>> amsgrad(1e-3).elementwise
      True

    Reference:
      Reddi, Kale and Kumar, On the convergence of Adam and beyond, 2018.
    """
    return _divided(
        "stepsizes.amsgrad",
        learning_rate,
        eps,
        lambda name, state, e: only(name, optax.ScaleByAmsgradState, state).nu_max,
        lambda v, e: jnp.sqrt(v) + e,
    )


def adamax(learning_rate: LearningRate, eps: ArrayLike = 1e-8) -> StepSize:
    """Step size of AdaMax: `T_i = lr / u_i`, with `u_i = max(b2 u_i, |g_i| + eps)` from the optimizer's state.

    Args:
      learning_rate: as in `adam`.
      eps: the optimizer's `eps`.

    Returns:
      A `StepSize` shaped like the parameters.

    Raises:
      ValueError: a concrete value out of range; when used, an optimizer without exactly one state of this kind.

    Example:
      >>> adamax(1e-3).elementwise
      True

    Reference:
      Kingma and Ba, Adam: a method for stochastic optimization, 2015, section 7.1.
    """

    def squares(name: str, state: PyTree, e: Numeric) -> PyTree:
        norms = only(name, optax.ScaleByAdamState, state).nu
        # The norm of an entry without a gradient is eps.
        return jax.tree.map(lambda u: jnp.where(u <= 1.001 * e, 0.0, jnp.square(u)), norms)

    return _divided("stepsizes.adamax", learning_rate, eps, squares, lambda v, e: jnp.sqrt(v))


def rmsprop(learning_rate: LearningRate, eps: ArrayLike = 1e-8, *, eps_in_sqrt: bool = True) -> StepSize:
    """Step size of RMSProp without momentum: `T_i = lr / sqrt(v_i + eps)`, or `lr / (sqrt(v_i) + eps)`.

    `v` is read from the state of the wrapped optimizer, after its update.

    Args:
      learning_rate: as in `adam`.
      eps: the optimizer's `eps`.
      eps_in_sqrt: as in `optax.rmsprop`; False is PyTorch's form.

    Returns:
      A `StepSize` shaped like the parameters. For entries without a gradient so far, see this module.

    Raises:
      ValueError: a concrete value out of range; when used, an optimizer without exactly one RMSProp state, or with
        momentum, for which the step is unknown.

    Example:
      >>> rmsprop(1e-3).elementwise
      True
    """

    def moment(name: str, state: PyTree, e: Numeric) -> PyTree:
        del e
        if states(optax.TraceState, state):
            raise ValueError(f"{name}: the step of RMSProp with momentum is not known; use momentum=None")
        return only(name, optax.ScaleByRmsState, state).nu

    root = (lambda v, e: jnp.sqrt(v + e)) if eps_in_sqrt else (lambda v, e: jnp.sqrt(v) + e)
    return _divided("stepsizes.rmsprop", learning_rate, eps, moment, root)


def adagrad(learning_rate: LearningRate, eps: ArrayLike = 1e-7) -> StepSize:
    """Step size of Adagrad: `T_i = lr / sqrt(sum of squared gradients + eps)`, elementwise.

    Args:
      learning_rate: as in `adam`.
      eps: the optimizer's `eps`.

    Returns:
      A `StepSize` shaped like the parameters. For entries without a gradient so far, see this module.

    Raises:
      ValueError: a concrete value out of range; when used, an optimizer without exactly one Adagrad state.

    Example:
      >>> adagrad(1e-3).elementwise
      True
    """
    return _divided(
        "stepsizes.adagrad",
        learning_rate,
        eps,
        lambda name, state, e: only(name, optax.ScaleByRssState, state).sum_of_squares,
        lambda v, e: jnp.sqrt(v + e),
    )


def _adam(name: str, learning_rate: LearningRate, b1: Numeric, b2: ArrayLike, eps: ArrayLike) -> StepSize:
    """The step size of Adam or, with `b1`, of its Nesterov variant."""
    check_range(f"{name}: b2", b2, 0.0, 1.0, high_open=True)

    def moment(name: str, state: PyTree, e: Numeric) -> PyTree:
        del e
        adam_state = only(name, optax.ScaleByAdamState, state)
        correction = 1 - _float(current("b2", b2, state, adam_state.count)) ** adam_state.count
        return jax.tree.map(lambda v: v / correction, adam_state.nu)

    def gain(state: PyTree) -> Numeric:
        if b1 is None:
            return 1.0
        t = only(name, optax.ScaleByAdamState, state).count
        m = _float(current("b1", b1, state, t))
        return m * (1 - m**t) / (1 - m ** (t + 1)) + (1 - m) / (1 - m**t)

    return _divided(name, learning_rate, eps, moment, lambda v, e: jnp.sqrt(v) + e, gain)


def _divided(
    name: str,
    learning_rate: LearningRate,
    eps: ArrayLike,
    moment: Callable[[str, PyTree, Numeric], PyTree],
    root: Callable[[Array, Numeric], Array],
    gain: Callable[[PyTree], Numeric] = lambda state: 1.0,
) -> StepSize:
    """`lr gain / root(v, eps)`, with the second moment `v` from the optimizer state."""
    check_rate(name, learning_rate)
    check_range(f"{name}: eps", eps, 0.0)

    def compute(state: PyTree, count: Array, params: PyTree) -> PyTree:
        del params
        e = current("eps", eps, state, count)
        moments = moment(name, state, e)
        rate = current("learning_rate", learning_rate, state, count) * gain(state)
        return jax.tree.map(lambda v: _over(rate, v, lambda v: root(v, e)), moments)

    return StepSize(compute, elementwise=True)


def _float(number: ArrayLike) -> Array:
    return jnp.asarray(number, float_dtype())


def _over(rate: Numeric, v: Array, root: Numeric) -> Array:
    """`rate / root(v)`, where a `v` of 0 is replaced by the mean of the others in the leaf; 0 if all are 0."""
    reached = v > 0
    count = jnp.sum(reached)
    mean = jnp.sum(jnp.where(reached, v, 0.0)) / jnp.maximum(count, 1)
    # A non-zero argument of the root keeps derivatives finite.
    v = jnp.where(v == 0, jnp.where(count > 0, mean, 1.0), v)
    return jnp.where(reached | (count > 0), rate / root(v), 0.0)
