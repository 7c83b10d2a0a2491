"""The names of `rj.*`: editors and type checkers read them here, `regjax/__init__.py` imports each when it is used."""

import regjax.noise.linen as layers
import regjax.optim.stepsizes as stepsizes

from . import augment as augment
from . import losses as losses
from . import models as models
from . import noise as noise
from . import sklearn as sklearn
from .analysis import Diagnosis as Diagnosis
from .analysis import diagnose as diagnose
from .averaging import AverageState as AverageState
from .averaging import Ensemble as Ensemble
from .averaging import ema as ema
from .averaging import ensemble_outputs as ensemble_outputs
from .averaging import lookahead as lookahead
from .averaging import parse_average as parse_average
from .averaging import snapshot_schedule as snapshot_schedule
from .averaging import snapshots as snapshots
from .averaging import swa as swa
from .catalog import Method as Method
from .comparison.options import CompareOptions as CompareOptions
from .comparison.procedure import compare as compare
from .comparison.result import CompareResult as CompareResult
from .comparison.techniques import Technique as Technique
from .comparison.techniques import penalty_technique as penalty_technique
from .core.errors import InputError as InputError
from .core.mesh import make_mesh as make_mesh
from .core.typing import Aux as Aux
from .core.typing import Batch as Batch
from .losses import absolute_error as absolute_error
from .losses import binary_cross_entropy as binary_cross_entropy
from .losses import class_weights as class_weights
from .losses import corrupt_labels as corrupt_labels
from .losses import cross_entropy as cross_entropy
from .losses import focal_loss as focal_loss
from .losses import huber_loss as huber_loss
from .losses import pinball_loss as pinball_loss
from .losses import poisson_deviance as poisson_deviance
from .losses import smooth_labels as smooth_labels
from .losses import squared_error as squared_error
from .optim.gradient_noise import gradient_noise as gradient_noise
from .optim.optimizers import make_optimizer as make_optimizer
from .optim.penalized import regularize as regularize
from .optim.sam import sam as sam
from .optim.transforms import BaseAndShape as BaseAndShape
from .optim.transforms import add_decay as add_decay
from .optim.transforms import add_penalty as add_penalty
from .optim.transforms import project as project
from .optim.verify import check_optimizer as check_optimizer
from .penalties import Penalty as Penalty
from .penalties import combine as combine
from .penalties import elastic_net as elastic_net
from .penalties import group_lasso as group_lasso
from .penalties import l0 as l0
from .penalties import l1 as l1
from .penalties import l2 as l2
from .penalties import l2_to as l2_to
from .penalties import log_sum as log_sum
from .penalties import mcp as mcp
from .penalties import nuclear as nuclear
from .penalties import orthogonal as orthogonal
from .penalties import parse_penalty as parse_penalty
from .penalties import scad as scad
from .penalties import sparse_group_lasso as sparse_group_lasso
from .penalties import spectral as spectral
from .penalties.constraints import Constraint as Constraint
from .penalties.constraints import apply_constraints as apply_constraints
from .penalties.constraints import box as box
from .penalties.constraints import max_norm as max_norm
from .penalties.constraints import non_negative as non_negative
from .penalties.constraints import parse_constraint as parse_constraint
from .penalties.constraints import unit_norm as unit_norm
from .penalties.convert import from_glmnet as from_glmnet
from .penalties.convert import from_keras as from_keras
from .penalties.convert import from_sklearn as from_sklearn
from .penalties.convert import from_torch_weight_decay as from_torch_weight_decay
from .penalties.convert import to_glmnet as to_glmnet
from .penalties.convert import to_keras as to_keras
from .penalties.convert import to_sklearn as to_sklearn
from .penalties.convert import to_torch_weight_decay as to_torch_weight_decay
from .penalties.outputs import OutputPenalty as OutputPenalty
from .penalties.outputs import activity_l1 as activity_l1
from .penalties.outputs import activity_l2 as activity_l2
from .penalties.outputs import confidence as confidence
from .penalties.outputs import fgsm as fgsm
from .penalties.outputs import jacobian as jacobian
from .penalties.outputs import parse_output_penalties as parse_output_penalties
from .penalties.outputs import r_drop as r_drop
from .plugins import register_augmentation as register_augmentation
from .plugins import register_criterion as register_criterion
from .plugins import register_model as register_model
from .plugins import register_noise as register_noise
from .plugins import register_optimizer as register_optimizer
from .plugins import register_output_penalty as register_output_penalty
from .plugins import register_penalty as register_penalty
from .plugins import register_reader as register_reader
from .plugins import register_technique as register_technique
from .solvers import LassoPath as LassoPath
from .solvers import Solution as Solution
from .solvers import lasso_path as lasso_path
from .solvers import proximal_gradient as proximal_gradient
from .solvers import regularization_path as regularization_path
from .stopping import Criterion as Criterion
from .stopping import EarlyStopping as EarlyStopping
from .stopping import StopState as StopState
from .stopping import keep_best as keep_best
from .stopping import replay as replay
from .sweeps import Lane as Lane
from .sweeps import LanePlan as LanePlan
from .sweeps import LaneStore as LaneStore
from .sweeps import path as path
from .sweeps import plan_lanes as plan_lanes
from .sweeps import run_lanes as run_lanes
from .sweeps import search as search
from .sweeps import sweep as sweep
from .training.evaluate import evaluate as evaluate
from .training.evaluate import predict as predict
from .training.events import Callback as Callback
from .training.events import FitResult as FitResult
from .training.fit import fit as fit
from .training.loss import build_loss as build_loss
from .training.program import init_weights as init_weights
from .training.run import RunResult as RunResult
from .training.run import make_run as make_run
from .training.spec import Hparams as Hparams
from .training.spec import Spec as Spec
from .training.spec import make_hparams as make_hparams
from .training.spec import stack_hparams as stack_hparams
from .training.state import History as History
from .training.state import RunState as RunState
from .training.state import TrainData as TrainData
from .training.state import TrainState as TrainState
from .training.state import Weights as Weights
from .training.step import init_train_state as init_train_state
from .training.step import make_step as make_step
from .training.stream import StreamLoader as StreamLoader
from .training.uncertainty import McPrediction as McPrediction
from .training.uncertainty import mc_predict as mc_predict

__version__: str
__all__ = [
    "Aux",
    "AverageState",
    "BaseAndShape",
    "Batch",
    "Callback",
    "CompareResult",
    "Constraint",
    "Diagnosis",
    "EarlyStopping",
    "Ensemble",
    "FitResult",
    "History",
    "Hparams",
    "InputError",
    "Lane",
    "LanePlan",
    "LaneStore",
    "LassoPath",
    "McPrediction",
    "OutputPenalty",
    "Penalty",
    "RunResult",
    "RunState",
    "Solution",
    "Spec",
    "StopState",
    "StreamLoader",
    "Technique",
    "TrainData",
    "TrainState",
    "Weights",
    "activity_l1",
    "activity_l2",
    "add_decay",
    "add_penalty",
    "apply_constraints",
    "augment",
    "box",
    "build_loss",
    "check_optimizer",
    "combine",
    "compare",
    "confidence",
    "corrupt_labels",
    "diagnose",
    "elastic_net",
    "ema",
    "ensemble_outputs",
    "evaluate",
    "fgsm",
    "fit",
    "from_glmnet",
    "from_keras",
    "from_sklearn",
    "from_torch_weight_decay",
    "gradient_noise",
    "group_lasso",
    "init_train_state",
    "init_weights",
    "jacobian",
    "keep_best",
    "l0",
    "l1",
    "l2",
    "l2_to",
    "lasso_path",
    "layers",
    "log_sum",
    "lookahead",
    "make_hparams",
    "make_mesh",
    "make_optimizer",
    "make_run",
    "make_step",
    "max_norm",
    "mc_predict",
    "mcp",
    "models",
    "noise",
    "non_negative",
    "nuclear",
    "orthogonal",
    "parse_average",
    "parse_constraint",
    "parse_output_penalties",
    "parse_penalty",
    "path",
    "penalty_technique",
    "plan_lanes",
    "predict",
    "project",
    "proximal_gradient",
    "r_drop",
    "regularization_path",
    "regularize",
    "run_lanes",
    "sam",
    "scad",
    "search",
    "sklearn",
    "smooth_labels",
    "snapshot_schedule",
    "snapshots",
    "sparse_group_lasso",
    "spectral",
    "stack_hparams",
    "stepsizes",
    "swa",
    "sweep",
    "to_glmnet",
    "to_keras",
    "to_sklearn",
    "to_torch_weight_decay",
    "unit_norm",
]
