"""How often intervals cover the mean improvement over fresh data, splits and seeds, by the design of the runs.

The study behind the intervals of a comparison and its default number of splits (`regjax.analysis.run_interval`).

Command: `python -m experiments.studies.splits` (about 30 minutes on two cores); it prints one JSON object, the record
`experiments/records/splits.json`. With names of sources it runs those alone.

A source is drawn from afresh: a data set of a few hundred examples, which is split, trained on and tested. From the
same budget of ten runs, three designs are made: ten seeds on one split, five splits with two seeds each, and ten splits
with one seed each. Inside each split the setting of a technique is chosen by its validation score, as in a comparison.
The truth of a design is the mean of its estimate over all data sets, which needs no model of the source. For each
design, technique and metric the record has

- the mean improvement under the design, because choosing by the mean of ten seeds is better than by one;
- for each interval, the share of the data sets in which it covers the truth, and its mean width;
- how often the technique without any effect, a baseline with other seeds, is called better or worse.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from absl import app

import regjax as rj
from regjax.analysis import choose, joint_flips, mean_interval, run_interval
from regjax.catalog import DEFAULT_LOSS
from regjax.core.rng import run_key
from regjax.data import Dataset, load, split
from regjax.losses import correct, get_loss
from regjax.models.interface import as_model
from regjax.stopping import NEVER
from regjax.training.evaluate import predict
from regjax.training.spec import Hparams, make_hparams, stack_hparams
from regjax.training.state import TrainData

DATA_SETS, RUNS, LEVEL = 300, 10, 0.05
DESIGNS = {"1 split x 10 seeds": (1, 10), "5 splits x 2 seeds": (5, 2), "10 splits x 1 seed": (10, 1)}
SETTINGS: dict[str, list[dict[str, float]]] = {
    "baseline": [{}],
    "nothing": [{"seed": 1_000_000}],
    "l2": [{"l2": strength} for strength in (0.003, 0.01, 0.03)],
    "dropout": [{"dropout": rate} for rate in (0.2, 0.5)],
    "early_stopping": [{"patience": 5}],
}
LANES = [(name, setting) for name, settings in SETTINGS.items() for setting in settings]


class Source(NamedTuple):
    """Examples to draw data sets from, of `size` examples each."""

    task: str
    x: np.ndarray
    y: np.ndarray
    size: int
    width: int


def clusters() -> Source:
    """Three overlapping Gaussian classes in ten dimensions, of which two tell them apart."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 200_000)
    x = rng.normal(size=(len(y), 10))
    x[:, :2] += 1.2 * np.array([[0, 1], [0.87, -0.5], [-0.87, -0.5]])[y]
    return Source("classification", x.astype(np.float32), y.astype(np.int32), 300, 32)


def teacher() -> Source:
    """A regression on a random network of eight hidden units, with half of the variance being noise."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(200_000, 8))
    f = np.tanh(x @ rng.normal(size=(8, 8))) @ rng.normal(size=8)
    y = f / f.std() + rng.normal(size=len(x))
    return Source("regression", x.astype(np.float32), (y / y.std()).astype(np.float32), 300, 32)


def digits() -> Source:
    """The embedded digits; a data set is a random part of them."""
    full = load("digits")
    x = full.x.reshape(len(full.x), -1).astype(np.float32)
    return Source("classification", (x - x.mean()) / x.std(), full.y, 400, 32)


def breast_cancer() -> Source:
    """The embedded table of tumours; a data set is a random part of it. Most of them are classified rightly."""
    full = load("breast_cancer")
    x = (full.x - full.x.mean(axis=0)) / full.x.std(axis=0)
    return Source("classification", x.astype(np.float32), full.y, 200, 32)


SOURCES: dict[str, Callable[[], Source]] = {
    "clusters": clusters,
    "teacher": teacher,
    "digits": digits,
    "breast_cancer": breast_cancer,
}


class Runs(NamedTuple):
    """The runs of a design on one data set: for each, the test rows and what was measured on them.

    Attributes:
      split: `[runs]`.
      rows: `[runs, n]`, positions in the data set.
      score: `{name: [runs, n]}`, what each test example contributes to the main metric, of the chosen setting.
      loss: like `score`.
    """

    split: np.ndarray
    rows: np.ndarray
    score: dict[str, np.ndarray]
    loss: dict[str, np.ndarray]


def hparams_of(setting: dict[str, float], n_train: int) -> Hparams:
    """The hyperparameters of a setting."""
    return make_hparams(
        learning_rate=3e-3,
        n_train=n_train,
        penalties={"loss": rj.l2(setting.get("l2", 0.0))},
        rates={"dropout": setting.get("dropout", 0.0)},
        stopping=rj.EarlyStopping(patience=int(setting.get("patience", NEVER))),
        restore_best="patience" in setting,
    )


def trainer(source: Source, sizes: dict[str, int]) -> Callable[..., Any]:
    """A compiled function that trains and evaluates a stack of lanes."""
    outputs = int(source.y.max()) + 1 if source.task == "classification" else 1
    model = rj.models.make_model("mlp", num_outputs=outputs, widths=(source.width,), task=source.task)
    spec = rj.Spec(
        model,
        task=source.task,
        num_classes=outputs if source.task == "classification" else 0,
        batch_size=32,
        steps_per_epoch=math.ceil(sizes["train"] / 32),
        epochs=40,
        eval_train_examples=32,
    )
    run, x, y = rj.make_run(spec), jnp.asarray(source.x), jnp.asarray(source.y)
    apply = as_model(model).apply

    def one(hparams: Hparams, key: Any, rows: dict[str, Any]) -> tuple[Any, Any]:
        data = TrainData(x, y, rows["train"], x[rows["stop"]], y[rows["stop"]])
        weights = run.result(hparams, key, data).weights
        seen = jnp.concatenate([rows["select"], rows["test"]])
        predicted = predict(apply, *weights, x[seen], task=source.task)
        losses = get_loss(DEFAULT_LOSS[source.task])(predicted, y[seen])
        return losses, correct(predicted, y[seen]) if source.task == "classification" else -losses

    return jax.jit(jax.vmap(one))


def designs_of(source: Source, train: Callable[..., Any], number: int) -> dict[str, Runs]:
    """Draw a data set, and train what each design asks for."""
    rng = np.random.default_rng([7, number])
    members = rng.choice(len(source.x), source.size, replace=False)
    y = source.y[members]
    dataset = Dataset("drawn", source.task, source.x[members], y)
    parts = [split(dataset, seed=seed).indices for seed in range(RUNS)]
    plan = [(0, seed) for seed in range(RUNS)]  # all runs that any design needs, each once
    plan += [pair for i in range(RUNS) for pair in ((i, i), (i, RUNS + i)) if pair not in plan]
    lanes = [(run, *lane) for run in plan for lane in LANES]
    hparams = stack_hparams([hparams_of(setting, len(parts[0]["train"])) for _, _, setting in lanes])
    keys = jnp.stack([run_key(1_000 * number + seed + int(setting.get("seed", 0))) for (_, seed), _, setting in lanes])
    rows = {part: np.stack([members[parts[k][part]] for (k, _), _, _ in lanes]) for part in parts[0]}
    losses, scores = jax.device_get(train(hparams, keys, rows))
    shape = (len(plan), len(LANES), -1)
    losses, scores = (np.asarray(a, np.float64).reshape(shape) for a in (losses, scores))
    if source.task == "regression":  # R2 is a mean over examples once the variance of the test part is given
        variance = np.stack([y[parts[k]["test"]].var() for k, _ in plan])
        scores = scores / variance[:, None, None]
    n_select = len(parts[0]["select"])
    out = {}
    for name, (splits, seeds) in DESIGNS.items():
        used = [(k, s) for k in range(splits) for s in ([k, RUNS + k][:seeds] if splits > 1 else range(seeds))]
        out[name] = _chosen([plan.index(pair) for pair in used], plan, parts, losses, scores, n_select)
    return out


def _chosen(
    used: list[int],
    plan: list[tuple[int, int]],
    parts: list[dict[str, np.ndarray]],
    losses: np.ndarray,
    scores: np.ndarray,
    n_select: int,
) -> Runs:
    """Choose the setting of each technique inside each split, and keep its test results."""
    names = [name for name, _ in LANES]
    by_split = np.array([plan[i][0] for i in used])
    score, loss = ({name: np.empty((len(used), scores.shape[2] - n_select)) for name in SETTINGS} for _ in range(2))
    for k in np.unique(by_split):
        of_split = [i for i, one in zip(used, by_split, strict=True) if one == k]
        for name in SETTINGS:
            lanes = [j for j, other in enumerate(names) if other == name]
            picked = choose(
                scores[of_split][:, lanes, :n_select].mean(axis=2).T,
                losses[of_split][:, lanes, :n_select].mean(axis=2).T,
                list(range(len(lanes))),
            ).position
            score[name][by_split == k] = scores[of_split][:, lanes[picked], n_select:]
            loss[name][by_split == k] = losses[of_split][:, lanes[picked], n_select:]
    return Runs(by_split, np.stack([parts[k]["test"] for k in by_split]), score, loss)


def intervals(d: np.ndarray, runs: Runs, size: int, *, counted: bool) -> dict[str, tuple[float, float]]:
    """Intervals of the mean of `d`, `[runs, n]`: their ends by name."""
    splits = np.unique(runs.split)
    means = d.mean(axis=1) if len(splits) == 1 else np.array([d[runs.split == k].mean() for k in splits])
    mean, low, _ = mean_interval(means.tolist())
    share = d.shape[1] / (size - d.shape[1])  # n_test / n_train, where all other examples are for training
    corrected = (mean - low) * math.sqrt(1 + len(means) * share)
    two_way = run_interval(d, splits=runs.split.tolist(), examples=runs.rows, counted=counted)
    return {
        "over runs": (low, 2 * mean - low),
        "Nadeau-Bengio": (mean - corrected, mean + corrected),
        "two-way": (two_way.low, two_way.high),
    }


def adjusted(differences: list[np.ndarray], runs: Runs) -> list[float]:
    """The adjusted p of each technique, by flips of whole splits, or of seeds where there is one split."""
    splits = np.unique(runs.split)
    table = np.stack([d.mean(axis=1) for d in differences], axis=1)
    if len(splits) > 1:
        table = np.stack([table[runs.split == k].mean(axis=0) for k in splits])
    return [test.p_adjusted for test in joint_flips(table)]


def study(name: str, data_sets: int = DATA_SETS) -> dict[str, Any]:
    """The figures of one source."""
    source = SOURCES[name]()
    drawn = Dataset("drawn", source.task, source.x[: source.size], source.y[: source.size])
    train = trainer(source, split(drawn).sizes)
    found = [designs_of(source, train, number) for number in range(data_sets)]
    counted = source.task == "classification"
    return {
        design: {
            "score": _rates([one[design] for one in found], "score", source.size, counted=counted),
            "loss": _rates([one[design] for one in found], "loss", source.size, counted=False),
        }
        for design in DESIGNS
    }


def _rates(found: list[Runs], metric: str, size: int, *, counted: bool) -> dict[str, Any]:
    """The figures of one design and metric, by technique."""
    techniques, sign = list(SETTINGS)[1:], 1.0 if metric == "score" else -1.0
    d = [[sign * (getattr(one, metric)[t] - getattr(one, metric)["baseline"]) for t in techniques] for one in found]
    p = np.array([adjusted(of_one, one) for of_one, one in zip(d, found, strict=True)])
    out: dict[str, Any] = {}
    for j, technique in enumerate(techniques):
        means = np.array([of_one[j].mean() for of_one in d])
        ends = [intervals(of_one[j], one, size, counted=counted) for of_one, one in zip(d, found, strict=True)]
        out[technique] = {
            "improvement": _short(means.mean()),
            "standard_error": _short(means.std(ddof=1) / math.sqrt(len(means))),
            "flips": _short((p[:, j] <= LEVEL).mean()),
            "intervals": {},
        }
        for interval in ends[0]:
            low, high = np.array([one[interval] for one in ends]).T
            excludes = (low > 0) | (high < 0)
            out[technique]["intervals"][interval] = {
                "covered": _short(((low <= means.mean()) & (means.mean() <= high)).mean()),
                "width": _short((high - low).mean()),
                "excludes_0": _short(excludes.mean()),
                "excludes_0_and_flips": _short((excludes & (p[:, j] <= LEVEL)).mean()),
            }
    return out


def _short(value: float) -> float:
    return float(f"{value:.4g}")


def main(argv: list[str]) -> None:
    """Print the record."""
    names = argv[1:] or list(SOURCES)
    content = {"data_sets": DATA_SETS, "sources": {name: study(name) for name in names}}
    print(json.dumps(content, indent=1))


if __name__ == "__main__":
    app.run(main)
