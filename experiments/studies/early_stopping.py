"""Does it pay to stop later? Criteria of early stopping over their parameters, on whole curves of ten data sets.

The study behind what the page on early stopping says of the choice between criteria, after Prechelt (1998), who found
that slower criteria generalize about 4% better on average and take about four times as long.

Command: `python -m experiments.studies.early_stopping` (about six minutes on two cores); it prints one JSON object, the
record `experiments/records/early_stopping.json`. With names of data sets it runs those alone; with those of
a record and of a picture, `RECORD.json PICTURE.png`, it draws the record.

On ten splits of each data set, nets with 16 and with 128 hidden units are trained for 600 epochs by Adam, without any
regularizer. Each run is trained twice with the same seed, so that the same net is followed on its validation and on its
test examples. `rj.replay` says of every criterion when it would have stopped and which epoch it would have kept, so one
run serves all of them. For each data set and criterion the record has

- `epochs`: the geometric mean of the epochs until the stop;
- `loss`: the geometric mean of the test loss at the epoch that is kept, by the lowest of all criteria in that run;
- `kept_on`: the share of the runs in which it did not stop within 600 epochs;
- `curves`: after some epochs, the geometric means over runs of validation and test loss, each by its lowest in the run.

`trade` is the answer: by how much the test loss changes for four times the epochs. In each run the logarithm of the
loss is regressed on that of the epochs over all criteria; the slopes are averaged over the runs of a data set in which
not all criteria stop together, and the interval is Student's of the mean over data sets. `families` has the same for
each criterion over its own parameters.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
from absl import app
from sklearn import datasets as sets

import regjax as rj
from experiments.studies.splits import clusters, teacher
from regjax.analysis import mean_interval
from regjax.core.rng import run_key
from regjax.data import Dataset, Preprocessor, load, nested_order, split
from regjax.models import make_model
from regjax.report.style import LIGHT, drawing

SPLITS, EPOCHS, WIDTHS, BATCH, LEARNING_RATE = 10, 600, (16, 128), 32, 1e-3
CRITERIA: dict[str, list[tuple[str, rj.EarlyStopping]]] = {
    "patience": [(f"{n}", rj.EarlyStopping(patience=n)) for n in (1, 2, 5, 10, 20, 50, 100)],
    "gl": [(f"{a:g}", rj.EarlyStopping(criterion="gl", alpha=a)) for a in (1.0, 2.0, 3.0, 5.0)],
    "pq": [(f"{a:g}", rj.EarlyStopping(criterion="pq", alpha=a)) for a in (0.5, 0.75, 1.0, 2.0, 3.0)],
    "up": [(f"{s}", rj.EarlyStopping(criterion="up", strips=s)) for s in (2, 3, 4, 6, 8)],
}
TITLES = {"patience": "patience", "gl": "GL", "pq": "PQ", "up": "UP"}
EMBEDDED = ("digits", "breast_cancer", "wine", "diabetes", "spirals", "sparse_regression")
DATA = (*EMBEDDED, "iris", "friedman", "clusters", "teacher")


def dataset(name: str) -> Dataset:
    """One of the data sets."""
    if name in EMBEDDED:
        return load(name)
    if name == "iris":
        found = sets.load_iris()
        return Dataset(name, "classification", found.data.astype(np.float32), found.target.astype(np.int32))
    if name == "friedman":
        x, y = sets.make_friedman1(400, noise=2.0, random_state=0)
        return Dataset(name, "regression", x.astype(np.float32), y.astype(np.float32))
    source = {"clusters": clusters, "teacher": teacher}[name]()
    return Dataset(name, source.task, source.x[: source.size], source.y[: source.size])


def curves(name: str, width: int, splits: int = SPLITS, epochs: int = EPOCHS) -> dict[str, np.ndarray]:
    """The losses of each epoch, `[splits, epochs]`: on training examples, and of the same nets on the other parts."""
    data = dataset(name)
    parts = [split(data, seed=number) for number in range(splits)]
    n_train, n_test = parts[0].sizes["train"], parts[0].sizes["test"]
    most = max(n_test, parts[0].sizes["stop"] + parts[0].sizes["select"])
    order, rows, fitted = [], [], []
    for number, part in enumerate(parts):
        own = part.indices["train"][nested_order(part.y_train, [number], data.task)[0]]
        validation = np.concatenate([part.indices["stop"], part.indices["select"]])
        for outside in (validation, part.indices["test"]):
            order.append(own)
            rows.append(np.pad(outside, (0, most - len(outside)), constant_values=-1))
            fitted.append(Preprocessor.for_splits(part))
    x, y = jnp.asarray(data.x), jnp.asarray(data.y)
    arrays = rj.TrainData(
        x, jnp.stack([y] * len(order)), jnp.asarray(np.array(order)), x[:0], y[:0], val_rows=jnp.asarray(np.array(rows))
    )
    spec = rj.Spec(
        make_model("mlp", num_outputs=parts[0].num_outputs, widths=(width,), task=data.task),
        task=data.task,
        num_classes=data.num_classes,
        batch_size=BATCH,
        steps_per_epoch=math.ceil(n_train / BATCH),
        epochs=epochs,
    )
    run = rj.make_run(spec)
    lanes = [
        rj.Lane(
            run,
            rj.make_hparams(learning_rate=LEARNING_RATE, n_train=n_train, standardization=one.standardization),
            run_key(i // 2),
            i,
        )
        for i, one in enumerate(fitted)
    ]
    results = rj.run_lanes(lanes, arrays)
    values = [result.history.values for result in results]
    np.testing.assert_array_equal(  # the very same nets
        [one["train/data_loss"] for one in values[::2]], [one["train/data_loss"] for one in values[1::2]]
    )
    return {
        "train": np.array([one["train/data_loss"] for one in values[::2]]),
        "validation": np.array([one["val/loss"] for one in values[::2]]),
        "test": np.array([one["val/loss"] for one in values[1::2]]),
    }


def outcomes(of: dict[str, np.ndarray]) -> dict[str, dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]]:
    """By criterion and parameter: epochs until the stop, test loss of what is kept, whether it stopped; `[runs]`."""
    out: dict[str, dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]] = {}
    for family, stoppers in CRITERIA.items():
        out[family] = {}
        for parameter, stopper in stoppers:
            state = rj.replay(stopper, of["validation"], of["train"])
            kept = np.take_along_axis(of["test"], np.asarray(state.best_step)[:, None], axis=1)[:, 0]
            out[family][parameter] = (np.asarray(state.count), kept, np.asarray(state.should_stop))
    return out


def slope(epochs: np.ndarray, losses: np.ndarray) -> np.ndarray:
    """The slopes of log loss on log epochs of the runs in which not all stop together; `[criteria, runs]` are given."""
    apart = np.ptp(epochs, axis=0) > 0
    x, y = np.log(epochs[:, apart]), np.log(losses[:, apart])
    x, y = x - x.mean(axis=0), y - y.mean(axis=0)
    found: np.ndarray = (x * y).sum(axis=0) / (x * x).sum(axis=0)
    return found


def summary(of: dict[str, np.ndarray]) -> dict[str, Any]:
    """What the record has of the runs of a data set."""
    found = outcomes(of)
    every = [one for family in found.values() for one in family.values()]
    lowest = np.min([kept for _, kept, _ in every], axis=0)
    table = {
        family: {
            parameter: {
                "epochs": round(float(np.exp(np.mean(np.log(count)))), 1),
                "loss": round(float(np.exp(np.mean(np.log(kept / lowest)))), 4),
                "kept_on": round(float(np.mean(~stopped)), 3),
            }
            for parameter, (count, kept, stopped) in stoppers.items()
        }
        for family, stoppers in found.items()
    }
    groups = {"all": every} | {family: list(stoppers.values()) for family, stoppers in found.items()}
    slopes = {
        group: slope(np.array([count for count, _, _ in members]), np.array([kept for _, kept, _ in members]))
        for group, members in groups.items()
    }
    means = {group: float(np.mean(own)) if own.size else None for group, own in slopes.items()}
    return {"criteria": table, "slopes": means, "curves": thinned(of)}


def thinned(of: dict[str, np.ndarray], points: int = 40) -> dict[str, list[float]]:
    """The losses at epochs that are evenly spread in the logarithm, over the lowest of their run."""
    epochs = np.unique(np.geomspace(1, of["test"].shape[1], points).astype(int))
    out: dict[str, list[float]] = {"epochs": epochs.tolist()}
    for part in ("validation", "test"):
        above = np.log(of[part]) - np.log(of[part]).min(axis=1, keepdims=True)
        out[part] = np.exp(above.mean(axis=0))[epochs - 1].round(4).tolist()
    return out


def draw(record: dict[str, Any], path: str) -> None:
    """Draw the criteria by what they cost and keep, and the test losses that they stop."""
    from matplotlib.figure import Figure

    colours = dict(zip(CRITERIA, ("train", "val", "good", "accent"), strict=True))
    with drawing():
        figure = Figure(figsize=(9.6, 3.8), layout="constrained", facecolor=LIGHT["paper"])
        left, right = figure.subplots(1, 2)
        for family in CRITERIA:
            cells = [one["criteria"][family] for one in record["data"].values()]
            x, y = (
                [float(np.exp(np.mean([np.log(cell[parameter][name]) for cell in cells]))) for parameter in cells[0]]
                for name in ("epochs", "loss")
            )
            left.plot(
                x, 100 * (np.array(y) - 1), "o-", color=LIGHT[colours[family]], label=TITLES[family], markersize=4
            )
        left.set(xscale="log", xlabel="epochs until the stop", ylabel="test loss above the lowest, %")
        left.set_ylim(bottom=0)
        left.set_title(f"{len(record['data'])} data sets together", loc="left")
        left.legend(frameon=False)
        below = 0.0
        for name, one in sorted(record["data"].items(), key=lambda item: item[1]["curves"]["test"][-1]):
            curve = one["curves"]
            [line] = right.plot(curve["epochs"], curve["test"], linewidth=1.2)
            below = max(curve["test"][-1], 1.075 * below)  # so that no name is on another
            at = (curve["epochs"][-1] * 1.06, below)
            right.annotate(name.replace("_", " "), at, color=line.get_color(), fontsize=7, va="center")
        right.set(xscale="log", yscale="log", xlabel="epochs", ylabel="test loss over its lowest")
        right.set(xlim=(1, 6_000), ylim=(0.95, 6))
        right.set_yticks([1, 1.5, 2, 3, 5], ["1", "1.5", "2", "3", "5"])
        right.set_title("Each data set", loc="left")
        for axes, ticks in ((left, (50, 100, 200, 400)), (right, (1, 10, 100, 600))):
            axes.set_facecolor(LIGHT["paper"])
            axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
            axes.minorticks_off()
        figure.savefig(path, dpi=110, metadata={"Software": None})


def trade(slopes: Sequence[float | None]) -> dict[str, Any]:
    """By how many percent the test loss changes for four times the epochs, with the interval over data sets."""
    known = [value for value in slopes if value is not None]
    mean, low, high = (round(100 * (math.exp(value * math.log(4)) - 1), 2) for value in mean_interval(known))
    return {"percent": mean, "ci95": [low, high], "data_sets": len(known)}


def of_dataset(name: str, splits: int = SPLITS, epochs: int = EPOCHS) -> dict[str, Any]:
    """The entry of a data set, over both nets."""
    both = [curves(name, width, splits, epochs) for width in WIDTHS]
    return summary({part: np.concatenate([one[part] for one in both]) for part in both[0]})


def run(names: Sequence[str] = DATA) -> dict[str, Any]:
    """Everything."""
    found = {name: of_dataset(name) for name in names}
    slopes = {group: [one["slopes"][group] for one in found.values()] for group in ("all", *CRITERIA)}
    return {
        "splits": SPLITS,
        "epochs": EPOCHS,
        "hidden_units": list(WIDTHS),
        "trade": trade(slopes["all"]),
        "families": {family: trade(slopes[family]) for family in CRITERIA},
        "data": found,
    }


def main(argv: list[str]) -> None:
    """Print the record, or draw one."""
    if len(argv) == 3 and argv[1].endswith(".json"):
        return draw(json.loads(Path(argv[1]).read_text()), argv[2])
    print(json.dumps(run(argv[1:] or DATA), indent=2))


if __name__ == "__main__":
    app.run(main)
