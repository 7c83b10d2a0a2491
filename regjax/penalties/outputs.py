"""Penalties on what a model computes: activations, outputs, and the change of outputs with noise or input.

Each has a strength, which is data, and a `value(forward) -> scalar`, which `rj.build_loss` adds to the loss and reports
in `aux.parts`. All values are weighted means over the batch, so that micro-batches, batch sizes and padding do not
matter. A concrete strength out of range is an error; a traced one is not checked.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable
from typing import ClassVar, NamedTuple

import jax
import jax.numpy as jnp

from regjax.core.checks import check_range
from regjax.core.dtypes import canonical, widened
from regjax.core.labels import check_logits
from regjax.core.parse import parse_sum
from regjax.core.typing import Array, ArrayLike, Batch, Numeric, PRNGKey
from regjax.losses import weighted_mean


class Forward(NamedTuple):
    """The forward pass of a training step, as penalties see it.

    Attributes:
      batch: examples, after augmentation.
      outputs: outputs of the model, `[B, ...]`.
      activations: recorded activations by name, each `[B, ...]`.
      data_loss: `outputs -> mean data loss`.
      again: `(x, noise) -> outputs` of another pass; passes of the same noise name draw the same numbers, and
        `"dropout"` draws those of the first pass.
      key: `name -> key` for this step.
    """

    batch: Batch
    outputs: Array
    activations: dict[str, Array]
    data_loss: Callable[[Array], Array]
    again: Callable[[Array, str], Array]
    key: Callable[[str], PRNGKey]

    def mean(self, values: Array) -> Array:
        """The weighted mean of one number for each example `[B]` or token `[B, T]`.

        If tokens have weights, the weight of an example is that of its heaviest token.
        """
        weight = self.batch.weight
        if weight is not None and weight.ndim > values.ndim:
            weight = weight.reshape(*weight.shape[: values.ndim], -1).max(axis=-1)
        return weighted_mean(values, weight)


@dataclasses.dataclass(frozen=True)
class OutputPenalty:
    """A term of the loss that depends on what the model computes; made by the functions of this module.

    Attributes:
      strength: factor of the term; a number or a traced array.
    """

    kind: ClassVar[str]
    needs_activations: ClassVar[bool] = False
    needs_classes: ClassVar[bool] = False

    strength: Numeric

    def value(self, forward: Forward) -> Array:
        """The term, `float32[]`."""
        raise NotImplementedError

    def scaled(self, factor: ArrayLike) -> OutputPenalty:
        """The same penalty with its strength multiplied by `factor`."""
        return dataclasses.replace(self, strength=self.strength * factor)


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class _Activity(OutputPenalty):
    power: int = dataclasses.field(metadata={"static": True})
    where: str | None = dataclasses.field(metadata={"static": True})
    needs_activations: ClassVar[bool] = True

    @property
    def kind(self) -> str:  # type: ignore[override]
        return f"activity_l{self.power}"

    def value(self, forward: Forward) -> Array:
        matched = {n: h for n, h in forward.activations.items() if self.where is None or re.search(self.where, n)}
        if not matched:
            recorded = ", ".join(forward.activations) or "none: the model records none"
            raise ValueError(f"{self.kind}: where {self.where!r} matches no recorded activation ({recorded})")
        total = jnp.float32(0.0)
        for h in matched.values():
            h = widened(h)
            total += forward.mean(_by_example(jnp.abs(h) if self.power == 1 else jnp.square(h)))
        return self.strength * total


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class _Confidence(OutputPenalty):
    kind = "confidence"
    needs_classes: ClassVar[bool] = True

    def value(self, forward: Forward) -> Array:
        logs = jax.nn.log_softmax(_logits(self.kind, forward.outputs))
        return self.strength * forward.mean(jnp.sum(jnp.exp(logs) * logs, axis=-1))


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class _RDrop(OutputPenalty):
    kind = "r_drop"
    needs_classes: ClassVar[bool] = True

    def value(self, forward: Forward) -> Array:
        other = forward.again(forward.batch.x, "r_drop")
        p, q = (jax.nn.log_softmax(_logits(self.kind, z)) for z in (forward.outputs, other))
        # KL(p||q) + KL(q||p) = sum (p - q)(log p - log q)
        distance = forward.mean(jnp.sum((jnp.exp(p) - jnp.exp(q)) * (p - q), axis=-1)) / 2
        loss_difference = (forward.data_loss(other) - forward.data_loss(forward.outputs)) / 2
        return self.strength * distance + loss_difference


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class _Jacobian(OutputPenalty):
    probes: int = dataclasses.field(metadata={"static": True})
    kind = "jacobian"

    def value(self, forward: Forward) -> Array:
        _check_floating(self.kind, forward.batch.x)
        outputs, pull = jax.vjp(lambda x: widened(forward.again(x, "dropout")), forward.batch.x)
        total = jnp.float32(0.0)
        for probe in range(self.probes):
            # On a sphere instead of normal, which gives the estimate the smallest variance.
            v = jax.random.normal(jax.random.fold_in(forward.key("jacobian"), probe), outputs.shape, outputs.dtype)
            flat = v.reshape(v.shape[0], -1)
            v = v / jnp.linalg.norm(flat, axis=1).reshape(-1, *[1] * (v.ndim - 1)) * math.sqrt(flat.shape[1])
            (row,) = pull(v)
            total += forward.mean(_by_example(jnp.square(widened(row))))
        return self.strength * total / self.probes


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class _FGSM(OutputPenalty):
    epsilon: Numeric
    kind = "fgsm"

    def value(self, forward: Forward) -> Array:
        x = forward.batch.x
        _check_floating(self.kind, x)
        gradient = jax.grad(lambda x: forward.data_loss(forward.again(x, "dropout")))(x)
        perturbed = jax.lax.stop_gradient(x + (self.epsilon * jnp.sign(gradient)).astype(x.dtype))
        adversarial_loss = forward.data_loss(forward.again(perturbed, "dropout"))
        return self.strength * (adversarial_loss - forward.data_loss(forward.outputs))


def activity_l1(strength: ArrayLike, where: str | None = None) -> OutputPenalty:
    """L1 on activations: `s * (1/B) sum_b sum_j |h_bj|`, over all recorded layers; makes them sparse.

    A model records activations by `rj.layers.record_activation(self, name, h)`, or `self.sow("activations", name, h)`;
    those of `regjax.models` record each hidden layer.

    Args:
      strength: s >= 0.
      where: pattern that is searched in the names; None takes all activations.

    Raises:
      ValueError: a concrete strength out of range; when the loss is traced, a pattern that matches nothing.

    Example:
      >>> activity_l1(0.1).kind
      'activity_l1'

    Reference: Deep Sparse Rectifier Neural Networks (Glorot, Bordes & Bengio, 2011).
    """
    return _Activity(_strength("activity_l1", strength), 1, where)


def activity_l2(strength: ArrayLike, where: str | None = None) -> OutputPenalty:
    """L2 on activations: `s * (1/B) sum_b sum_j h_bj^2`, over all recorded layers; see `activity_l1`.

    Args:
      strength: s >= 0. Keras' `ActivityRegularization(l2=s)` is the same number.
      where: pattern that is searched in the names; None takes all activations.

    Raises:
      ValueError: as `activity_l1`.

    Example:
      >>> activity_l2(0.1).kind
      'activity_l2'

    Reference: Revisiting Activation Regularization for Language RNNs (Merity, McCann & Socher, 2017).
    """
    return _Activity(_strength("activity_l2", strength), 2, where)


def confidence(strength: ArrayLike) -> OutputPenalty:
    """Confidence penalty: `-s * mean_b H(softmax(z_b))`; penalizes confident predictions, as label smoothing does.

    Args:
      strength: s >= 0.

    Raises:
      ValueError: a concrete strength out of range; outputs that are not logits of at least 2 classes.

    Example:
      >>> confidence(0.1).kind
      'confidence'

    Reference: Regularizing Neural Networks by Penalizing Confident Output Distributions (Pereyra et al., 2017).
    """
    return _Confidence(_strength("confidence", strength))


def r_drop(strength: ArrayLike) -> OutputPenalty:
    """R-Drop: penalizes the difference between the predictions of two passes with different noise.

      s * mean_b (KL(p_b || q_b) + KL(q_b || p_b)) / 2  +  (L(q) - L(p)) / 2

    With the second summand, the data loss of the total is the mean over both passes, `(L(p) + L(q)) / 2`. The paper
    adds both data losses instead, so its alpha is `2 s`.

    Args:
      strength: s >= 0.

    Raises:
      ValueError: a concrete strength out of range; outputs that are not logits of at least 2 classes.

    Example:
      >>> r_drop(1.0).kind
      'r_drop'

    Reference: R-Drop: Regularized Dropout for Neural Networks (Wu et al., 2021).
    """
    return _RDrop(_strength("r_drop", strength))


def jacobian(strength: ArrayLike, probes: int = 1) -> OutputPenalty:
    """Jacobian penalty: `s * mean_b ||d f(x_b) / d x_b||_F^2`, estimated with random projections.

      ||J||_F^2 = K E ||v' J||^2,  v uniform on the unit sphere of R^K (Hutchinson's estimate)

    Each probe takes another backward pass, which is itself differentiated. With batch statistics, outputs depend on
    other examples too, and the term includes these derivatives.

    Args:
      strength: s >= 0.
      probes: random projections in each step, >= 1; one is enough for training.

    Raises:
      ValueError: a concrete number out of range.

    Example:
      >>> jacobian(0.01, probes=2).probes
      2

    Reference: Robust Learning with Jacobian Regularization (Hoffman, Roberts & Yaida, 2019).
    """
    check_range("jacobian: probes", probes, 1)
    if not isinstance(probes, int):
        raise ValueError(f"jacobian: probes must be a Python integer, got {probes!r}")
    return _Jacobian(_strength("jacobian", strength), probes)


def fgsm(epsilon: ArrayLike, weight: ArrayLike = 0.5) -> OutputPenalty:
    """Adversarial training with the fast gradient sign method.

      w (L(x + epsilon sign(dL/dx)) - L(x)),  so that the total is (1 - w) L(x) + w L(x_adversarial)

    The adversarial examples are constants: no gradient flows through their construction. Costs about two more passes.

    Args:
      epsilon: largest change of an input, >= 0, in the units of `x` (standard deviations if `x` is standardized).
      weight: w in [0, 1].

    Raises:
      ValueError: a concrete number out of range.

    Example:
      >>> fgsm(0.1).kind
      'fgsm'

    Reference: Explaining and Harnessing Adversarial Examples (Goodfellow, Shlens & Szegedy, 2015).
    """
    check_range("fgsm: epsilon", epsilon, 0.0, high_open=True)
    check_range("fgsm: weight", weight, 0.0, 1.0)
    return _FGSM(canonical(weight), canonical(epsilon))


OUTPUT_PENALTIES: dict[str, Callable[..., OutputPenalty]] = {
    "activity_l1": activity_l1,
    "activity_l2": activity_l2,
    "confidence": confidence,
    "fgsm": fgsm,
    "jacobian": jacobian,
    "r_drop": r_drop,
}


def parse_output_penalties(text: str) -> tuple[OutputPenalty, ...]:
    """Parse penalties from the text of a flag, as `"confidence(0.1) + jacobian(0.01)"`; nothing is evaluated.

    Raises:
      InputError: one line that says what cannot be read or does not fit.

    Example:
      >>> [p.kind for p in parse_output_penalties("confidence(0.1) + r_drop(1)")]
      ['confidence', 'r_drop']
    """
    return tuple(parse_sum(text, OUTPUT_PENALTIES, "output penalty", lambda factor, penalty: penalty.scaled(factor)))


def _by_example(values: Array) -> Array:
    """The sum for each example, `[B]`."""
    return jnp.sum(values.reshape(values.shape[0], -1), axis=1)


def _check_floating(name: str, x: Array) -> None:
    if not jnp.issubdtype(x.dtype, jnp.floating):
        raise ValueError(f"{name}: a derivative by the inputs needs floating-point inputs, got {x.dtype}")


def _strength(name: str, value: ArrayLike) -> Numeric:
    check_range(f"{name}: strength", value, 0.0, high_open=True)
    return canonical(value)


def _logits(name: str, outputs: Array) -> Array:
    check_logits(name, outputs.shape)
    return widened(outputs)
