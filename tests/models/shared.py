"""What tests of the ways to call a model share."""

import jax
import numpy as np

import regjax as rj
from regjax.models.interface import as_model

KEYS = jax.random.split(jax.random.key(0), 3)
X = np.random.default_rng(0).normal(size=(16, 4)).astype(np.float32)
Y = (X[:, 0] > 0).astype(np.int32)


def loss_of(model, penalty=None):
    params, state = as_model(model).init(KEYS[0], X)
    loss_fn = rj.build_loss(as_model(model).apply, "cross_entropy")
    return lambda key, train: loss_fn(params, rj.Batch(X, Y), key, model_state=state, train=train), state
