"""Small networks whose noise rates are given at call time, and their registry."""

from regjax.catalog import TASKS
from regjax.models.base import NoisyModel
from regjax.models.cnn import CNN
from regjax.models.linear import Linear
from regjax.models.mlp import MLP
from regjax.models.registry import MODELS, make_model, parse_model
from regjax.models.resnet import ResNet
from regjax.models.vit import ViT

__all__ = ["CNN", "MLP", "MODELS", "TASKS", "Linear", "NoisyModel", "ResNet", "ViT", "make_model", "parse_model"]
