"""How often `rj.diagnose` is right on curves whose truth is known.

Command: `python -m experiments.studies.diagnosis` (about six minutes on one core); it prints one JSON object, the
record `experiments/records/diagnosis.json`. With a file name behind it, it draws one run of each family.

- `families`: pairs of smooth curves, training and validation loss over a run. Validation gets normal noise of 0, 2, 5,
  10 or 20% of its level, training a third of that, independent from epoch to epoch.
- `correlated`: some of them, where the noise of neighbouring epochs has a correlation of 0.5 or 0.8.
- `fits`: models fitted to examples that are drawn anew for each run, by the number of validation examples, which is
  known to the diagnosis. There is no noise between epochs.

Each has how often each verdict comes out of 400 runs (standard error at most 0.025), and, where validation rises, how
often the onset found is within a tenth of the run of the true one.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from absl import app

import regjax as rj

EPOCHS, NOISES, RUNS = (20, 50, 100, 300), (0.0, 0.02, 0.05, 0.1, 0.2), 400
CHANCE = 2.3  # ten classes
Curves = tuple[np.ndarray, np.ndarray]


def _falling(t: np.ndarray, start: float, end: float, speed: float) -> np.ndarray:
    curve: np.ndarray = end + (start - end) * np.exp(-speed * t)
    return curve


def _overfit(onset: float) -> Callable[[np.ndarray], Curves]:
    """Validation rises from `onset` on to 30% above its lowest loss, while training goes on falling."""

    def curves(t: np.ndarray) -> Curves:
        rise = 0.18 * np.clip((t - onset) / (1 - onset), 0, None)
        return _falling(t, 2.2, 0.02, 9.0), _falling(t, 2.3, 0.6, 25.0) + rise

    return curves


def _restarts(t: np.ndarray) -> Curves:
    """Five cycles of the learning rate, of which each ends low."""
    cycle = 0.25 * (1 - (5 * t) % 1.0001) ** 2
    return _falling(t, 2.2, 0.4, 6.0) + cycle, _falling(t, 2.1, 0.6, 6.0) + cycle


FAMILIES: dict[str, tuple[str, Callable[[np.ndarray], Curves]]] = {
    "correct fit": ("correct_fit", lambda t: (_falling(t, 2.3, 0.45, 8.0), _falling(t, 2.3, 0.6, 8.0))),
    "overfit from 30%": ("overfit", _overfit(0.3)),
    "overfit from 60%": ("overfit", _overfit(0.6)),
    "overfit from 85%": ("overfit", _overfit(0.85)),
    "memorized": ("overfit", lambda t: (_falling(t, 2.3, 1e-4, 12.0), np.full_like(t, 2.3))),
    "underfit": ("underfit", lambda t: (_falling(t, 2.3, 2.0, 5.0), _falling(t, 2.3, 2.05, 5.0))),
    "double descent": (
        "correct_fit",
        lambda t: (
            _falling(t, 2.2, 0.32, 9.0),
            _falling(t, 2.2, 0.5, 10.0) + 0.4 * np.exp(-np.square((t - 0.4) / 0.1)) - 0.1 * (t > 0.6),
        ),
    ),
    "drop of the learning rate": (
        "correct_fit",
        lambda t: (
            np.where(t < 0.6, _falling(t, 2.2, 0.7, 10.0), 0.5),
            np.where(t < 0.6, _falling(t, 2.3, 0.8, 10.0), 0.6),
        ),
    ),
    "warm restarts": ("correct_fit", _restarts),
}
ONSETS = {"overfit from 30%": 0.3, "overfit from 60%": 0.6, "overfit from 85%": 0.85}


Fit = Callable[[int, np.random.Generator], tuple[dict[str, np.ndarray], float]]


def _path(rate: float = 8.0, epochs: int = 60) -> np.ndarray:
    """How far the training has come towards its goal at each epoch, `[epochs, 1]`."""
    share: np.ndarray = 1 - np.exp(-rate * np.linspace(0, 1, epochs))
    return share[:, None]


def _true_function(r2: float, n_train: int = 200) -> Fit:
    """Regression whose predictions go from the mean to the true function, which explains `r2` of the variance."""

    def fit(n_val: int, rng: np.random.Generator) -> tuple[dict[str, np.ndarray], float]:
        signals = [math.sqrt(r2) * rng.normal(size=n) for n in (n_train, n_val)]
        targets = [signal + math.sqrt(1 - r2) * rng.normal(size=len(signal)) for signal in signals]
        return _of_regression([_path() * signal for signal in signals], targets), 1.0

    return fit


def _linear_model(r2: float, n_train: int = 120, parameters: int = 4) -> Fit:
    """A linear model fitted by gradient descent to data of such a model."""

    def fit(n_val: int, rng: np.random.Generator) -> tuple[dict[str, np.ndarray], float]:
        x, x_val = rng.normal(size=(n_train, parameters)), rng.normal(size=(n_val, parameters))
        true = rng.normal(size=parameters)
        true *= math.sqrt(r2) / np.linalg.norm(true)
        y, y_val = (part @ true + math.sqrt(1 - r2) * rng.normal(size=len(part)) for part in (x, x_val))
        weights = _descend(lambda w: x.T @ (x @ w - y) / n_train, parameters, 0.2)
        return _of_regression([weights @ x.T, weights @ x_val.T], [y, y_val]), 1.0

    return fit


def _logistic_model(size: float, n_train: int = 200, parameters: int = 4, rate: float = 3.0) -> Fit:
    """A logistic model fitted by gradient descent to data of such a model, whose coefficients have this norm."""

    def fit(n_val: int, rng: np.random.Generator) -> tuple[dict[str, np.ndarray], float]:
        x, x_val = rng.normal(size=(n_train, parameters)), rng.normal(size=(n_val, parameters))
        true = rng.normal(size=parameters)
        true *= size / np.linalg.norm(true)
        y, y_val = (rng.random(len(part)) < _sigmoid(part @ true) for part in (x, x_val))
        weights = _descend(lambda w: x.T @ (_sigmoid(x @ w) - y) / n_train, parameters, rate)
        columns = {}
        for name, loss, part, target in (("train", "data_loss", x, y), ("val", "loss", x_val, y_val)):
            logits = weights @ part.T
            columns[f"{name}/{loss}"] = np.logaddexp(0, np.where(target, -logits, logits)).mean(axis=1)
            columns[f"{name}/accuracy"] = ((logits > 0) == target).mean(axis=1)
        return columns, math.log(2)

    return fit


def _sigmoid(z: np.ndarray) -> np.ndarray:
    out: np.ndarray = 1 / (1 + np.exp(-z))
    return out


def _descend(
    gradient: Callable[[np.ndarray], np.ndarray], parameters: int, rate: float, epochs: int = 60
) -> np.ndarray:
    """The weights after each epoch of gradient descent from 0, `[epochs, parameters]`."""
    weights = np.zeros((epochs + 1, parameters))
    for epoch in range(epochs):
        weights[epoch + 1] = weights[epoch] - rate * gradient(weights[epoch])
    return weights[1:]


def _of_regression(predictions: list[np.ndarray], targets: list[np.ndarray]) -> dict[str, np.ndarray]:
    """The columns of a history, of predictions `[epochs, N]` in training and validation; the target is standardized."""
    errors = [np.square(p - y).mean(axis=1) for p, y in zip(predictions, targets, strict=True)]
    train, val = errors
    unit = targets[0].var()
    r2 = [1 - error / y.var() for error, y in zip(errors, targets, strict=True)]
    return {"train/data_loss": train / unit, "val/loss": val / unit, "train/r2": r2[0], "val/r2": r2[1]}


FITS: dict[str, tuple[str, Fit]] = {
    "true function, R² 0.5": ("correct_fit", _true_function(0.5)),
    "true function, R² 0.9": ("correct_fit", _true_function(0.9)),
    "4 coefficients from 120 rows, R² 0.5": ("correct_fit", _linear_model(0.5)),
    "4 coefficients from 120 rows, R² 0.9": ("correct_fit", _linear_model(0.9)),
    "60 coefficients from 80 rows, R² 0.5": ("overfit", _linear_model(0.5, 80, 60)),
    "60 coefficients from 80 rows, R² 0.9": ("overfit", _linear_model(0.9, 80, 60)),
    "logistic, 4 from 200 rows, accuracy 73%": ("correct_fit", _logistic_model(1.5)),
    "logistic, 4 from 200 rows, accuracy 87%": ("correct_fit", _logistic_model(4.0)),
    "logistic, 60 from 80 rows, accuracy 73%": ("overfit", _logistic_model(1.5, 80, 60, 1.5)),
    "logistic, 60 from 80 rows, accuracy 87%": ("overfit", _logistic_model(4.0, 80, 60, 1.5)),
}
"""Fits to a finite training set, with whether they overfit; the R² or accuracy is that of the true function."""
EXAMPLES = (10, 20, 45, 100, 200)
CORRELATED, CORRELATIONS = ("correct fit", "overfit from 60%"), (0.5, 0.8)


def correlated(epochs: int, correlation: float, rng: np.random.Generator) -> np.ndarray:
    """Normal noise of variance 1 whose neighbouring epochs have this correlation (an autoregression)."""
    noise = rng.normal(size=epochs)
    for epoch in range(1, epochs if correlation else 0):
        noise[epoch] = correlation * noise[epoch - 1] + math.sqrt(1 - correlation**2) * noise[epoch]
    return noise


def history(
    family: str, epochs: int, noise: float, rng: np.random.Generator, correlation: float = 0.0
) -> dict[str, np.ndarray]:
    """A noisy run of a family."""
    train, val = FAMILIES[family][1](np.linspace(0.0, 1.0, epochs))
    return {
        "train/data_loss": train * (1 + noise / 3 * correlated(epochs, correlation, rng)),
        "val/loss": val * (1 + noise * correlated(epochs, correlation, rng)),
    }


def rates(family: str, epochs: int, noise: float, runs: int = RUNS, correlation: float = 0.0) -> dict[str, float]:
    """The share of each verdict, and of onsets within a tenth of the run of the true one."""
    rng = np.random.default_rng([epochs, round(1000 * noise), round(1000 * correlation)])
    found = [rj.diagnose(history(family, epochs, noise, rng, correlation), chance_loss=CHANCE) for _ in range(runs)]
    out = _shares(found)
    if family in ONSETS:
        true = ONSETS[family] * (epochs - 1)
        near = [d.onset_epoch is not None and abs(d.onset_epoch - true) <= 0.1 * epochs for d in found]
        out["onset within a tenth"] = round(float(np.mean(near)), 4)
    return out


def fit_rates(name: str, n_val: int, runs: int = RUNS) -> dict[str, float]:
    """The share of each verdict on a fit, with this many validation examples."""
    rng = np.random.default_rng(n_val)
    drawn = (FITS[name][1](n_val, rng) for _ in range(runs))
    return _shares([rj.diagnose(columns, chance_loss=chance, n_val=n_val) for columns, chance in drawn])


def _shares(found: Sequence[rj.Diagnosis]) -> dict[str, float]:
    counts = Counter(d.verdict for d in found)
    return {name: round(count / len(found), 4) for name, count in sorted(counts.items())}


def run() -> dict[str, Any]:
    """Everything."""
    return {
        "runs": RUNS,
        "families": {
            family: {
                "truth": truth,
                "rates": {
                    str(epochs): {f"{noise:g}": rates(family, epochs, noise) for noise in NOISES} for epochs in EPOCHS
                },
            }
            for family, (truth, _) in FAMILIES.items()
        },
        "correlated": {
            family: {
                str(correlation): {
                    str(epochs): {f"{noise:g}": rates(family, epochs, noise, RUNS, correlation) for noise in NOISES[2:]}
                    for epochs in EPOCHS
                }
                for correlation in CORRELATIONS
            }
            for family in CORRELATED
        },
        "fits": {
            name: {"truth": truth, "rates": {str(n_val): fit_rates(name, n_val) for n_val in EXAMPLES}}
            for name, (truth, _) in FITS.items()
        },
    }


def draw(path: str, epochs: int = 100, noise: float = 0.05) -> None:
    """Draw one noisy run of each family, with its verdict and the onset that was found."""
    from matplotlib.figure import Figure

    rng = np.random.default_rng(0)
    figure = Figure(figsize=(9.6, 7.2), layout="constrained")
    for axes, family in zip(figure.subplots(3, 3, sharex=True).flat, FAMILIES, strict=True):
        curves = history(family, epochs, noise, rng)
        found = rj.diagnose(curves, chance_loss=CHANCE)
        axes.plot(curves["train/data_loss"], color="#2f67b2", linewidth=1.2, label="training")
        axes.plot(curves["val/loss"], color="#c2410c", linewidth=1.2, label="validation")
        if found.verdict == "overfit" and found.onset_epoch is not None:
            axes.axvline(found.onset_epoch, color="#333333", linewidth=1.0, linestyle=(0, (4, 3)))
        if family in ONSETS:
            axes.axvline(ONSETS[family] * (epochs - 1), color="#999999", linewidth=3.0, alpha=0.4)
        axes.set_title(f"{family}: {found.verdict}", fontsize=9)
        axes.set_ylim(0, 2.6)
        axes.spines[["top", "right"]].set_visible(False)
    figure.supxlabel("epoch", fontsize=9)
    figure.supylabel("loss", fontsize=9)
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper right", ncols=2, frameon=False, fontsize=9)
    figure.savefig(path, dpi=110, metadata={"Software": None})


def main(argv: list[str]) -> None:
    """Print the record, or with the name of a picture draw the families instead."""
    if len(argv) > 1:
        draw(argv[1])
        return
    del argv
    print(json.dumps(run(), indent=1))


if __name__ == "__main__":
    app.run(main)
