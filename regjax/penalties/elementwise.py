"""Convex elementwise penalties: L1, L2, elastic net, and L2 distance to a starting point."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp

from regjax.core.checks import check_range, is_traced
from regjax.core.dtypes import canonical
from regjax.core.tree import Where, leaf_names
from regjax.core.typing import Array, ArrayLike, Numeric, PyTree
from regjax.penalties.base import Penalty, Strength, Term, new_term
from regjax.penalties.numbers import weighted_sum
from regjax.penalties.prox_parts import ProxParts


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class _L1(Term):
    kind = "l1"
    is_smooth = False

    def leaf_value(self, w: Array, strength: Numeric, name: str) -> Array:
        return weighted_sum(strength, absolute(w))

    def prox_parts(self, strength: Numeric, name: str) -> ProxParts:
        return ProxParts(l1=strength)

    def leaf_strength_max(self, grads: Array, name: str) -> Array:
        return jnp.max(jnp.abs(grads))


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class _L2(Term):
    kind = "l2"
    is_smooth = True

    def leaf_value(self, w: Array, strength: Numeric, name: str) -> Array:
        return weighted_sum(strength, squares(w))

    def prox_parts(self, strength: Numeric, name: str) -> ProxParts:
        return ProxParts(l2=strength)


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class _ElasticNet(Term):
    l1_ratio: Numeric = 0.5
    kind = "elastic_net"
    components = ("l1", "l2")
    is_smooth = False

    def leaf_value(self, w: Array, strength: Numeric, name: str) -> Array:
        l1_norm, squared_norm = weighted_sum(strength, absolute(w)), weighted_sum(strength, squares(w))
        return self.l1_ratio * l1_norm + (1 - self.l1_ratio) * squared_norm

    def prox_parts(self, strength: Numeric, name: str) -> ProxParts:
        return ProxParts(l1=strength * self.l1_ratio, l2=strength * (1 - self.l1_ratio))

    def leaf_strength_max(self, grads: Array, name: str) -> Array:
        if not is_traced(self.l1_ratio) and self.l1_ratio == 0:
            raise ValueError("strength_max: no strength of elastic_net with l1_ratio 0 makes all weights zero")
        return jnp.max(jnp.abs(grads)) / self.l1_ratio

    def details(self) -> tuple[object, ...]:
        return (self.l1_ratio,)


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class _L2To(Term):
    anchor: PyTree = None
    kind = "l2_to"
    is_smooth = True

    def leaf_mask(self, params: PyTree) -> list[bool]:
        """As for any term, but every selected leaf must have an anchor of its shape."""
        mask = super().leaf_mask(params)
        anchors = self._anchors()
        for name, leaf, selected in zip(leaf_names(params), jax.tree.leaves(params), mask, strict=True):
            if selected and (name not in anchors or jnp.shape(anchors[name]) != jnp.shape(leaf)):
                actual = f"shape {jnp.shape(anchors[name])}" if name in anchors else "none"
                raise ValueError(
                    f"l2_to: {name} of shape {jnp.shape(leaf)} needs an anchor of that shape, got {actual}"
                )
        return mask

    def leaf_value(self, w: Array, strength: Numeric, name: str) -> Array:
        return weighted_sum(strength, squares(w - self._anchors()[name]))

    def prox_parts(self, strength: Numeric, name: str) -> ProxParts:
        return ProxParts(l2=strength, center=self._anchors()[name])

    @property
    def refers_to_start(self) -> bool:
        return self.anchor is None

    def with_start(self, start: PyTree) -> Term:
        return dataclasses.replace(self, anchor=start) if self.refers_to_start else self

    def _anchors(self) -> dict[str, PyTree]:
        if self.refers_to_start:
            raise ValueError("l2_to: 'start' is known in a training run only; give the arrays, or use penalty.anchored")
        return dict(zip(leaf_names(self.anchor), jax.tree.leaves(self.anchor), strict=True))


def l1(strength: Strength, where: Where | PyTree = None) -> Penalty:
    """L1 (lasso): `strength * sum_i |w_i|`.

    Args:
      strength: >= 0; a number, a traced array, a schedule `step -> number`, or a pytree of strengths by leaf. An array
        of the shape of a leaf weighs its entries (the adaptive lasso).
      where: which leaves; None means weights (rank >= 2, not bias or scale). See `regjax.core.tree.leaf_mask`.

    Returns:
      A `Penalty`. Its proximal map is soft-thresholding, which gives exact zeros; its gradient does not.

    Raises:
      ValueError: a concrete strength that is negative or NaN.

    Example:
      >>> float(l1(0.5).value({"kernel": jnp.array([[1.0, -3.0]])}))
      2.0

    Reference:
      Tibshirani, Regression shrinkage and selection via the lasso, 1996; Zou, The adaptive lasso, 2006.
    """
    return new_term(_L1, strength, where)


def l2(strength: Strength, where: Where | PyTree = None) -> Penalty:
    """L2 (ridge): `strength * sum_i w_i^2`, with gradient `2 * strength * w`.

    The weight decay `wd` of torch and optax, which adds `wd * w` to the gradient, is `l2(wd / 2)`.

    Args:
      strength: >= 0; a number, a traced array, a schedule `step -> number`, or a pytree of strengths by leaf.
      where: which leaves; None means weights (rank >= 2, not bias or scale). See `regjax.core.tree.leaf_mask`.

    Returns:
      A `Penalty`. Its proximal map is `w / (1 + 2 t s)`: weights become small but not zero.

    Raises:
      ValueError: a concrete strength that is negative or NaN.

    Example:
      >>> float(l2(0.5).value({"kernel": jnp.array([[1.0, -3.0]])}))
      5.0

    Reference:
      Hoerl and Kennard, Ridge regression, 1970.
    """
    return new_term(_L2, strength, where)


def elastic_net(strength: Strength, l1_ratio: ArrayLike = 0.5, where: Where | PyTree = None) -> Penalty:
    """Elastic net: `strength * (l1_ratio * sum_i |w_i| + (1 - l1_ratio) * sum_i w_i^2)`.

    Args:
      strength: >= 0; a number, a traced array, a schedule `step -> number`, or a pytree of strengths by leaf.
      l1_ratio: in [0, 1]: 1 is `l1(strength)`, 0 is `l2(strength)`. scikit-learn and glmnet put a factor of one
        half before the square, this package does not.
      where: which leaves; None means weights (rank >= 2, not bias or scale). See `regjax.core.tree.leaf_mask`.

    Returns:
      A `Penalty`. Its proximal map is soft-thresholding, then division by `1 + 2 t s (1 - l1_ratio)`.

    Raises:
      ValueError: a concrete strength that is negative or NaN, or a ratio outside [0, 1].

    Example:
      >>> float(elastic_net(1.0, l1_ratio=0.5).value({"kernel": jnp.array([[1.0, -3.0]])}))
      7.0

    Reference:
      Zou and Hastie, Regularization and variable selection via the elastic net, 2005.
    """
    check_range("elastic_net: l1_ratio", l1_ratio, 0.0, 1.0)
    return new_term(_ElasticNet, strength, where, canonical(l1_ratio))


def l2_to(anchor: PyTree | str, strength: Strength, where: Where | PyTree = None) -> Penalty:
    """L2 distance to a starting point: `strength * sum_i (w_i - a_i)^2`; for fine-tuning.

    Args:
      anchor: `a`, a pytree with a leaf of the same name and shape for every selected leaf, as the pretrained
        parameters. It is data: another anchor does not recompile. `"start"` is the initial parameters of a training
        run (`rj.make_run`, `rj.fit`, `rj.sweep`, `rj.compare`); in a flag, `l2_to(0.01)` means the same.
      strength: >= 0; a number, a traced array, a schedule `step -> number`, or a pytree of strengths by leaf.
      where: which leaves; None means weights (rank >= 2, not bias or scale). See `regjax.core.tree.leaf_mask`.

    Returns:
      A `Penalty`. Its proximal map is the weighted mean `(w + 2 t s a) / (1 + 2 t s)`.

    Raises:
      ValueError: a concrete strength that is negative or NaN; when used, a selected leaf without an anchor.

    Example:
      >>> start = {"kernel": jnp.array([[1.0, 1.0]])}
      >>> float(l2_to(start, 0.5).value({"kernel": jnp.array([[1.0, 3.0]])}))
      2.0

    Reference:
      Li, Grandvalet and Davoine, Explicit inductive bias for transfer learning with convolutional networks, 2018.
    """
    if isinstance(anchor, str) and anchor == "start":
        return new_term(_L2To, strength, where, None)
    if not jax.tree.leaves(anchor) or isinstance(anchor, str):
        raise ValueError(f"l2_to: anchor must be a tree of arrays or 'start', got {anchor!r}")
    return new_term(_L2To, strength, where, anchor)


def l2_to_start(strength: Strength, where: Where | PyTree = None) -> Penalty:
    """`l2_to` with the initial parameters of a run as anchor; what `l2_to(0.01)` means in a flag.

    It keeps a net near its random initialization, which prevents it from fitting wrong labels.

    Args:
      strength: as in `l2_to`.
      where: as in `l2_to`.

    Example:
      >>> float(l2_to_start(0.5).anchored({"kernel": jnp.ones((1, 1))}).value({"kernel": jnp.array([[3.0]])}))
      2.0

    Reference:
      Hu, Li and Yu, Simple and effective regularization methods for training on noisily labeled data, 2020.
    """
    return l2_to("start", strength, where)


def absolute(w: Array) -> Array:
    """`|w|`, elementwise, with gradient 0 at 0 (for `jnp.abs` it is 1, which would push zeros away)."""
    if jnp.iscomplexobj(w):
        zero = w == 0
        return jnp.where(zero, 0.0, jnp.abs(jnp.where(zero, 1.0, w)))
    return w * jax.lax.stop_gradient(jnp.sign(w))


def squares(w: Array) -> Array:
    """`|w|^2`, elementwise; real also for complex numbers."""
    return jnp.real(w * jnp.conj(w)) if jnp.iscomplexobj(w) else jnp.square(w)
