"""The best constant outputs under each data loss, with which a model that has learned nothing is compared."""

from __future__ import annotations

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from regjax.catalog import LOSSES as RECORDS
from regjax.core.checks import check_choice
from regjax.core.typing import Array
from regjax.losses.registry import LOSSES

LEAST = 1e-12  # the share of a class without an example, and the mean of counts that are all 0: logarithms are finite
_HALVINGS = 60


def best_constant(
    loss: str,
    y: np.ndarray,
    parameter: float | None = None,
    num_classes: int = 0,
    class_weights: np.ndarray | None = None,
) -> np.ndarray:
    """The constant outputs with the least mean loss on targets.

      cross_entropy: the logarithms of the shares of the classes;  mse: the mean;  mae: the median
      quantile: the quantile;  poisson: the logarithm of the mean;  huber, focal: where the derivative is 0
      binary_cross_entropy: the log-odds of the share of each label

    Args:
      loss: name of the data loss.
      y: class indices `int[N]`; labels `[N, K]` that are 0 or 1; or numbers `[N]` or `[N, D]` in the units of the
        outputs; of poisson, counts.
      parameter: number of the loss; None is its default.
      num_classes: number of classes K.
      class_weights: `[K]`, how much each class counts in the loss; None for all the same.

    Returns:
      `float64[K]` of classes or labels, `float64[]` or `float64[D]`: outputs of a model, for one example.

    Raises:
      InputError: the loss is unknown.

    Example:
      >>> float(best_constant("mse", np.array([1.0, 2.0, 9.0]))), float(best_constant("mae", np.array([1.0, 2.0, 9.0])))
      (4.0, 2.0)
    """
    check_choice("best_constant: loss", loss, LOSSES)
    number = float((RECORDS[loss].default or 0.0) if parameter is None else parameter)
    if RECORDS[loss].task == "classification":
        counts = np.bincount(y, minlength=num_classes) * (1.0 if class_weights is None else np.asarray(class_weights))
        shares = np.maximum(counts / counts.sum(), LEAST)
        return np.log(shares if loss == "cross_entropy" else _focal_probabilities(shares, number))
    if RECORDS[loss].task == "multilabel":
        shares = np.clip(np.mean(y, axis=0, dtype=np.float64), LEAST, 1.0 - LEAST)
        return np.asarray(np.log(shares) - np.log1p(-shares))
    return np.asarray(_OF_NUMBERS[loss](np.asarray(y, np.float64), number))


def constant_losses(loss: str, outputs: np.ndarray, y: np.ndarray, parameter: float | None = None) -> np.ndarray:
    """The loss of each example if a model gives the same outputs for all, `float64[N]`.

    Args:
      loss: name of the data loss.
      outputs: of one example, as `best_constant` returns them.
      y: the targets.
      parameter: number of the loss; None is its default.

    Example:
      >>> constant_losses("mse", np.array(4.0), np.array([1.0, 2.0, 9.0])).tolist()
      [9.0, 4.0, 25.0]
    """
    y, arguments = np.asarray(y), () if parameter is None else (parameter,)
    if RECORDS[loss].task == "classification":
        classes = np.arange(len(outputs), dtype=np.int32)  # one size for all numbers of examples, so one program
        return np.asarray(_of_all(loss, outputs, classes, *arguments), np.float64)[y]
    return np.asarray(_of_all(loss, outputs, y, *arguments), np.float64)


@functools.partial(jax.jit, static_argnums=0)
def _of_all(loss: str, outputs: Array, y: Array, *arguments: Array) -> Array:
    """The loss of each example; compiled, because each operation alone would be a program of its own."""
    return LOSSES[loss](
        jnp.broadcast_to(jnp.asarray(outputs, jnp.float32), (len(y), *np.shape(outputs))), y, *arguments
    )


def _huber_constant(y: np.ndarray, delta: float) -> np.ndarray:
    """Where the errors, cut at delta, add up to 0."""
    return _root(lambda c: np.clip(y - c, -delta, delta).sum(axis=0), y.min(axis=0), y.max(axis=0))


def _focal_probabilities(shares: np.ndarray, gamma: float) -> np.ndarray:
    """The probabilities q with the least `-sum_k shares_k (1 - q_k)^gamma log q_k`, by Lagrange's multiplier."""

    def slope(q: np.ndarray) -> np.ndarray:  # how fast the loss of a class falls with the logarithm of its odds
        rest = 1.0 - q
        return shares * (rest ** (gamma + 1.0) - gamma * q * rest**gamma * np.log(q)) / (q * rest)

    def probabilities(level: np.ndarray) -> np.ndarray:
        low, high = np.full_like(shares, LEAST * 1e-3), np.full_like(shares, 1.0 - 1e-15)
        return _root(lambda q: slope(q) - np.exp(level), low, high)

    level = _root(lambda level: probabilities(level).sum(keepdims=True) - 1.0, np.array([-50.0]), np.array([50.0]))
    found = probabilities(level)
    return np.asarray(found / found.sum())


def _root(falling: Callable[[np.ndarray], np.ndarray], low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Where a falling function, one for each entry, is 0: by bisection."""
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        above = falling(middle) > 0
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    return np.asarray((low + high) / 2)


_OF_NUMBERS: dict[str, Callable[[np.ndarray, float], np.ndarray]] = {
    "mse": lambda y, _: y.mean(axis=0),
    "mae": lambda y, _: np.median(y, axis=0),
    "huber": _huber_constant,
    "quantile": lambda y, q: np.quantile(y, q, axis=0, method="inverted_cdf"),
    "poisson": lambda y, _: np.log(np.maximum(y.mean(axis=0), LEAST)),
}
