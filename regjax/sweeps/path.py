"""Regularization paths of nets: one run after another, each of which starts from the weights of the one before."""

from __future__ import annotations

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from regjax.core.tree import leaf_names, weight_leaves
from regjax.core.typing import Array, PRNGKey, PyTree
from regjax.training.program import init_weights
from regjax.training.run import Run, RunResult
from regjax.training.spec import Hparams, Spec
from regjax.training.state import TrainData, Weights


class Path(NamedTuple):
    """The points of a path in the order of training; each array has a leading axis of P points.

    Attributes:
      result: the runs, with weights, histories and epochs.
      zeros: `float32[P]`: fraction of the weights that are exactly zero; weights are those of `weight_leaves`.
      norm: `float32[P]`: Euclidean norm of all weights.
      inputs: `float32[P, F]`: norm of the weights that leave each input feature; None if no input layer is known.
    """

    result: RunResult
    zeros: Array
    norm: Array
    inputs: Array | None


@functools.partial(jax.jit, static_argnums=0, static_argnames="input_layer")
def path(
    run: Run,
    hparams: Hparams,
    key: PRNGKey,
    data: TrainData,
    *,
    seed: Array | int = 0,
    weights: Weights | None = None,
    input_layer: str | None = None,
) -> Path:
    """Train a run for each of P settings, each from the weights of the run before, as one compiled program.

      w_0 = train(hparams[0], w_init),   w_p = train(hparams[p], w_{p-1})

    From weak to strong a penalty takes weights away from a net that fits; from strong to weak it lets them in, as in
    the path of a lasso. For a convex problem that is trained to convergence both are the same; for a net they need not
    be. Every run has the same key, so the examples come in the same order at every point.

    Args:
      run: from `make_run`; its epochs are those of each point.
      hparams: stacked, each leaf `[P, ...]`, in the order of training; see `stack_hparams`.
      key: root key of all runs.
      data: as for `run`.
      seed: row of those arrays in `data` that differ between seeds.
      weights: where the first run starts; None is a random initialization by the key.
      input_layer: name of the leaf whose first axis is the input features, such as `"hidden_0/kernel"`; None takes the
        only weight matrix with as many rows as there are features.

    Returns:
      A `Path`. With `restore_best` the next point starts from the best weights, too.

    Raises:
      ValueError: the hyperparameters are not stacked, or `input_layer` is not a weight matrix with one row for each
        feature.

    Example:
      >>> from regjax.training.run import make_run
      >>> from regjax.training.spec import make_hparams, stack_hparams
      >>> x = jax.random.normal(jax.random.key(0), (64, 3))
      >>> data = TrainData(x, x[:, 0], jnp.arange(64), x, x[:, 0])
      >>> linear = (lambda key, x: {"w": jnp.zeros((3, 1))}, lambda params, x: (x @ params["w"])[:, 0])
      >>> spec = Spec(linear, task="regression", batch_size=64, steps_per_epoch=50, epochs=2, optimizer="sgd")
      >>> import regjax as rj
      >>> penalties = [{"proximal": rj.l1(strength)} for strength in (0.01, 9.0)]
      >>> settings = stack_hparams([make_hparams(learning_rate=0.1, n_train=64, penalties=p) for p in penalties])
      >>> made = path(make_run(spec), settings, jax.random.key(1), data)
      >>> made.zeros.tolist(), made.inputs.shape
      ([0.6666666865348816, 1.0], (2, 3))

    Reference: Friedman, Hastie and Tibshirani, Regularization paths for generalized linear models via coordinate
      descent, 2010 (warm starts); Lemhadri et al., LassoNet, 2021 (from weak to strong, paths of features).
    """
    sizes = {np.shape(leaf)[:1] for leaf in jax.tree.leaves(hparams)}
    if len(sizes) != 1 or () in sizes:
        raise ValueError(f"path: every leaf of hparams needs one leading axis of points, got {sorted(sizes)}")
    if weights is None:
        first = jax.tree.map(lambda leaf: leaf[0], hparams)
        spec = Spec(run.spec.model, task=run.spec.task)
        weights = init_weights(spec, key, first.standardized(data.x[:1]))
    layer = _input_layer(weights.params, int(np.prod(data.x.shape[1:])), input_layer)

    def train(start: Weights, setting: Hparams) -> tuple[Weights, RunResult]:
        result = run.result(setting, key, data, seed, start)
        return result.weights, result

    _, result = jax.lax.scan(train, weights, hparams)
    leaves = weight_leaves(result.weights.params)
    axes = [tuple(range(1, leaf.ndim)) for leaf in leaves]
    size = sum(leaf[0].size for leaf in leaves)
    zeros = sum(jnp.sum(leaf == 0, axis=axis) for leaf, axis in zip(leaves, axes, strict=True)) / size
    squares = sum(jnp.sum(jnp.abs(leaf) ** 2, axis=axis) for leaf, axis in zip(leaves, axes, strict=True))
    inputs = None
    if layer is not None:
        inputs = jnp.sqrt(jnp.sum(jax.tree.leaves(result.weights.params)[layer] ** 2, axis=2))
    return Path(result, jnp.asarray(zeros, jnp.float32), jnp.sqrt(jnp.asarray(squares)), inputs)


def _input_layer(params: PyTree, features: int, name: str | None) -> int | None:
    """Return the position of the leaf whose rows are the input features, `[F, ...]`; None if there is not just one.

    Raises:
      ValueError: the leaf that is named is none.
    """
    names, leaves = leaf_names(params), jax.tree.leaves(params)
    fits = [i for i, leaf in enumerate(leaves) if np.ndim(leaf) == 2 and np.shape(leaf)[0] == features]
    if name is None:
        return fits[0] if len(fits) == 1 else None
    chosen = [i for i in fits if names[i] == name]
    if not chosen:
        accepted = ", ".join(names[i] for i in fits) or "none"
        raise ValueError(f"path: input_layer {name!r} is no matrix with {features} rows; accepted: {accepted}")
    return chosen[0]
