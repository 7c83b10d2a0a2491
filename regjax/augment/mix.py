"""Augmentations that combine examples with each other: mixup."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from regjax import bits
from regjax.augment.entry import check_examples, draws
from regjax.checks import check_choice, check_range
from regjax.rng import stream
from regjax.typing import Array, ArrayLike, Batch, PRNGKey


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
      batch: `x` `[B, ...]`, floating point; `y` class indices `int[B]`, class distributions `[B, K]`, or
        numbers `[B]` / `[B, D]`.
      alpha: scalar >= 0; may be traced. 0 leaves x as it is, bit for bit, and y as a distribution.
      num_classes: K, needed for class indices, which become distributions `[B, K]`.
      per: `"example"` draws one l for each example, `"batch"` one for all.

    Returns:
      A batch with mixed `x` and `y`, and the same `weight`.

    Raises:
      ValueError: a concrete `alpha` is negative or NaN; class indices without `num_classes`; `x` is not a
        batch of floating-point examples.

    Example:
      >>> batch = Batch(jnp.array([[0.0], [1.0]]), jnp.array([0, 1]))
      >>> mixup(jax.random.key(0), batch, 0.0, num_classes=2).y
      Array([[1., 0.],
             [0., 1.]], dtype=float32)

    Reference: mixup: Beyond Empirical Risk Minimization (Zhang et al., 2018).
    """
    check_choice("mixup: per", per, ("example", "batch"))
    check_range("mixup: alpha", alpha, 0.0, high_open=True)
    x, y = check_examples("mixup", batch.x), jnp.asarray(batch.y)
    count = x.shape[0]
    if not jnp.issubdtype(y.dtype, jnp.floating):
        if num_classes is None or y.ndim != 1:
            raise ValueError(
                f"mixup: y of class indices must be int[B] with num_classes, got {y.dtype}{list(y.shape)} "
                f"and num_classes={num_classes}"
            )
        y = jax.nn.one_hot(y, num_classes, dtype=jnp.float32)
    if y.shape[0] != count:
        raise ValueError(f"mixup: x and y must have as many examples, got {count} and {y.shape[0]}")
    share = beta_symmetric(stream(key, "share"), alpha, (count if per == "example" else 1,))
    # Beta(0, 0) sits at 0 and 1; the identity is what no mixing means.
    share = jnp.broadcast_to(jnp.where(jnp.asarray(alpha) > 0.0, share, 1.0), (count,))
    partner = jnp.argsort(bits.random_words(stream(key, "partner"), (count,)))
    if batch.weight is not None:
        share = jnp.where(batch.weight[partner] > 0, share, 1.0)
    return Batch(_mixed(x, partner, share), _mixed(y, partner, share), batch.weight)


def beta_symmetric(key: PRNGKey, alpha: ArrayLike, shape: tuple[int, ...]) -> Array:
    """Draws from Beta(alpha, alpha) in closed form, without rejection (so without a loop).

      1/2 + s / (2 sqrt(1 + 1 / w)),   w = (U^(-1/alpha) - 1) cos^2(2 pi V),   s = sign(cos(2 pi V))

    Args:
      key: one key.
      alpha: scalar > 0; may be traced. At 0 it takes the limit: 0 or 1, each half of the time.
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


def _mixed(values: Array, partner: Array, share: Array) -> Array:
    """`share * values + (1 - share) * values[partner]` along the first axis, in float32."""
    share = share.reshape(-1, *[1] * (values.ndim - 1))
    mixed = share * values + (1.0 - share) * values[partner]
    return jnp.where(share == 1.0, values, mixed.astype(values.dtype))
