"""Augmentations that mix examples, and their targets accordingly: mixup, cutmix, row_cutmix."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from regjax.augment.batched import check_examples, check_images, check_rows, draws, over
from regjax.augment.pixels import boxes
from regjax.augment.tables import random_ranks
from regjax.core import random_bits as bits
from regjax.core.checks import check_choice, check_range
from regjax.core.labels import check_labels, is_indices, one_hot
from regjax.core.rng import PARTNER, PLACE, SHARE, stream
from regjax.core.typing import Array, ArrayLike, Batch, PRNGKey

PER = ("example", "batch")


def mixup(
    key: PRNGKey,
    batch: Batch,
    alpha: ArrayLike,
    *,
    num_classes: int | None = None,
    per: str = "example",
) -> Batch:
    """Convex combinations of pairs of examples and of their targets.

      x'_i = l_i x_i + (1 - l_i) x_p(i),   y'_i = l_i y_i + (1 - l_i) y_p(i),   l_i ~ Beta(alpha, alpha)

    with p a random permutation. An example whose partner is padding (weight 0) stays as it is.

    Args:
      key: one key.
      batch: `x` `[B, ...]`, floating point or uint8 (then rounded); `y` class indices `int[B]`, class
        distributions `[B, K]`, or numbers `[B]` / `[B, D]`.
      alpha: scalar >= 0; may be traced. 0 leaves x as it is, bit for bit, and y as a distribution; so do
        negative traced values and NaN.
      num_classes: K, needed for class indices, which become distributions `[B, K]`; then other targets must be
        distributions.
      per: `"example"` draws an l for each example, `"batch"` one for all.

    Returns:
      A batch with mixed `x` and `y`, and the same `weight`.

    Raises:
      ValueError: a concrete `alpha` is negative or NaN; class indices without `num_classes`; with it, a
        concrete label that is not a class (a traced one gives a row of zeros); `x` is not a batch of examples.

    Example:
      >>> batch = Batch(jnp.array([[0.0], [1.0]]), jnp.array([0, 1]))
      >>> mixup(jax.random.key(0), batch, 0.0, num_classes=2).y
      Array([[1., 0.],
             [0., 1.]], dtype=float32)

    Reference: mixup: Beyond Empirical Risk Minimization (Zhang et al., 2018).
    """
    x = check_examples("mixup", batch.x)
    y, share, partner = _drawn("mixup", key, batch, alpha, num_classes, per)
    return Batch(_mixed(x, partner, share), _mixed(y, partner, share), batch.weight)


def cutmix(
    key: PRNGKey,
    batch: Batch,
    alpha: ArrayLike,
    *,
    num_classes: int | None = None,
    per: str = "example",
) -> Batch:
    """Replace a rectangle of each image by that of another image; targets are mixed by area.

      l ~ Beta(alpha, alpha),   sides = round(sqrt(1 - l) (H, W)),   center uniform over the image
      y'_i = L_i y_i + (1 - L_i) y_p(i),   L_i = 1 - (pasted pixels) / (H W)

    with p a random permutation. The rectangle is clipped at the borders, and L counts the pasted pixels.
    An image whose partner is padding (weight 0) stays as it is.

    Args:
      key: one key.
      batch: `x` images `[B, H, W, C]`, uint8 or floating point; `y` as in `mixup`.
      alpha: scalar >= 0; may be traced. 0 leaves x as it is, bit for bit, and y as a distribution; so do
        negative traced values and NaN. The paper uses 1.
      num_classes: K, needed for class indices, which become distributions `[B, K]`; then other targets must be
        distributions.
      per: `"example"` draws one rectangle for each image, `"batch"` one for all.

    Returns:
      A batch with mixed `x` and `y`, and the same `weight`.

    Raises:
      ValueError: a concrete `alpha` is negative or NaN; class indices without `num_classes`; with it, a
        concrete label that is not a class (a traced one gives a row of zeros); `x` is not a batch of images.

    Example:
      >>> batch = Batch(jnp.ones((2, 4, 4, 1)), jnp.array([0, 1]))
      >>> cutmix(jax.random.key(0), batch, 1.0, num_classes=2).y.sum(1)
      Array([1., 1.], dtype=float32)

    Reference: CutMix: Regularization Strategy to Train Strong Classifiers with Localizable Features
    (Yun et al., 2019).
    """
    x = check_images("cutmix", batch.x)
    y, share, partner = _drawn("cutmix", key, batch, alpha, num_classes, per)
    size = jnp.asarray(x.shape[1:3], jnp.float32)[:, None]
    sides = jnp.round(jnp.sqrt(1.0 - share) * size)
    center = draws(stream(key, PLACE), (2, len(share) if per == "example" else 1))
    # The center is at a pixel or between two, so that a rectangle with whole sides covers exactly as many pixels.
    first = jnp.round(center * size - sides / 2.0)
    box = boxes(x, first + sides / 2.0, sides)
    share = 1.0 - box.mean((1, 2, 3), dtype=jnp.float32)
    return Batch(jnp.where(box, x[partner], x), _mixed(y, partner, share), batch.weight)


def row_cutmix(
    key: PRNGKey,
    batch: Batch,
    alpha: ArrayLike,
    *,
    num_classes: int | None = None,
    per: str = "example",
) -> Batch:
    """Replace some features of each row by those of another row; targets are mixed by their number.

      l ~ Beta(alpha, alpha),   k = round((1 - l) F),   y'_i = (1 - k/F) y_i + k/F y_p(i)

    with p a random permutation and the k features drawn without replacement. A row whose partner is padding
    (weight 0) stays as it is.

    Args:
      key: one key.
      batch: `x` rows `float[B, F]` of a table; `y` as in `mixup`.
      alpha: scalar >= 0; may be traced. 0 leaves x as it is, bit for bit, and y as a distribution; so do
        negative traced values and NaN.
      num_classes: K, needed for class indices, which become distributions `[B, K]`; then other targets must be
        distributions.
      per: `"example"` draws the features for each row, `"batch"` once for all.

    Returns:
      A batch with mixed `x` and `y`, and the same `weight`.

    Raises:
      ValueError: a concrete `alpha` is negative or NaN; class indices without `num_classes`; with it, a
        concrete label that is not a class (a traced one gives a row of zeros); `x` is not a batch of rows.

    Example:
      >>> batch = Batch(jnp.ones((2, 4)), jnp.array([0, 1]))
      >>> row_cutmix(jax.random.key(0), batch, 1.0, num_classes=2).y.sum(1)
      Array([1., 1.], dtype=float32)

    Reference: Well-tuned Simple Nets Excel on Tabular Datasets (Kadra et al., 2021).
    """
    x = check_rows("row_cutmix", batch.x)
    y, share, partner = _drawn("row_cutmix", key, batch, alpha, num_classes, per)
    rows = len(share) if per == "example" else 1
    is_replaced = random_ranks(stream(key, PLACE), (rows, x.shape[1])) < jnp.round((1.0 - share) * x.shape[1])[:, None]
    share = 1.0 - is_replaced.mean(1, dtype=jnp.float32)
    return Batch(jnp.where(is_replaced, x[partner], x), _mixed(y, partner, share), batch.weight)


MIXES: dict[str, Callable[..., Batch]] = {"mixup": mixup, "cutmix": cutmix, "row_cutmix": row_cutmix}
"""Augmentations `(key, batch, alpha, *, num_classes, per) -> batch` that change the targets too."""


def beta_symmetric(key: PRNGKey, alpha: ArrayLike, shape: tuple[int, ...]) -> Array:
    """Draws from Beta(alpha, alpha) in closed form, without rejection (so without a loop).

      1/2 + s / (2 sqrt(1 + 1 / w)),   w = (U^(-1/alpha) - 1) cos^2(2 pi V),   s = sign(cos(2 pi V))

    Args:
      key: one key.
      alpha: scalar > 0; may be traced. At 0 it is the limit: 0 or 1, with equal probability.
      shape: shape of the result.

    Returns:
      `float32[shape]` in [0, 1], never NaN.

    Example:
      >>> beta_symmetric(jax.random.key(0), 0.4, (3,)).shape
      (3,)

    Reference: Random Variate Generation in One Line of Code (Devroye, 1996).
    """
    u, v = draws(key, (2, *shape))
    alpha = jnp.maximum(jnp.asarray(alpha, jnp.float32), np.float32(1e-20))
    cosine = jnp.cos(np.float32(2 * np.pi) * v)
    square = jnp.maximum(jnp.square(cosine), np.float32(1e-20))  # inf * 0 would be NaN
    w = jnp.expm1(-jnp.log(u) / alpha) * square
    return 0.5 + 0.5 * jnp.sign(cosine) * jax.lax.rsqrt(1.0 + 1.0 / w)


def _drawn(
    name: str, key: PRNGKey, batch: Batch, alpha: ArrayLike, num_classes: int | None, per: str
) -> tuple[Array, Array, Array]:
    """Targets in a form that can be mixed, the share that each example keeps, and its partner."""
    check_choice(f"{name}: per", per, PER)
    check_range(f"{name}: alpha", alpha, 0.0, high_open=True)
    count = batch.x.shape[0]
    if num_classes is not None:
        check_labels(f"{name}: y", batch.y, num_classes, shape=(count,))
    y = jnp.asarray(batch.y)
    if num_classes is not None:
        y = one_hot(y, num_classes)
    elif is_indices(y):
        raise ValueError(f"{name}: y of class indices needs num_classes, got {y.dtype}{list(y.shape)} without")
    if batch.weight is not None and jnp.ndim(batch.weight) != 1:
        raise ValueError(f"{name}: weight must be one number an example [B], got shape {batch.weight.shape}")
    if y.shape[0] != count:
        raise ValueError(f"{name}: x and y must have as many examples, got {count} and {y.shape[0]}")
    share = beta_symmetric(stream(key, SHARE), alpha, (count if per == "example" else 1,))
    # Beta(0, 0) is 0 or 1; without mixing the share is 1.
    share = jnp.broadcast_to(jnp.where(jnp.asarray(alpha) > 0.0, share, 1.0), (count,))
    partner = jnp.argsort(bits.random_words(stream(key, PARTNER), (count,)))
    if batch.weight is not None:
        share = jnp.where(batch.weight[partner] > 0, share, 1.0)
    return y, share, partner


def _mixed(values: Array, partner: Array, share: Array) -> Array:
    """`share * values + (1 - share) * values[partner]` along the first axis, in float32 at least."""
    share = over(share, values).astype(jnp.promote_types(values.dtype, jnp.float32))
    mixed = share * values + (1.0 - share) * values[partner]
    if values.dtype == jnp.uint8:
        mixed = jnp.round(mixed)
    return jnp.where(share == 1.0, values, mixed.astype(values.dtype))
