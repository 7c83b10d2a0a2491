"""Computes the outputs of a trained model for any number of examples, batch by batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from regjax.core.rng import run_key
from regjax.data import Preprocessor
from regjax.models.interface import as_model
from regjax.training.evaluate import predict
from regjax.training.spec import Hparams, Spec
from regjax.training.state import Weights
from regjax.training.uncertainty import mc_predict


class TrainedModel(NamedTuple):
    """A trained model.

    Attributes:
      spec: the definition of its run.
      hparams: the hyperparameters.
      preprocessor: of its inputs and targets.
      weights: its weights.
    """

    spec: Spec
    hparams: Hparams
    preprocessor: Preprocessor
    weights: Weights


def predictor(
    model: TrainedModel, batch_size: int, *, samples: int = 0, seed: int = 0
) -> Callable[[Any, int], tuple[np.ndarray, dict[str, np.ndarray]]]:
    """Return a function from examples, and the number of the first, to outputs and what says how unsure they are.

    Args:
      model: the model.
      batch_size: number of examples that are predicted at once; with samples, the noise depends on it.
      samples: number of passes with the noise of training; 0 is one pass without it.
      seed: of the noise.
    """
    spec, hparams, pre, weights = model
    apply_fn, key = as_model(spec.model).apply, run_key(seed)

    @jax.jit
    def batch(rows: Any, index: Any) -> tuple[Any, dict[str, Any]]:
        if not samples:
            return predict(apply_fn, *weights, rows, task=spec.task, link=spec.link), {}
        batch_key, state = jax.random.fold_in(key, index), weights.model_state
        sampled = mc_predict(
            apply_fn,
            weights.params,
            rows,
            batch_key,
            samples,
            rates=hparams.rates,
            model_state=state,
            task=spec.task,
            link=spec.link,
        )
        if spec.task == "regression":
            return jnp.log(sampled.mean) if spec.link == "log" else sampled.mean, {"std": jnp.sqrt(sampled.variance)}
        if spec.task == "multilabel":
            return jnp.log(sampled.mean) - jnp.log1p(-sampled.mean), {"std": jnp.sqrt(sampled.variance)}
        unsure = {
            "predictive_entropy": sampled.predictive_entropy,
            "mutual_information": sampled.mutual_information,
        }
        return jnp.log(sampled.mean), unsure

    def outputs(x: Any, first: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        starts = range(0, len(x), batch_size)
        parts = [batch(pre.transform(x[i : i + batch_size]), first + i) for i in starts]
        unsure = {name: np.concatenate([np.asarray(part[1][name]) for part in parts]) for name in parts[0][1]}
        return np.concatenate([np.asarray(part[0]) for part in parts]), unsure

    return outputs
