"""Proximal maps of single arrays: `prox_{t f}(w) = argmin_z 1/2 (z - w)^2 + t f(z)`, each a global minimum.

`t` is the step. Elementwise maps also accept an array of steps, one for each entry, as adaptive optimizers have. If two
minima tie, the one closer to zero is returned.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from regjax.core.dtypes import wide_dtype, widened
from regjax.core.typing import Array, ArrayLike

_NEWTON = 12  # largest number of iterations for the scalar equation of a group; a test compares with bisection


def soft_threshold(w: Array, threshold: ArrayLike) -> Array:
    """Proximal map of the L1 norm: `argmin_z 1/2 (z - w)^2 + threshold |z| = sign(w) max(|w| - threshold, 0)`.

    Entries with `|w| <= threshold` become exactly zero.

    Args:
      w: array of any shape.
      threshold: >= 0; a scalar or an array that broadcasts against `w`.

    Returns:
      Array like `w`, in its dtype.

    Example:
      >>> soft_threshold(jnp.array([-2.0, 0.5, 3.0]), 1.0)
      Array([-1.,  0.,  2.], dtype=float32)

    Reference:
      Tibshirani, Regression shrinkage and selection via the lasso, 1996.
    """
    threshold = jnp.asarray(threshold)
    if jnp.iscomplexobj(w):  # shrinks the modulus
        return (jnp.sign(w) * jnp.maximum(jnp.abs(w) - threshold, 0)).astype(w.dtype)
    # Moreau decomposition: w minus its projection onto [-threshold, threshold]; half the arithmetic of the formula.
    return (w - jnp.maximum(jnp.minimum(w, threshold), -threshold)).astype(w.dtype)


def hard_threshold(w: Array, step: ArrayLike, strength: ArrayLike) -> Array:
    """Proximal map of `strength * [z != 0]`: `w` where `w^2 > 2 step strength`, else 0.

    Args:
      w: array of any shape.
      step: t > 0; a scalar, or one for each entry.
      strength: >= 0.

    Example:
      >>> hard_threshold(jnp.array([-2.0, 0.5, 3.0]), 1.0, 0.5)
      Array([-2.,  0.,  3.], dtype=float32)

    Reference:
      Blumensath and Davies, Iterative thresholding for sparse approximations, 2008.
    """
    # This comparison keeps NaN: a diverged run must not be repaired silently.
    return jnp.where(jnp.square(jnp.abs(w)) <= 2 * step * jnp.asarray(strength), jnp.zeros((), w.dtype), w)


def firm_threshold(w: Array, step: ArrayLike, strength: ArrayLike, gamma: ArrayLike) -> Array:
    """Proximal map of MCP: 0 for `|w| <= t s`, `w` for `|w| > gamma s`, and `(|w| - t s) / (1 - t / gamma)` between.

    For `t >= gamma` the objective is concave in between, and the map is the hard threshold at `s sqrt(gamma t)`.

    Args:
      w: array of any shape.
      step: t > 0; a scalar, or one for each entry.
      strength: s >= 0.
      gamma: > 0; the penalty is constant beyond `gamma s`.

    Example:
      >>> firm_threshold(jnp.array([0.5, 1.5, 4.0]), 1.0, 1.0, 2.0)
      Array([0., 1., 4.], dtype=float32)

    Reference:
      Zhang, Nearly unbiased variable selection under minimax concave penalty, 2010.
    """
    size = jnp.abs(w)
    slope = 1 - step * (1 / jnp.asarray(gamma))
    convex = slope > 0
    between = jnp.maximum(size - step * jnp.asarray(strength), 0) / jnp.where(convex, slope, 1.0)
    shrunk = jnp.where(size > gamma * jnp.asarray(strength), size, between)
    kept = jnp.where(jnp.square(size) > gamma * step * jnp.square(strength), size, 0)
    return _with_size(w, jnp.where(convex, shrunk, kept))


def scad_threshold(w: Array, step: ArrayLike, strength: ArrayLike, gamma: ArrayLike) -> Array:
    """Proximal map of SCAD: the best of the minima on its three pieces.

    On `[0, s]` soft-thresholding by `t s`; on `[s, gamma s]` the point `((gamma - 1)|w| - t gamma s) / (gamma - 1 - t)`
    if that piece is convex (`t < gamma - 1`); beyond, `w` itself; each clipped to its piece.

    Args:
      w: array of any shape.
      step: t > 0; a scalar, or one for each entry.
      strength: s >= 0.
      gamma: > 1; the penalty is constant beyond `gamma s`.

    Example:
      >>> scad_threshold(jnp.array([0.5, 1.5, 3.0, 5.0]), 1.0, 1.0, 3.7).round(3)
      Array([0.   , 0.5  , 2.588, 5.   ], dtype=float32)

    Reference:
      Fan and Li, Variable selection via nonconcave penalized likelihood and its oracle properties, 2001.
    """
    size, s = jnp.abs(w), jnp.asarray(strength)
    room = gamma - 1 - jnp.asarray(step)
    first = jnp.clip(size - step * s, 0, s)
    middle = ((gamma - 1) * size - step * gamma * s) / jnp.where(room > 0, room, 1.0)
    middle = jnp.where(room > 0, jnp.clip(middle, s, gamma * s), s)
    last = jnp.maximum(size, gamma * s)
    # The values of scad_value, from the formula of each piece; this divides scalars instead of arrays.
    half = 1 / (2 * (jnp.asarray(gamma) - 1))
    values = (s * first, (2 * gamma * s * middle - jnp.square(middle) - jnp.square(s)) * half)
    flat = jnp.square(s) * (gamma + 1) / 2
    return _with_size(w, _best(size, step, (first, values[0]), (middle, values[1]), (last, flat)))


def scad_value(size: Array, strength: ArrayLike, gamma: ArrayLike) -> Array:
    """SCAD of `|w|`: `s |w|`, then `(2 gamma s |w| - w^2 - s^2) / (2 (gamma - 1))`, then `s^2 (gamma + 1) / 2`.

    Example:
      >>> scad_value(jnp.array([0.5, 2.0, 9.0]), 1.0, 3.0)
      Array([0.5 , 1.75, 2.  ], dtype=float32)
    """
    s = jnp.asarray(strength)
    middle = (2 * gamma * s * size - jnp.square(size) - jnp.square(s)) / (2 * (jnp.asarray(gamma) - 1))
    flat = jnp.square(s) * (gamma + 1) / 2
    return jnp.where(size > gamma * s, flat, jnp.where(size > s, middle, s * size))


def log_sum_threshold(w: Array, step: ArrayLike, strength: ArrayLike, epsilon: ArrayLike) -> Array:
    """Proximal map of `strength log(1 + |z| / epsilon)`.

    The larger root of `(z - |w|)(epsilon + z) + t s = 0` where that is real and positive, if it beats 0; else 0.

    Args:
      w: array of any shape.
      step: t > 0; a scalar, or one for each entry.
      strength: s >= 0.
      epsilon: > 0; the smaller, the closer to counting non-zeros.

    Example:
      >>> log_sum_threshold(jnp.array([0.5, 3.0]), 1.0, 1.0, 1.0).round(3)
      Array([0.   , 2.732], dtype=float32)

    Reference:
      Candes, Wakin and Boyd, Enhancing sparsity by reweighted l1 minimization, 2008.
    """
    size = jnp.abs(w)
    # (|w| + epsilon)^2 - 4 t s is the discriminant of the quadratic above.
    # It is divided by the square, which could overflow for very large weights.
    reach = size + epsilon
    discriminant = 1 - 4 * step * jnp.asarray(strength) / reach / reach
    root = (size - epsilon + reach * safe_sqrt(discriminant)) / 2
    root = jnp.where(discriminant >= 0, jnp.maximum(root, 0), 0)
    # At strength 0 the root is w only up to rounding, so the identity is selected instead.
    root = jnp.where(jnp.asarray(strength) > 0, root, size)
    value = strength * jnp.log1p(root * (1 / jnp.asarray(epsilon)))
    return _with_size(w, _best(size, step, (jnp.zeros_like(size), 0.0), (root, value)))


def group_soft_threshold(w: Array, threshold: ArrayLike, axes: tuple[int, ...]) -> Array:
    """Proximal map of the sum of Euclidean norms of groups: `z_g = w_g max(0, 1 - threshold / ||w_g||)`.

    With a threshold `tau_i = t_i s` for each entry (the metric of an adaptive optimizer), the minimum of
    `sum_i (z_i - w_i)^2 / (2 t_i) + s ||z_g||` is `z_i = w_i n / (n + tau_i)`, where `n = ||z_g||` is the root of
    `sum_i (w_i / (n + tau_i))^2 = 1`, found by Newton's method; the group is zero where `sum_i (w_i / tau_i)^2 <= 1`.

    Args:
      w: array of any shape.
      threshold: >= 0; a scalar, one for each group (size 1 along `axes`), or one for each entry (the shape of `w`).
      axes: axes along which the entries of a group lie.

    Returns:
      Array like `w`; groups become zero as a whole.

    Example:
      >>> group_soft_threshold(jnp.array([[3.0, 0.1], [4.0, 0.1]]), 1.0, axes=(0,))
      Array([[2.4, 0. ],
             [3.2, 0. ]], dtype=float32)

    Reference:
      Yuan and Lin, Model selection and estimation in regression with grouped variables, 2006.
    """
    wide = wide_dtype(w)
    threshold = jnp.asarray(threshold, wide)
    squares = jnp.square(jnp.abs(widened(w)))
    if threshold.ndim < w.ndim or all(threshold.shape[axis] == 1 for axis in axes):
        norm = safe_sqrt(jnp.sum(squares, axes, keepdims=True))
        scale = jnp.where(norm <= threshold, 0.0, 1 - threshold / jnp.where(norm == 0, 1.0, norm))
        return (w * scale).astype(w.dtype)
    safe = jnp.maximum(threshold, 1e-18)  # its square is still a normal number
    norm = safe_sqrt(jnp.sum(squares, axes, keepdims=True))
    zero = (jnp.sum(squares / jnp.square(safe), axes, keepdims=True) <= 1.0) | (norm == 0)
    # 1 / sqrt(sum) is concave in n and nearly linear: Newton approaches the root from below and converges fast.
    start = jnp.maximum(norm - jnp.max(threshold, axes, keepdims=True), norm * 1e-6)

    def newton(state: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        n, _, count = state
        inverse = 1.0 / (n + safe)
        terms = squares * jnp.square(inverse)
        f = jnp.sum(terms, axes, keepdims=True)
        slope = jnp.sum(terms * inverse, axes, keepdims=True)
        updated = jnp.clip(n + f * (jnp.sqrt(f) - 1.0) / jnp.where(slope > 0, slope, 1.0), n * 0.1, norm)
        # Convergence is quadratic: after a change of sqrt(eps), the next change is below rounding.
        is_moving = jnp.any((jnp.abs(updated - n) > 3 * jnp.finfo(wide).eps ** 0.5 * updated) & ~zero)
        return updated, is_moving, count + 1

    def not_converged(state: tuple[Array, Array, Array]) -> Array:
        return state[1] & (state[2] < _NEWTON)

    n, _, _ = jax.lax.while_loop(not_converged, newton, (start, jnp.asarray(True), jnp.int32(0)))
    scale = jnp.where(zero, 0.0, n / jnp.where(n + threshold > 0, n + threshold, 1.0))
    return (w * scale).astype(w.dtype)


def shrink_singular_values(w: Array, threshold: ArrayLike) -> Array:
    """Proximal map of the nuclear norm: the singular values of `w [M, N]`, soft-thresholded.

    Args:
      w: one matrix.
      threshold: scalar >= 0.

    Example:
      >>> shrink_singular_values(jnp.diag(jnp.array([3.0, 0.5])), 1.0).round(3) + 0.0
      Array([[2., 0.],
             [0., 0.]], dtype=float32)

    Reference:
      Cai, Candes and Shen, A singular value thresholding algorithm for matrix completion, 2010.
    """
    u, s, v = jnp.linalg.svd(widened(w), full_matrices=False)
    return ((u * soft_threshold(s, threshold)) @ v).astype(w.dtype)


def cap_singular_values(w: Array, threshold: ArrayLike) -> Array:
    """Proximal map of the squared largest singular value, which caps all singular values at a level `c`.

    `argmin_Z 1/2 ||Z - W||^2 + threshold sigma_max(Z)^2` keeps the singular vectors; `c` solves
    `sum_i max(sigma_i - c, 0) = 2 threshold c`.

    Args:
      w: one matrix.
      threshold: scalar >= 0.

    Example:
      >>> cap_singular_values(jnp.diag(jnp.array([4.0, 0.5])), 0.5).round(3) + 0.0
      Array([[2. , 0. ],
             [0. , 0.5]], dtype=float32)

    Reference:
      Yoshida and Miyato, Spectral norm regularization for improving the generalizability of deep learning, 2017.
    """
    u, s, v = jnp.linalg.svd(widened(w), full_matrices=False)
    # With the k largest capped, c = (s_1 + ... + s_k) / (k + 2 threshold); the right k gives the largest c.
    count = jnp.arange(1, s.shape[0] + 1)
    cap = jnp.max(jnp.cumsum(s) / (count + 2 * jnp.asarray(threshold)))
    # Subtracting the excess makes threshold 0 the identity, bit for bit.
    return (w - (u * jnp.maximum(s - cap, 0)) @ v).astype(w.dtype)


def safe_sqrt(x: ArrayLike) -> Array:
    """`sqrt(x)` with gradient 0 at 0, where the root has none: both branches of a `where` must be finite."""
    none = jnp.asarray(x) <= 0  # False for NaN, which stays
    return jnp.where(none, 0.0, jnp.sqrt(jnp.where(none, 1.0, x)))


def _with_size(w: Array, size: Array) -> Array:
    """`w` with another modulus; keeps the signs, and the exact bits where the modulus does not change."""
    return jnp.where(size == jnp.abs(w), w, jnp.sign(w) * size).astype(w.dtype)


def _best(size: Array, step: ArrayLike, *candidates: tuple[Array, ArrayLike]) -> Array:
    """The `z` of pairs `(z, penalty of z)` with the lowest `1/2 (z - |w|)^2 + t penalty`; the first where they tie."""
    best, lowest = candidates[0][0], jnp.full((), jnp.inf)
    for candidate, penalty in candidates:
        objective = 0.5 * jnp.square(candidate - size) + step * penalty
        best = jnp.where(objective < lowest, candidate, best)
        lowest = jnp.minimum(objective, lowest)
    # Infinite weights stay infinite: a diverged run must not be repaired silently.
    return jnp.where(jnp.isinf(size), size, best)
