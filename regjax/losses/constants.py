"""The best constant outputs under each data loss, with which a model that has learned nothing is compared."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np

from regjax.catalog import LOSSES as RECORDS
from regjax.core.checks import check_choice
from regjax.losses.registry import LOSSES

LEAST = 1e-12  # a class without an example has this share, so that its logarithm is finite


def best_constant(loss: str, y: np.ndarray, num_classes: int = 0) -> np.ndarray:
    """The constant outputs with the least mean loss on targets.

      cross_entropy: the logarithms of the shares of the classes;  mse: the mean;  mae: the median

    Args:
      loss: name of the data loss.
      y: class indices `int[N]`, or numbers `[N]` or `[N, D]` in the units of the outputs.
      num_classes: number of classes K.

    Returns:
      `float64[K]`, `float64[]` or `float64[D]`: outputs of a model, for one example.

    Raises:
      InputError: the loss is unknown.

    Example:
      >>> float(best_constant("mse", np.array([1.0, 2.0, 9.0]))), float(best_constant("mae", np.array([1.0, 2.0, 9.0])))
      (4.0, 2.0)
    """
    check_choice("best_constant: loss", loss, LOSSES)
    if RECORDS[loss].task == "classification":
        return np.log(np.maximum(np.bincount(y, minlength=num_classes) / len(y), LEAST))
    y = np.asarray(y, np.float64)
    return np.asarray(y.mean(axis=0) if loss == "mse" else np.median(y, axis=0))


def constant_losses(loss: str, outputs: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The loss of each example if a model gives the same outputs for all, `float64[N]`.

    Args:
      loss: name of the data loss.
      outputs: of one example, as `best_constant` returns them.
      y: the targets.

    Example:
      >>> constant_losses("mse", np.array(4.0), np.array([1.0, 2.0, 9.0])).tolist()
      [9.0, 4.0, 25.0]
    """
    of_all = jnp.broadcast_to(jnp.asarray(outputs, jnp.float32), (len(y), *np.shape(outputs)))
    return np.asarray(LOSSES[loss](of_all, jnp.asarray(y)), np.float64)
