"""Training of the nets of the claims: many runs of several settings at once, followed epoch by epoch."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, ParamSpec, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from regjax.augment import make as make_augmentation
from regjax.claims.problems import TRAIN, Problem, problem
from regjax.core.rng import run_key
from regjax.core.typing import PyTree, Value
from regjax.models import make_model
from regjax.sweeps import Lane, run_lanes
from regjax.training.run import make_run
from regjax.training.spec import Spec, make_hparams
from regjax.training.state import TrainData

Given = ParamSpec("Given")
Found = TypeVar("Found")

BATCH, STEPS, EPOCHS = 32, 4, 150
"""Examples of an update, updates of an epoch, epochs: every setting makes as many updates."""
WIDTHS: dict[str, tuple[int, ...]] = {"digits": (128, 128)}
OTHER_WIDTHS = (64, 64)
LEARNING_RATES = {"spirals": 0.01}
LEARNING_RATE = 0.001


@dataclasses.dataclass(frozen=True)
class Setting:
    """How a net is trained; what is left out is that of the baseline.

    Attributes:
      n_train: number of training examples.
      optimizer: a name of `rj.make_optimizer`.
      learning_rate: its learning rate; None is that of the problem.
      batch_norm: whether the net has batch normalization.
      augmentation: what `rj.augment.make` reads, or empty.
      epochs: of `STEPS` updates each; None is `EPOCHS`.
      regularizers: arguments of `make_hparams`.
    """

    n_train: int = TRAIN
    optimizer: str = "adam"
    learning_rate: float | None = None
    batch_norm: bool = False
    augmentation: str = ""
    epochs: int | None = None
    regularizers: Mapping[str, Value] = dataclasses.field(default_factory=dict)


class Trained(NamedTuple):
    """The runs of a setting.

    Attributes:
      train: by metric, `[R, epochs]`, on training examples without noise of the net.
      validation: by metric, `[R, epochs]`; empty if the runs were not followed there.
      test: likewise.
      weights: of each run after the last epoch.
    """

    train: dict[str, np.ndarray]
    validation: dict[str, np.ndarray]
    test: dict[str, np.ndarray]
    weights: list[PyTree]

    def kept(self, part: str, metric: str = "loss") -> np.ndarray:
        """The metric of a part at the epoch of the lowest validation loss, `[R]`."""
        epoch = np.argmin(self.validation["loss"], axis=1)
        found: np.ndarray = np.take_along_axis(getattr(self, part)[metric], epoch[:, None], axis=1)[:, 0]
        return found

    def last(self, part: str, metric: str = "loss") -> np.ndarray:
        """The metric of a part after the last epoch, `[R]`."""
        found: np.ndarray = getattr(self, part)[metric][:, -1]
        return found


def spec_of(of: Problem, setting: Setting) -> Spec:
    """The program of a setting."""
    model = make_model(
        "mlp",
        num_outputs=of.num_classes or 1,
        widths=WIDTHS.get(of.name, OTHER_WIDTHS),
        task=of.task,
        batch_norm=setting.batch_norm,
    )
    return Spec(
        model,
        task=of.task,
        num_classes=of.num_classes,
        batch_size=BATCH,
        steps_per_epoch=STEPS,
        epochs=setting.epochs or EPOCHS,
        optimizer=setting.optimizer,
        augmentation=make_augmentation(setting.augmentation) if setting.augmentation else None,
        eval_train_examples=TRAIN,
    )


def train(
    name: str, runs: Sequence[int], settings: Mapping[str, Setting], follow: Sequence[str] = ("test",)
) -> dict[str, Trained]:
    """Train every setting in every run of a problem, all with the same examples, initial weights and batches.

    Args:
      name: of `PROBLEMS`.
      runs: numbers of the runs.
      settings: by label.
      follow: parts on which the nets are evaluated after each epoch, of `"validation"` and `"test"`. A run is trained
        once for each, which gives the same net.
    """
    of = problem(name, runs)
    parts = {part: getattr(of, part) for part in follow}
    width = max(rows.shape[1] for rows in parts.values())
    padded = {p: np.pad(r, ((0, 0), (0, width - r.shape[1])), constant_values=-1) for p, r in parts.items()}
    x = jnp.asarray(of.x)
    data = TrainData(
        x,
        jnp.asarray(np.concatenate([of.y] * len(parts))),
        jnp.asarray(np.concatenate([of.order] * len(parts))),
        x[:0],
        jnp.asarray(of.y[0, :0]),
        val_rows=jnp.asarray(np.concatenate(list(padded.values()))),
    )
    lanes = []
    for setting in settings.values():
        run = make_run(spec_of(of, setting))
        for row in range(len(parts) * len(runs)):
            own = row % len(runs)
            hparams = make_hparams(
                learning_rate=setting.learning_rate or LEARNING_RATES.get(of.name, LEARNING_RATE),
                n_train=setting.n_train,
                standardization=of.standardizations[own],
                augment=1.0 if setting.augmentation else None,
                **setting.regularizers,
            )
            lanes.append(Lane(run, hparams, run_key(int(runs[own])), row))
    results = iter(run_lanes(lanes, data))
    out = {}
    for label in settings:
        histories: dict[str, dict[str, np.ndarray]] = {"validation": {}, "test": {}}
        weights: list[PyTree] = []
        for part in parts:
            found = [next(results) for _ in runs]
            values = [{k: np.asarray(v, np.float64) for k, v in one.history.values.items()} for one in found]
            histories[part] = _metrics(values, "val/")
            if not weights:
                on_train = _metrics(values, "train/")
                weights = [one.weights for one in found]
        out[label] = Trained(on_train, histories["validation"], histories["test"], weights)
    return out


def _metrics(values: Sequence[Mapping[str, np.ndarray]], prefix: str) -> dict[str, np.ndarray]:
    names = [name for name in values[0] if name.startswith(prefix)]
    found = {name.removeprefix(prefix): np.stack([one[name] for one in values]) for name in names}
    if "data_loss" in found:  # of training, where "loss" has the penalties
        found["loss"] = found.pop("data_loss")
    return found


def shared(measure: Callable[Given, Found]) -> Callable[Given, Found]:
    """Keep what a function of names and runs returns, for all claims that look at the same runs."""
    kept = functools.lru_cache(maxsize=64)(measure)

    @functools.wraps(measure)
    def found(*arguments: Given.args, **named: Given.kwargs) -> Found:
        return kept(*(tuple(one) if isinstance(one, range | list) else one for one in arguments), **named)  # type: ignore[arg-type]

    return found


@shared
def baseline(name: str, runs: Sequence[int]) -> Trained:
    """The nets without a regularizer, followed on both parts."""
    return train(name, runs, {"none": Setting()}, ("validation", "test"))["none"]


def chosen(settings: Mapping[str, Trained]) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Choose a setting in each run by its last validation loss; returns their positions and their last test metrics.

    Args:
      settings: the candidates by label, followed on both parts.
    """
    each = list(settings.values())
    position = np.argmin([one.last("validation") for one in each], axis=0)
    metrics = {
        metric: np.stack([one.last("test", metric) for one in each])[position, np.arange(len(position))]
        for metric in each[0].test
    }
    return position, metrics


def kernels(weights: PyTree) -> list[Any]:
    """The weight matrices of a net, first layer first."""
    leaves = jax.tree_util.tree_leaves_with_path(weights.params)
    found = {jax.tree_util.keystr(path): np.asarray(leaf) for path, leaf in leaves if leaf.ndim == 2}
    hidden = sorted(name for name in found if "hidden" in name)
    return [found[name] for name in [*hidden, *(name for name in found if "hidden" not in name)]]
