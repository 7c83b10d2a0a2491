"""How often the interval of a prediction holds the target of a new example, where its examples chose the best epoch.

The study behind the intervals of `predict` (`regjax.analysis.conformal_quantile`).

Command: `python -m experiments.studies.intervals` (about a minute on two cores); it prints one JSON object, the record
`experiments/records/intervals.json`.

A data set is drawn afresh: a regression on a random network, half of whose variance is noise. An MLP is trained on
three quarters of it, the fourth is for validation. The interval is that of the errors on the validation
examples, with the weights of the best epoch on the same examples, or with those of the last epoch. For each number of
validation examples the record has the share of 2,000 new examples that the intervals hold, over all data sets, with its
standard error, their mean width in standard deviations of the target, and the share that exchangeable errors have.
"""

from __future__ import annotations

import json
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from absl import app

import regjax as rj
from experiments.studies.splits import teacher
from regjax.analysis import conformal_quantile
from regjax.core.rng import run_key
from regjax.models.interface import as_model
from regjax.stopping import NEVER
from regjax.training.evaluate import predict
from regjax.training.spec import make_hparams, stack_hparams
from regjax.training.state import TrainData

DATA_SETS, LEVEL, FRESH, EPOCHS = 1_000, 0.9, 2_000, 100
SIZES = (20, 50, 100, 200)  # of the validation part
_AT_ONCE = 50


def errors(size: int, data_sets: int, *, best: bool) -> tuple[np.ndarray, np.ndarray]:
    """Absolute errors on the validation examples and on fresh ones, `[data sets, size]` and `[data sets, FRESH]`."""
    source = teacher()
    spec = rj.Spec(
        rj.models.make_model("mlp", num_outputs=1, widths=(source.width,), task="regression"),
        task="regression",
        batch_size=32,
        steps_per_epoch=math.ceil(3 * size / 32),
        epochs=EPOCHS,
        eval_train_examples=32,
    )
    run, x, y, apply = rj.make_run(spec), jnp.asarray(source.x), jnp.asarray(source.y), as_model(spec.model).apply

    @jax.jit
    @jax.vmap
    def one(hparams: Any, key: Any, rows: Any) -> Any:
        train, held, fresh = jnp.split(rows, [3 * size, 4 * size])
        weights = run.result(hparams, key, TrainData(x, y, train, x[held], y[held])).weights
        seen = jnp.concatenate([held, fresh])
        return jnp.abs(predict(apply, *weights, x[seen], task="regression").reshape(-1) - y[seen])

    hparams = make_hparams(
        learning_rate=3e-3, n_train=3 * size, stopping=rj.EarlyStopping(patience=NEVER), restore_best=best
    )
    found = []
    for start in range(0, data_sets, _AT_ONCE):
        numbers = range(start, min(start + _AT_ONCE, data_sets))
        drawn = [np.random.default_rng([11, size, i]).choice(len(source.x), 4 * size + FRESH, False) for i in numbers]
        keys = jnp.stack([run_key(i) for i in numbers])
        found.append(np.asarray(one(stack_hparams([hparams] * len(numbers)), keys, np.stack(drawn).astype(np.int32))))
    whole = np.concatenate(found).astype(np.float64)
    return whole[:, :size], whole[:, size:]


def rates(size: int, data_sets: int = DATA_SETS) -> dict[str, Any]:
    """Coverage and width with so many validation examples."""
    out: dict[str, Any] = {"exchangeable": round(math.ceil(LEVEL * (size + 1) - 1e-9) / (size + 1), 4)}
    for name, best in (("best epoch", True), ("last epoch", False)):
        held, fresh = errors(size, data_sets, best=best)
        half = np.array([conformal_quantile(row, LEVEL) for row in held])
        covered = (fresh <= half[:, None]).mean(axis=1)
        out[name] = {
            "covered": round(float(covered.mean()), 4),
            "standard_error": round(float(covered.std(ddof=1) / math.sqrt(data_sets)), 5),
            "width": round(float(2 * half.mean()), 3),
        }
    return out


def run() -> dict[str, Any]:
    """Everything."""
    return {
        "data_sets": DATA_SETS,
        "level": LEVEL,
        "fresh": FRESH,
        "validation_examples": {str(size): rates(size) for size in SIZES},
    }


def main(argv: list[str]) -> None:
    """Print the record."""
    del argv
    print(json.dumps(run(), indent=2))


if __name__ == "__main__":
    app.run(main)
