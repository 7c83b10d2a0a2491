"""A comparison as `results.json` has it, made up, with the effects that one expects on digits."""

from html.parser import HTMLParser

import numpy as np
import pytest
from matplotlib.figure import Figure

from regjax.analysis import mean_interval
from regjax.comparison import scoring
from regjax.comparison.improvements import improvements as of_improvements
from regjax.comparison.layout import Layout
from regjax.comparison.options import CompareOptions
from regjax.comparison.ranking import rank, with_practical
from regjax.comparison.result import CompareResult
from regjax.comparison.row import Calibration, GridPoint, Improvement, Spread, TechniqueResult, spread
from regjax.report.panels import dress
from regjax.report.style import LIGHT, drawing

EPOCHS = 200
# name, title, parameter, grid, chosen, gain in accuracy, gain in loss, train accuracy, exact zeros
TECHNIQUES = [
    ("more_data", "more data (same updates)", "examples", (256, 512, 1024), 1024, 0.127, 0.51, 0.93, 0.0),
    ("augmentation", "augmentation", "strength", (0.25, 0.5, 1.0, 1.5, 2.0), 1.0, 0.085, 0.41, 0.91, 0.0),
    ("early_stopping", "early stopping", "", (1.0,), 1.0, 0.036, 0.22, 0.95, 0.0),
    (
        "l2",
        "L2 in the loss",
        "strength",
        (1e-4, 1e-3, 3e-3, 1e-2, 2e-2, 5e-2, 0.1),
        0.02,
        0.035,
        0.11,
        0.93,
        0.0,
    ),
    (
        "l1",
        "L1 proximal",
        "strength",
        (1e-4, 3e-4, 1e-3, 2e-3, 4e-3, 1e-2, 2e-2),
        4e-3,
        0.003,
        0.02,
        0.92,
        0.81,
    ),
    ("dropout", "dropout", "rate", (0.1, 0.3, 0.5, 0.65, 0.8, 0.9), 0.9, 0.036, 0.22, 0.996, 0.0),
    ("combination", "combination", "scale of strengths", (0.25, 0.5, 1.0), 0.25, 0.088, 0.37, 0.9, 0.2),
]


def spread_of(values) -> Spread:
    return spread(values, mean_interval(values))


def improvements(differences) -> dict[str, Improvement]:
    """One for each technique, from its differences by run; every run is on a split of its own."""
    tables = {name: np.asarray(d)[:, None] + [[-0.01, 0.01]] for name, d in differences.items()}
    return of_improvements(tables, differences, layout_of(len(next(iter(differences.values())))))


def layout_of(runs):
    return Layout(np.arange(runs), np.arange(2 * runs).reshape(runs, 2))


def curve(values, seeds, stop=None):
    low = [float(v) * 0.95 for v in values]
    high = [float(v) * 1.05 for v in values]
    out = {"mean": [float(v) for v in values], "low": low, "high": high}
    if seeds == 1:
        out |= {"low": [None] * len(values), "high": [None] * len(values)}
    if stop is not None:
        out = {key: [v if i < stop else None for i, v in enumerate(column)] for key, column in out.items()}
    return out


def curves(seeds, rise, stop=None):
    t = np.arange(EPOCHS)
    train = 2.1 * np.exp(-t / 12) + 0.002
    val = 0.55 + 1.6 * np.exp(-t / 6) + rise * np.log1p(t / 19)
    runs = [seeds if stop is None or i < stop else 0 for i in t]
    return {
        "epoch": t.tolist(),
        "runs": runs,
        "train_loss": curve(train, seeds, stop),
        "val_loss": curve(val, seeds, stop),
        "train_score": curve(1 - 0.9 * np.exp(-t / 10), seeds, stop),
        "val_score": curve(0.81 - 0.7 * np.exp(-t / 8), seeds, stop),
    }


def histogram(rng, scale, zeros):
    values = np.concatenate([rng.normal(0, scale, 9000), rng.laplace(0, scale * 1.5, 1000)])
    counts, edges = np.histogram(values, bins=60, range=(-4 * scale, 4 * scale))
    counts = (counts * (1 - zeros) * 19).astype(int)
    return {
        "edges": edges.tolist(),
        "counts": counts.tolist(),
        "zero_fraction": zeros,
        "small_fraction": float((np.abs(values) < 1e-3).mean()) * (1 - zeros),
    }


def calibration(rng, seeds, overconfidence):
    """Accuracy that falls short of the confidence, the more the less sure the model is."""
    confidence = np.linspace(0.35, 0.995, 15)
    accuracy = np.clip(confidence - overconfidence * (1 - confidence) * 2 + rng.normal(0, 0.02, 15), 0, 1)
    ece = np.abs(accuracy - confidence).mean() + rng.normal(0, 0.01, seeds)
    bins = {"confidence": confidence.tolist(), "accuracy": accuracy.tolist(), "counts": [24 * seeds] * 15}
    return Calibration(spread_of(ece), spread_of(3 * ece), spread_of(7 * ece), bins)


def make_result(seeds=10, task="classification", effects=None) -> CompareResult:
    """A `CompareResult`; `effects` overrides the gain in the headline metric by technique."""
    rng = np.random.default_rng(7)
    effects = effects or {}
    base, base_loss = rng.normal(0.809, 0.03, seeds), rng.normal(0.781, 0.05, seeds)
    gains, losses = {}, {}
    for name, *_, gain, loss_gain, _, _ in TECHNIQUES:
        gains[name] = effects.get(name, gain) + rng.normal(0, 0.018, seeds)
        losses[name] = loss_gain + rng.normal(0, 0.04, seeds)
    by_score, by_loss = improvements(gains), improvements(losses)

    def row(name, title, parameter, grid, chosen, train, zeros, gain=None, loss=None):
        test = base if gain is None else base + gain
        loss_values = base_loss if loss is None else base_loss - loss
        level = 0.0 if gain is None else float(np.mean(gain))
        points = tuple(
            GridPoint(
                v,
                spread_of(base + level * (1 - abs(i - grid.index(chosen)) / 4) + rng.normal(0, 0.01, seeds)),
                0.6,
                0,
            )
            for i, v in enumerate(grid)
        )
        edge = "high" if parameter and chosen == grid[-1] else None
        pick = {"parameter": parameter, "value": chosen, "edge": edge, "rule": "best", "select_score": 0.8}
        if name == "combination":
            pick["parts"] = ["augmentation", "l2", "dropout"]
        stop = 60 if name == "early_stopping" else None
        return TechniqueResult(
            name=name,
            title=title,
            chosen=pick,
            grid=points,
            test=spread_of(test),
            test_loss=spread_of(loss_values),
            test_mse=spread_of(loss_values * 3000) if task == "regression" else None,
            train=spread_of(np.full(seeds, train) + rng.normal(0, 0.003, seeds)),
            train_loss=spread_of(np.full(seeds, 0.01) + rng.normal(0, 0.001, seeds)),
            generalization_gap=spread_of(train - test),
            improvement=None if gain is None else by_score[name],
            loss_improvement=None if loss is None else by_loss[name],
            zero_fraction=zeros,
            epochs=spread_of(np.full(seeds, float(stop or EPOCHS))),
            diverged=1 if name == "dropout" else 0,
            lanes=len(grid) * seeds,
            seconds=1.5,
            curves=curves(seeds, 0.12 if gain is None else 0.02, stop),
            weights=histogram(rng, 0.05 if name == "l2" else 0.2, zeros),
            calibration=calibration(rng, seeds, 0.3 if gain is None else 0.1) if task == "classification" else None,
        )

    metric, other = ("accuracy", "roc_auc") if task == "classification" else ("r2", "rmse")
    techniques = {
        name: row(name, title, parameter, grid, chosen, train, zeros, gains[name], losses[name])
        for name, title, parameter, grid, chosen, _, _, train, zeros in TECHNIQUES
    }
    plain = row("baseline", "baseline", "", (0.0,), 0.0, 1.0, 0.0)
    evaluations = {
        one.name: [
            scoring.Evaluation(score, loss, each, np.zeros(0), squares=each)
            for score, loss in zip(one.test.values, one.test_loss.values, strict=True)
            for each in [loss + np.array([-0.01, 0.01])]
        ]
        for one in (plain, *techniques.values())
    }
    onsets = [None if i == 3 else 11 + 3 * i for i in range(seeds)]
    known = [onset for onset in onsets if onset is not None]
    return CompareResult(
        dataset="digits" if task == "classification" else "diabetes",
        task=task,
        metric="accuracy" if task == "classification" else "r2",
        seeds=seeds,
        splits=seeds,
        runs=tuple((i, i) for i in range(seeds)),
        select="best",
        settings={
            "train_examples": 128, "pool": 1077, "updates": 800, "epochs": EPOCHS, "steps_per_epoch": 4,
            "batch_size": 32, "optimizer": "adam", "learning_rate": 3e-3,
            "label_noise": 0.1 if task == "classification" else 0.0,
            "data": ["size <b>  number", "300 rows"], "augmentation": "shift=1,rotate=15,noise=0.2",
            "stop_examples": 180, "select_examples": 180, "test_examples": 360, "model": "mlp", "patience": 10,
        },
        baseline=plain,
        techniques=with_practical(techniques, evaluations, CompareOptions(), layout_of(seeds)),
        **rank(evaluations, layout_of(seeds))._asdict(),
        metrics={one.name: {metric: one.test.mean, other: float("nan")} for one in (plain, *techniques.values())},
        references={"constant guess": {metric: 0.1, other: 0.5}},
        diagnosis={
            "verdict": "overfit", "verdicts": {"overfit": seeds}, "onset_epochs": onsets,
            "median_onset": float(np.median(known)), "generalization_loss": 36.2,
            "generalization_losses": [None if one is None else 36.2 for one in onsets], "generalization_gap": 0.78,
            "metric_gap": 0.19, "evidence": ["training loss 0.002 and validation loss 0.780 at epoch 199"],
        },
        chance={"score": 0.1, "loss": 2.303},
        seconds=48.0,
        versions={"jax": "0.7.0", "numpy": "2.3.0"},
    )  # fmt: skip


REPRODUCE = {
    "command": "python -m experiments.compare --dataset=digits --workdir=runs/demo",
    "workdir": "runs/demo",
    "versions": {"jax": "0.7.0", "flax": "0.11.0"},
    "python": "3.11.2",
    "platform": "Linux x86_64, 2 cores",
    "devices": ["cpu:0", "cpu:1"],
    "seeds": 10,
    "commit": None,
    "started": "2025-01-01T00:00:00Z",
    "seconds": 48.2,
}


@pytest.fixture(scope="session")
def digits():
    """`results.json` of a classification set."""
    return make_result().to_json() | {"reproduce": REPRODUCE}


@pytest.fixture(scope="session")
def diabetes():
    """`results.json` of a regression set."""
    return make_result(task="regression").to_json()


@pytest.fixture
def make():
    """Makes a `CompareResult`: `make(seeds=10, task="classification", effects=None)`."""
    return make_result


@pytest.fixture
def drawn():
    """Draws a panel in light colours and returns its axes."""

    def draw(panel):
        with drawing():
            axes = Figure().add_axes((0, 0, 1, 1))
            dress(axes, LIGHT)
            panel.draw(axes, LIGHT)
        return axes

    return draw


@pytest.fixture
def check():
    """Holds a page against the rules and returns it as a `Page`."""
    return check_page


VOID = {"meta", "br", "hr", "img", "input", "link"}


class Page(HTMLParser):
    """Every tag closed in order; keeps tags, ids, references, attributes and the text."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.tags, self.ids, self.references, self.attributes, self.words = [], [], [], [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag not in VOID:
            self.open.append(tag)
        self._attributes(attrs)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self._attributes(attrs)

    def handle_endtag(self, tag):
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not self.open or self.open[-1] not in ("style", "script"):
            self.words.append(data)

    def _attributes(self, attrs):
        self.attributes.extend(attrs)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value)
            if name == "href":
                self.references.append(value)
            if name in ("aria-labelledby", "aria-describedby"):
                self.references.append("#" + value)
            if "url(#" in (value or ""):
                self.references.append("#" + value.partition("url(#")[2].partition(")")[0])

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


def check_page(text):
    """Well-formed, self-contained, with ids that are unique and found; returns the page."""
    page = Page(text)
    assert len(set(page.ids)) == len(page.ids)
    assert all(reference.startswith("#") and reference[1:] in page.ids for reference in page.references)
    assert not {"script", "link", "img", "iframe", "object", "embed"} & set(page.tags)
    names = {name for name, _ in page.attributes}
    assert not {"src", "srcset", "xlink:href", "action"} & names
    assert not any(name.startswith("on") for name in names)
    assert "@import" not in text
    assert "http://" not in text
    assert "https://" not in text
    assert "url(http" not in text
    assert "#a1b2" not in text, "a placeholder colour is left"
    for tag in ("title", "desc"):
        assert page.tags.count(tag) >= page.tags.count("svg")
    assert all(value in ("col", "row") for name, value in page.attributes if name == "scope")
    return page
