"""Monte Carlo dropout: predictions with the noise of training, and their uncertainty."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp

from regjax.averaging import Ensemble
from regjax.core.checks import check_array, check_choice, check_range
from regjax.core.dtypes import widened
from regjax.core.labels import check_logits
from regjax.core.typing import ApplyFn, Array, ArrayLike, PRNGKey, PyTree
from regjax.losses import probabilities
from regjax.models.call import call_with_noise, takes_rates
from regjax.training.evaluate import METRICS


class McPrediction(NamedTuple):
    """A prediction from S noisy passes.

    Attributes:
      mean: mean probabilities `[B, K]` of classes or labels, or mean outputs of a regression `[B, ...]`.
      variance: variance of the probabilities or outputs over the passes, with divisor S.
      predictive_entropy: `float32[B]` in nats: the entropy of the mean probabilities, the total uncertainty; None for
        other tasks.
      mutual_information: `float32[B]` in nats, between prediction and noise: the uncertainty of the model, which more
        data would reduce; None for regression.
    """

    mean: Array
    variance: Array
    predictive_entropy: Array | None
    mutual_information: Array | None


def mc_predict(
    apply_fn: ApplyFn,
    params: PyTree,
    x: Array,
    key: PRNGKey,
    samples: int = 50,
    *,
    rates: Mapping[str, ArrayLike] | None = None,
    model_state: PyTree | None = None,
    task: str = "classification",
    link: str = "identity",
) -> McPrediction:
    """Predict with S passes of a model with active noise.

      mean = (1/S) sum_s p_s,   predictive entropy = H(mean),   mutual information = H(mean) - (1/S) sum_s H(p_s)

    Args:
      apply_fn: as in `rj.build_loss`.
      params: parameters.
      x: inputs `[B, ...]`.
      key: one key; pass s draws from `fold_in(key, s)`.
      samples: number of passes S >= 1, a Python integer. Passes run one after the other, to save memory.
      rates: noise rates by name, as in training, for models that apply them also with `train=False`, such as those of
        `regjax.models`. None is for models with their own noise, which are called with `train=True` and must not have
        batch statistics.
      model_state: other collections of the model, or None.
      task: `"classification"` or `"multilabel"` (the outputs are logits), or `"regression"`.
      link: `"log"` if the outputs of a regression are logarithms; mean and variance are those of what they predict.

    Returns:
      A `McPrediction`.

    Raises:
      ValueError: `samples` is below 1, the task is unknown, there are logits of fewer than 2 classes, the model takes
        no rates, the parameters are an ensemble, or there are batch statistics but no rates.

    Example:
      >>> from regjax.models import make_model
      >>> model, x = make_model("mlp", num_outputs=3, widths=(8,)), jnp.ones((2, 4))
      >>> params = model.init(jax.random.key(0), x)["params"]
      >>> found = mc_predict(model.apply, params, x, jax.random.key(1), 20, rates={"dropout": 0.5})
      >>> found.mean.shape, bool((found.mutual_information > 0).all())
      ((2, 3), True)

    Reference:
      Gal and Ghahramani, Dropout as a Bayesian approximation: representing model uncertainty in deep learning, 2016;
      Houlsby et al., Bayesian active learning for classification and preference learning, 2011.
    """
    check_choice("task", task, METRICS)
    check_range("mc_predict: samples", samples, 1)
    if not isinstance(samples, int):
        raise ValueError(f"mc_predict: samples must be a Python integer, got {samples!r}")
    if isinstance(params, Ensemble):
        raise ValueError("mc_predict: takes the parameters of one model, got an ensemble")
    if not rates and takes_rates(apply_fn):
        raise ValueError("mc_predict: the noise of this model acts through rates; give them, as rates={'dropout': 0.5}")
    if not rates and "batch_stats" in (model_state or {}):
        raise ValueError(
            "mc_predict: with train=True this model takes the statistics of x in place of its batch_stats; give an "
            "apply_fn(variables, x, rngs) that holds batch_stats itself and switches its dropout alone on"
        )
    classes = task == "classification"

    def sample(index: Array) -> Array:
        pass_key = jax.random.fold_in(key, index)
        outputs = call_with_noise(
            apply_fn, params, model_state, x, train=not rates, rates=rates or {}, key=pass_key
        ).outputs
        check_array("mc_predict: outputs", outputs)
        if task != "regression":
            return probabilities(outputs, task)
        return jnp.exp(widened(outputs)) if link == "log" else widened(outputs)

    def add(total: tuple[Array, Array, Array], index: Array) -> tuple[tuple[Array, Array, Array], None]:
        mean, squares, entropy = total
        p = sample(index)
        # Welford's update: a difference of two large sums would lose the variance in float32.
        change = p - mean
        mean = mean + change / (index + 1)
        return (mean, squares + change * (p - mean), entropy + (_entropy(p) if classes else 0.0)), None

    shape = jax.eval_shape(sample, jnp.int32(0)).shape
    if classes:
        check_logits("mc_predict", shape, hint="; task='regression' takes them as numbers")
    zeros = jnp.zeros(shape)
    start = (zeros, zeros, jnp.zeros(shape[:-1] if classes else ()))
    (mean, squares, entropy), _ = jax.lax.scan(add, start, jnp.arange(samples))
    variance = jnp.maximum(squares / samples, 0.0)  # rounding must not make either negative
    if not classes:
        return McPrediction(mean, variance, None, None)
    whole = jnp.maximum(_entropy(mean), 0.0)
    return McPrediction(mean, variance, whole, jnp.maximum(whole - entropy / samples, 0.0))


def _entropy(p: Array) -> Array:
    return -jnp.sum(jnp.where(p > 0, p * jnp.log(jnp.where(p > 0, p, 1.0)), 0.0), axis=-1)
