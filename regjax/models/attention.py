"""Self-attention whose products a CPU computes in the order and the layout that are fast for it."""

from __future__ import annotations

import functools
from typing import TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

from regjax.core.typing import Array
from regjax.models.dense import kept

Residuals: TypeAlias = tuple[Array, Array, Array, Array]


def attention(projected: Array) -> Array:
    """Attend from each token to all tokens.

    For each head y = softmax(Q K^T / sqrt(D)) V.

    The gradients are written out, because the products that automatic differentiation makes of them transpose the
    weights `[T, T]` rather than the queries and keys `[T, D]`. They can be differentiated again in reverse mode; there
    is no forward mode (`jax.jvp`, `jax.jacfwd`, `jax.hessian`).

    Args:
      projected: queries, keys and values `[B, T, 3, H, D]`, of B examples with T tokens and H heads of D features.

    Returns:
      `[B, T, H, D]`. The softmax is computed in float32 at least.

    Example:
      >>> attention(jnp.ones((1, 5, 3, 2, 4))).shape
      (1, 5, 2, 4)

    Reference: Attention Is All You Need (Vaswani et al., 2017), section 3.2.
    """
    return _attention(projected)


@jax.custom_vjp
def _attention(projected: Array) -> Array:
    return _forward(projected)[0]


def _forward(projected: Array) -> tuple[Array, Residuals]:
    q, k, v = (projected[:, :, i] for i in range(3))
    q, k_columns, k, v, v_columns = kept((_rows(q), _columns(k), _rows(k), _rows(v), _columns(v)))
    scores = kept(q @ k_columns)
    scores = scores.astype(jnp.promote_types(scores.dtype, jnp.float32)) / np.sqrt(q.shape[-1])
    weights = kept(jax.nn.softmax(scores).astype(v.dtype))
    return _tokens(kept(weights @ v), projected.shape), (q, k, v_columns, weights)


def _backward(residuals: Residuals, g: Array) -> tuple[Array]:
    q, k, v_columns, weights = residuals
    shape = (*g.shape[:2], 3, *g.shape[2:])
    g, g_columns, q_columns = kept((_rows(g), _columns(g), jnp.swapaxes(q, 1, 2)))
    v_gradient = g_columns @ weights
    along = kept(g @ v_columns).astype(jnp.promote_types(g.dtype, jnp.float32))
    centred = along - jnp.sum(along * weights, axis=-1, keepdims=True)
    scores = kept((weights * centred / np.sqrt(q.shape[-1])).astype(g.dtype))
    q_gradient, k_gradient, v_gradient = kept((scores @ k, q_columns @ scores, v_gradient))
    columns = functools.partial(jnp.swapaxes, axis1=1, axis2=2)
    gradients = (q_gradient, columns(k_gradient), columns(v_gradient))
    return (kept(jnp.stack([_tokens(one, shape) for one in gradients], axis=2)),)


_attention.defvjp(_forward, _backward)


def _rows(x: Array) -> Array:
    """`[B, T, H, D]` as `[B * H, T, D]`."""
    return x.transpose(0, 2, 1, 3).reshape(-1, x.shape[1], x.shape[3])


def _columns(x: Array) -> Array:
    """`[B, T, H, D]` as `[B * H, D, T]`."""
    return x.transpose(0, 2, 3, 1).reshape(-1, x.shape[3], x.shape[1])


def _tokens(x: Array, shape: tuple[int, ...]) -> Array:
    """`[B * H, T, D]` as `[B, T, H, D]`, where `shape` is `[B, T, 3, H, D]`."""
    batch, tokens, _, heads, size = shape
    return x.reshape(batch, heads, tokens, size).transpose(0, 2, 1, 3)
