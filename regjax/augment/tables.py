"""Augmentations of rows of a table: row_cutout and feature_dropout; `gaussian_noise` and mixes take rows too."""

from __future__ import annotations

import jax.numpy as jnp

from regjax import noise
from regjax.augment.batched import applied, check_numbers, check_rows, takes_batches
from regjax.core import random_bits as bits
from regjax.core.typing import Array, ArrayLike, PRNGKey


@takes_batches
def row_cutout(key: PRNGKey, x: Array, share: ArrayLike, fill: ArrayLike = 0.0, probability: ArrayLike = 1.0) -> Array:
    """Covers randomly chosen features, the same number in each row.

      y[b, f] = fill for k = round(share F) features f, drawn for each row without replacement, else x[b, f]

    Args:
      key: one key.
      x: rows `float[B, F]`.
      share: scalar in [0, 1], of the features; may be traced. 0 is the identity.
      fill: value of the covered features, one number or `[F]`; 0 is the mean of standardized ones.
      probability: scalar in [0, 1], that a row is changed; may be traced.

    Returns:
      Rows like `x`.

    Raises:
      ValueError: a concrete number out of range, or `x` is not a batch of rows.

    Example:
      >>> import jax
      >>> int(row_cutout(jax.random.key(0), jnp.ones((1, 10)), 0.3).sum())
      7

    Reference: Well-tuned Simple Nets Excel on Tabular Datasets (Kadra et al., 2021).
    """
    x = check_rows("row_cutout", x)
    check_numbers("row_cutout", "share", share, probability, 1.0)
    return applied(_row_cutout, key, x, share, probability, fill, high=1.0)


def _row_cutout(key: PRNGKey, x: Array, share: Array, fill: ArrayLike) -> Array:
    is_covered = random_ranks(key, x.shape) < jnp.round(share * x.shape[1])
    return jnp.where(is_covered, jnp.asarray(fill).astype(x.dtype), x)


@takes_batches
def feature_dropout(key: PRNGKey, x: Array, rate: ArrayLike, probability: ArrayLike = 1.0) -> Array:
    """Dropout on the inputs: each feature of each row is set to 0 at a given rate, otherwise divided by 1 - rate.

    In linear regression, the expected loss is that of ridge regression with a penalty weighted by the features.

    Args:
      key: one key.
      x: rows `float[B, F]`, standardized, so that 0 is the mean.
      rate: scalar in [0, 1], the fraction dropped; may be traced. 0 is the identity.
      probability: scalar in [0, 1], that a row is changed; may be traced.

    Returns:
      Rows like `x`, with the same expectation (for rates below 1).

    Raises:
      ValueError: a concrete number out of range, or `x` is not a batch of rows.

    Example:
      >>> import jax
      >>> bool(jnp.isin(feature_dropout(jax.random.key(0), jnp.ones((9, 9)), 0.5), jnp.array([0.0, 2.0])).all())
      True

    Reference: Dropout: A Simple Way to Prevent Neural Networks from Overfitting (Srivastava et al., 2014).
    """
    x = check_rows("feature_dropout", x)
    check_numbers("feature_dropout", "rate", rate, probability, 1.0)
    return applied(noise.dropout, key, x, rate, probability, high=1.0)


def random_ranks(key: PRNGKey, shape: tuple[int, ...]) -> Array:
    """A random permutation of 0 ... F - 1 in each row: `int32[rows, F]`.

    Example:
      >>> import jax
      >>> sorted(random_ranks(jax.random.key(0), (1, 4))[0].tolist())
      [0, 1, 2, 3]
    """
    return jnp.argsort(bits.random_words(key, shape), axis=1)
