"""Step sizes that are one number for each leaf: gradient descent, momentum, frozen leaves, partitions."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp
import optax

from regjax.core.checks import check_range
from regjax.core.dtypes import float_dtype
from regjax.core.typing import Array, ArrayLike, Numeric, PyTree
from regjax.optim.stepsizes.base import LearningRate, StepSize, check_rate, current, only


def sgd(learning_rate: LearningRate, momentum: ArrayLike = 0.0, *, nesterov: bool = False) -> StepSize:
    """Step size of gradient descent, heavy-ball or Nesterov momentum at update `t` (from 1).

    `T = lr (1 - mu^t) / (1 - mu)`; with Nesterov's correction `lr (1 - mu^(t+1)) / (1 - mu)`. This is the
    size of the update for a constant gradient of one.

    Args:
      learning_rate: > 0; a number, a traced array or a schedule `count -> number`. Inside
        `optax.inject_hyperparams` the value in its state is used.
      momentum: `mu` in [0, 1); the `momentum` or `decay` of the optimizer.
      nesterov: whether the optimizer uses Nesterov's correction.

    Returns:
      A scalar `StepSize`.

    Raises:
      ValueError: a concrete value out of range.

    Example:
      >>> float(sgd(0.1, momentum=0.5).compute((), jnp.int32(1), {}))  # second update: 0.1 * (1 + 0.5)
      0.15000000596046448
    """
    check_rate("stepsizes.sgd", learning_rate)
    check_range("stepsizes.sgd: momentum", momentum, 0.0, 1.0, high_open=True)

    def compute(state: PyTree, count: Array, params: PyTree) -> Array:
        del params
        mu = jnp.asarray(current("momentum", momentum, state, count), float_dtype())
        updates = count + (2 if nesterov else 1)
        gain = (1 - jnp.power(mu, updates)) / (1 - mu)
        return jnp.asarray(current("learning_rate", learning_rate, state, count), float_dtype()) * gain

    return StepSize(compute, elementwise=False)


def plain(learning_rate: LearningRate) -> StepSize:
    """The plain learning rate for any optimizer: a threshold `lr * s`, as in many published recipes.

    For any optimizer but gradient descent this is **not** the penalized problem: with momentum `mu` the solution is
    that of strength `s (1 - mu)`, and with Adam that of no fixed strength. Use it to reproduce such a recipe.

    Args:
      learning_rate: > 0; a number, a traced array or a schedule `count -> number`. Inside
        `optax.inject_hyperparams` the value in its state is used.

    Returns:
      A scalar `StepSize`.

    Example:
      >>> plain(0.1).elementwise
      False
    """
    check_rate("stepsizes.plain", learning_rate)

    def compute(state: PyTree, count: Array, params: PyTree) -> Array:
        del params
        return jnp.asarray(current("learning_rate", learning_rate, state, count), float_dtype())

    return StepSize(compute, elementwise=False, is_exact=False)


def frozen() -> StepSize:
    """Step size 0, for leaves that the optimizer does not move, as with `optax.set_to_zero`.

    Example:
      >>> float(frozen().compute((), 0, {}))
      0.0
    """
    return StepSize(lambda state, count, params: jnp.float32(0.0), elementwise=False)


def partition(steps: Mapping[str, StepSize], labels: PyTree | Callable[[PyTree], PyTree]) -> StepSize:
    """Step size of `optax.partition` (`optax.multi_transform`): each leaf has that of the optimizer of its label.

    Args:
      steps: the step size of the optimizer for each label; `frozen()` for `optax.set_to_zero`.
      labels: as given to `optax.partition`: a tree of labels (or a prefix of one) or a function of the parameters.

    Returns:
      A `StepSize` shaped like the parameters.

    Raises:
      ValueError: when used, labels without a step, or an optimizer without exactly one state of a partition.

    Example:
      >>> labels = {"body": "slow", "head": "fast"}
      >>> tx = optax.partition({"slow": optax.sgd(0.01), "fast": optax.sgd(0.1)}, labels)
      >>> step = partition({"slow": sgd(0.01), "fast": sgd(0.1)}, labels)
      >>> params = {"body": jnp.ones(2), "head": jnp.ones(2)}
      >>> {name: round(float(t), 3) for name, t in step.compute(tx.init(params), 0, params).items()}
      {'body': 0.01, 'head': 0.1}
    """

    def compute(state: PyTree, count: Array, params: PyTree) -> PyTree:
        inner = only("stepsizes.partition", optax.PartitionState, state).inner_states
        label_tree = labels(params) if callable(labels) else labels
        # A label may stand for a whole subtree.
        label_tree = jax.tree.map(lambda label, subtree: jax.tree.map(lambda _: label, subtree), label_tree, params)
        leaf_labels, treedef = jax.tree.flatten(label_tree)
        unknown = sorted({str(label) for label in leaf_labels} - set(steps))
        if unknown:
            raise ValueError(f"stepsizes.partition: no step for the labels {', '.join(unknown)}; given: {list(steps)}")
        out: list[Numeric] = [None] * len(leaf_labels)
        for label in dict.fromkeys(leaf_labels):
            positions = [i for i, other in enumerate(leaf_labels) if other == label]
            step = steps[label].compute(inner[label].inner_state, count, params)
            is_scalar = jax.tree_util.treedef_is_leaf(jax.tree.structure(step))
            # The state for a label holds only the leaves of that label, in the order of the whole tree.
            for i, value in zip(
                positions, [step] * len(positions) if is_scalar else jax.tree.leaves(step), strict=True
            ):
                out[i] = value
        return jax.tree.unflatten(treedef, out)

    return StepSize(
        compute,
        elementwise=any(step.elementwise for step in steps.values()),
        is_exact=all(step.is_exact for step in steps.values()),
    )
