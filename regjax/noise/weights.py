"""Noise on weights: DropConnect and Gaussian weight noise, for one array or for all weights of a tree."""

from __future__ import annotations

from collections.abc import Callable

import jax

from regjax.core.tree import Where, leaf_mask
from regjax.core.typing import Array, ArrayLike, PRNGKey, PyTree
from regjax.noise.base import checked_input
from regjax.noise.dropout import dropout
from regjax.noise.gaussian import gaussian_noise


def drop_connect(key: PRNGKey | None, x: Array, rate: ArrayLike, *, deterministic: bool = False) -> Array:
    """Sets each weight to zero with probability `rate`: `v_i = m_i w_i / q`, `q = P(m_i = 1)`.

    One mask is drawn for the whole batch; one for each example would need B copies of the weights. Inference uses the
    mean weights, where the paper samples from a normal approximation of the activations.

    Args:
      key: one key; may be None when `deterministic`.
      x: weights w, floating point `[...]`.
      rate: scalar in [0, 1], the fraction dropped; may be traced. 0 is the identity.
      deterministic: inference: returns `x`.

    Returns:
      Array like `x`; the expectation is `x`.

    Raises:
      ValueError: as `dropout`.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> y = drop_connect(jax.random.key(0), jnp.ones((2, 4)), 0.5)
      >>> sorted({float(v) for v in y.ravel()})
      [0.0, 2.0]

    Reference: Regularization of Neural Networks using DropConnect (Wan et al., 2013).
    """
    return dropout(key, checked_input("drop_connect", x, rate), rate, deterministic=deterministic)


def weight_noise(key: PRNGKey | None, x: Array, stddev: ArrayLike, *, deterministic: bool = False) -> Array:
    """Adds independent normal noise to weights: `v = w + stddev * n`, `n ~ N(0, 1)`.

    The gradient of the noisy loss is an estimate of that of the smoothed loss `E L(w + stddev n)`.

    Args:
      key: one key; may be None when `deterministic`.
      x: weights w, floating point `[...]`.
      stddev: scalar >= 0 in the units of the weights; may be traced. 0 is the identity.
      deterministic: inference: returns `x`.

    Returns:
      Array like `x`; the expectation is `x`.

    Raises:
      ValueError: as `gaussian_noise`.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> weight_noise(jax.random.key(0), jnp.zeros((2, 4)), 0.1).shape
      (2, 4)

    Reference: Practical Variational Inference for Neural Networks (Graves, 2011).
    """
    x = checked_input("weight_noise", x, stddev, what="stddev")
    return gaussian_noise(key, x, stddev, deterministic=deterministic)


WEIGHT_NOISES: dict[str, Callable[..., Array]] = {"drop_connect": drop_connect, "weight_noise": weight_noise}


def perturb_weights(name: str, key: PRNGKey, params: PyTree, strength: ArrayLike, *, where: Where = None) -> PyTree:
    """Apply a noise to the weights of a tree; each leaf has a key of its own.

    Args:
      name: `"drop_connect"` or `"weight_noise"`.
      key: one key.
      params: any tree of parameters.
      strength: rate or standard deviation; may be traced.
      where: which leaves, as for penalties: a pattern, a predicate or a tree of bools; None takes the weights, not
        biases and scales.

    Returns:
      Tree like `params`.

    Raises:
      ValueError: an unknown name, a pattern that matches nothing, or what the noise raises.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> params = {"kernel": jnp.ones((2, 2)), "bias": jnp.ones(2)}
      >>> perturb_weights("drop_connect", jax.random.key(0), params, 1.0)["bias"].tolist()
      [1.0, 1.0]
    """
    leaves, treedef = jax.tree.flatten(params)
    mask = leaf_mask(params, where)
    noisy = [
        WEIGHT_NOISES[name](jax.random.fold_in(key, i), leaf, strength) if is_noisy else leaf
        for i, (leaf, is_noisy) in enumerate(zip(leaves, mask, strict=True))
    ]
    return jax.tree.unflatten(treedef, noisy)
