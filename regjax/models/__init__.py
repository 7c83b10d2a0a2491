"""Small networks with noise whose rates are given at call time, and the registry that names them."""

from regjax.models.base import TASKS, NoisyModel
from regjax.models.cnn import CNN
from regjax.models.linear import Linear
from regjax.models.mlp import MLP
from regjax.models.registry import MODELS, make_model

__all__ = ["CNN", "MLP", "MODELS", "TASKS", "Linear", "NoisyModel", "make_model"]
