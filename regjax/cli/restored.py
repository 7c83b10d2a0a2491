"""Restores the model of a trained run, or that of the winner of a comparison."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from regjax.cli import flags, setup, workdirs
from regjax.cli.predictor import TrainedModel
from regjax.cli.train import Config as TrainConfig
from regjax.cli.winner import WEIGHTS
from regjax.data import Preprocessor
from regjax.training.checkpoint import Checkpoints
from regjax.training.program import make_program
from regjax.training.spec import Hparams, Spec
from regjax.training.state import RunState, Weights
from regjax.training.weights_file import read_weights


class Restored(NamedTuple):
    """A trained model with everything that predictions need.

    Attributes:
      options: those of the run.
      spec: the definition of the run.
      hparams: its hyperparameters.
      preprocessor: of its inputs and targets.
      weights: those of the run, `best` or `last` as it was asked for.
    """

    options: TrainConfig
    spec: Spec
    hparams: Hparams
    preprocessor: Preprocessor
    weights: Weights

    @property
    def model(self) -> TrainedModel:
        """The model without the options of its run."""
        return TrainedModel(self.spec, self.hparams, self.preprocessor, self.weights)


def restore(workdir: Path) -> Restored:
    """Restore the model in the directory of a run.

    Raises:
      FlagError: the files are not those of a run, or there is no checkpoint yet.
    """
    saved = workdirs.read_config(workdir) or {}
    preprocessor = Preprocessor.from_json((workdir / "preprocess.json").read_text())

    def described() -> tuple[TrainConfig, Spec, Hparams, RunState]:
        """Restore the definition of the run and the shapes of its state; the arrays are in the checkpoint."""
        options = TrainConfig.from_json(up_to_date(saved["flags"]))
        facts = setup.Facts(**saved["facts"])
        spec = setup.make_spec(options, facts, steps=options.steps_per_epoch)
        hparams = setup.hparams_of(
            options, facts, restore_best=options.restore_best, standardization=None, augment=options.augment_strength
        )
        example: Any = jax.ShapeDtypeStruct((1, *preprocessor.shape), jnp.float32)
        return options, spec, hparams, jax.eval_shape(make_program(spec).init, hparams, jax.random.key(0), example)

    try:
        options, spec, hparams, like = described()
    except (flags.FlagError, KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        reason = " ".join(str(error).split())[:300]
        raise flags.FlagError(f"--workdir={workdir}: config.json is not that of a training ({reason})") from None
    if (workdir / WEIGHTS).exists():
        shapes = jax.eval_shape(lambda state: state.weights(hparams), like)
        weights = flags.about("workdir", lambda: read_weights(shapes, workdir / WEIGHTS))
    else:
        state = Checkpoints(workdir / "checkpoints").restore_latest(like)
        flags.check(state is not like, "workdir", "holds no checkpoint yet")
        weights = state.weights(hparams)
    finite = all(bool(np.isfinite(leaf).all()) for leaf in jax.tree.leaves(weights.params))
    flags.check(finite, "workdir", "the training of this run diverged: its weights are not finite; train another")
    return Restored(options, spec, hparams, preprocessor, weights)


def up_to_date(flags_of_run: dict[str, Any]) -> dict[str, Any]:
    """Convert the flags of a run of an earlier version, which split the data with --seed."""
    return {"split_seed": flags_of_run["seed"], **flags_of_run}
