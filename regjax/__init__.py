"""Everything that fights overfitting, as pure JAX functions, and the evidence which of it helps.

`import regjax as rj`. Penalties and transforms work on any pytree of parameters and any optax optimizer;
`rj.layers` and `rj.augment` act on activations and data; `rj.EarlyStopping` works inside `jit`; `rj.make_run` and
`rj.sweep` train one net or hundreds in compiled programs; `rj.compare` tells which technique helps on your data.
"""

import typing as _typing

from regjax import augment, losses, models, noise
from regjax.analysis import Diagnosis, diagnose
from regjax.averaging import (
    AverageState,
    Ensemble,
    ema,
    ensemble_outputs,
    lookahead,
    parse_average,
    snapshot_schedule,
    snapshots,
    swa,
)
from regjax.comparison import CompareResult, Technique, compare, penalty_technique
from regjax.core.checks import InputError
from regjax.core.mesh import make_mesh
from regjax.core.typing import Aux, Batch
from regjax.losses import corrupt_labels, smooth_labels
from regjax.noise import linen as layers
from regjax.optim import stepsizes
from regjax.optim.gradient_noise import gradient_noise
from regjax.optim.optimizers import make_optimizer
from regjax.optim.penalized import regularize
from regjax.optim.sam import sam
from regjax.optim.transforms import BaseAndShape, add_decay, add_penalty, project
from regjax.optim.verify import check_optimizer
from regjax.penalties import (
    Penalty,
    combine,
    elastic_net,
    group_lasso,
    l0,
    l1,
    l2,
    l2_to,
    log_sum,
    mcp,
    nuclear,
    orthogonal,
    parse_penalty,
    scad,
    sparse_group_lasso,
    spectral,
)
from regjax.penalties.constraints import (
    Constraint,
    apply_constraints,
    box,
    max_norm,
    non_negative,
    parse_constraint,
    unit_norm,
)
from regjax.penalties.convert import (
    from_glmnet,
    from_keras,
    from_sklearn,
    from_torch_weight_decay,
    to_glmnet,
    to_keras,
    to_sklearn,
    to_torch_weight_decay,
)
from regjax.penalties.outputs import (
    OutputPenalty,
    activity_l1,
    activity_l2,
    confidence,
    fgsm,
    jacobian,
    parse_output_penalties,
    r_drop,
)
from regjax.solvers import LassoPath, Solution, lasso_path, proximal_gradient, regularization_path
from regjax.stopping import EarlyStopping, StopState, keep_best
from regjax.sweeps import Lane, LanePlan, LaneStore, plan_lanes, run_lanes, sweep
from regjax.training.evaluate import evaluate, predict
from regjax.training.fit import FitResult, fit
from regjax.training.loss import build_loss
from regjax.training.program import init_weights
from regjax.training.run import RunResult, make_run
from regjax.training.spec import Hparams, Spec, make_hparams, stack_hparams
from regjax.training.state import History, RunState, TrainData, TrainState, Weights
from regjax.training.step import init_train_state, make_step
from regjax.training.stream import StreamLoader
from regjax.training.uncertainty import McPrediction, mc_predict

__version__ = "0.1.0"

__all__ = [
    "Aux",
    "AverageState",
    "BaseAndShape",
    "Batch",
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

_OTHER_NAMES = {
    "early_stopping": "rj.EarlyStopping",
    "label_smoothing": "rj.smooth_labels",
    "lasso": "rj.l1, or rj.lasso_path for the exact solution",
    "mc_dropout": "rj.mc_predict",
    "ridge": "rj.l2",
    "weight_decay": "rj.l2, in the loss or by rj.make_optimizer(..., penalty=rj.l2(s), mode='decoupled')",
}

if not _typing.TYPE_CHECKING:  # or a type checker would take any name for one that is there

    def __getattr__(name: str) -> None:
        """Says where a name is that is not here."""
        import difflib

        def plain(text: str) -> str:
            return text.replace("_", "").lower()

        places = [_OTHER_NAMES[name]] if name in _OTHER_NAMES else []
        places += [f"rj.{own}" for own in __all__ if plain(own) == plain(name)]
        modules = {"noise": noise, "layers": layers, "augment": augment, "losses": losses, "models": models}
        for room, module in (modules | {"stepsizes": stepsizes}).items():
            for own, thing in vars(module).items():
                if plain(own) == plain(name) and getattr(thing, "__module__", "").startswith(module.__name__):
                    places.append(f"rj.{room}.{own}")
        places = places or [f"rj.{own}" for own in difflib.get_close_matches(name, __all__, 1)]
        hint = f"; did you mean {', '.join(places)}?" if places and not name.startswith("_") else ""
        raise AttributeError(f"module 'regjax' has no attribute {name!r}{hint}")
