"""Other learners of the same examples: at their defaults, and by random search within a budget of processor time.

The first setting of a search is the default one. The one with the highest accuracy on validation, and where that is
equal with the lowest log loss, is evaluated on the test examples. All train on one thread.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import io
import logging
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from experiments.cocktails.problem import Examples
from regjax.analysis.metrics import metrics_of
from regjax.sweeps import Range

Settings = Mapping[str, Any]
Space = Mapping[str, "Range | list[Any]"]
Seeded = Callable[[Settings, int], Any]


class Learner(NamedTuple):
    """A learner with the settings that are searched.

    Attributes:
      make: `(settings, seed) -> estimator` with `fit` and `predict_proba`.
      space: what is searched beside the default; empty if nothing is.
      package: that it needs beside scikit-learn.
      validates: whether `fit` takes the validation examples too, to choose the epoch.
      source: of the space.
    """

    make: Seeded
    space: Space
    package: str = ""
    validates: bool = False
    source: str = ""


class Tried(NamedTuple):
    """The outcome of a learner on a split."""

    test: dict[str, float]
    validation: float
    settings: dict[str, Any]
    tried: int  # settings
    seconds: float  # of processor time


def _boosting(settings: Settings, seed: int) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier

    return HistGradientBoostingClassifier(random_state=seed, **settings)


def _perceptron(settings: Settings, seed: int) -> Any:
    from sklearn.neural_network import MLPClassifier

    return MLPClassifier(random_state=seed, **settings)


def _xgboost(settings: Settings, seed: int) -> Any:
    from xgboost import XGBClassifier

    return XGBClassifier(random_state=seed, n_jobs=1, **settings)


def _realmlp(settings: Settings, seed: int) -> Any:
    from pytabkit import RealMLP_TD_Classifier

    return RealMLP_TD_Classifier(random_state=seed, n_threads=1, device="cpu", verbosity=0, **settings)


LEARNERS: dict[str, Learner] = {
    "histogram boosting": Learner(
        _boosting,
        {
            "learning_rate": Range(0.01, 0.5, log=True),
            "max_iter": Range(30, 300, log=True, whole=True),
            "max_leaf_nodes": Range(4, 64, log=True, whole=True),
            "min_samples_leaf": Range(2, 50, log=True, whole=True),
            "l2_regularization": Range(1e-4, 1e1, log=True, off=0.5),
        },
    ),
    "MLP of scikit-learn": Learner(_perceptron, {}),
    "XGBoost": Learner(
        _xgboost,
        {
            "learning_rate": Range(0.01, 0.5, log=True),
            "n_estimators": Range(30, 300, log=True, whole=True),
            "max_depth": Range(1, 10, whole=True),
            "min_child_weight": Range(1, 30, log=True),
            "subsample": Range(0.5, 1.0),
            "colsample_bytree": Range(0.5, 1.0),
            "reg_lambda": Range(1e-2, 1e2, log=True),
            "reg_alpha": Range(1e-4, 1e1, log=True, off=0.5),
        },
        "xgboost",
    ),
    "RealMLP": Learner(
        _realmlp,
        {
            "num_emb_type": ["none", "pbld", "pl", "plr"],
            "add_front_scale": [True, True, True, False, False],
            "lr": Range(2e-2, 3e-1, log=True),
            "p_drop": [0.0, 0.0, 0.0, 0.15, 0.15, 0.15, 0.15, 0.15, 0.3, 0.3],
            "wd": [0.0, 2e-2],
            "plr_sigma": Range(0.05, 0.5, log=True),
            "act": ["relu", "selu", "mish"],
            "hidden_sizes": [[256] * 3, [256] * 3, [256] * 3, [64] * 5, [512]],
            "ls_eps": [0.0, 0.0, 0.0, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1],
        },
        "pytabkit",
        validates=True,
        source="Holzmüller, Grinsztajn and Steinwart, Better by default, 2024, the space of their search",
    ),
}
"""A choice that stands several times in a list is so much more probable."""


def missing() -> list[str]:
    """The packages of learners that are not installed."""
    wanted = {one.package for one in LEARNERS.values() if one.package}
    return sorted(name for name in wanted if importlib.util.find_spec(name) is None)


def settings_of(space: Space, rng: np.random.Generator) -> dict[str, Any]:
    """Draw settings of a space; whole numbers are `int`."""
    out: dict[str, Any] = {}
    for name, values in space.items():
        if isinstance(values, Range):
            value = values.at(float(rng.random()))
            out[name] = int(value) if values.whole else value
        else:
            out[name] = values[int(rng.integers(len(values)))]
    return out


def learned(name: str, examples: Examples, number: int, seconds: float) -> Tried:
    """Train a learner with as many settings as fit into a budget, the default one in any case.

    Args:
      name: of `LEARNERS`.
      examples: of the split.
      number: of the split, which is the seed.
      seconds: of processor time; no setting is begun after them. 0 is the default setting alone.
    """
    learner, rng = LEARNERS[name], np.random.default_rng(number)
    _warm_up(name)
    settings: dict[str, Any] = {}
    started, tried = time.process_time(), 0
    best: tuple[tuple[float, float], dict[str, Any], Any] | None = None
    with _one_thread():
        while True:
            estimator = learner.make(settings, number)
            outside = examples.validation if learner.validates else ()
            estimator.fit(*examples.train, *outside)
            tried += 1
            found = _metrics(estimator, examples.validation, examples.train[1])
            score = found["accuracy"], -found["log_loss"]
            if best is None or score > best[0]:
                best = score, settings, estimator
            if not learner.space or time.process_time() - started >= seconds:
                break
            settings = settings_of(learner.space, rng)
        score, settings, estimator = best
        test = _metrics(estimator, examples.test, examples.train[1])
    return Tried(test, score[0], settings, tried, time.process_time() - started)


@functools.cache
def _warm_up(name: str) -> None:
    """Train once on a few examples, so that imports are not in the time."""
    x, y = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32), np.arange(40) % 2
    learner = LEARNERS[name]
    with _one_thread():
        learner.make({}, 0).fit(x, y, *((x, y) if learner.validates else ()))


def _metrics(estimator: Any, examples: tuple[np.ndarray, np.ndarray], known: np.ndarray) -> dict[str, float]:
    """The metrics of an estimator; a class that was not among the training examples has the probability 0."""
    x, y = examples
    classes = np.unique(known)
    probabilities = np.zeros((len(x), max(int(y.max()), int(classes.max())) + 1))
    probabilities[:, classes] = np.asarray(estimator.predict_proba(x))
    return metrics_of("classification", probabilities, y)


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """Compute on one thread, and keep quiet about iterations that run out, which a search takes as they are."""
    from threadpoolctl import threadpool_limits

    for name in ("lightning.pytorch", "pytorch_lightning", "lightning"):
        logging.getLogger(name).setLevel(logging.ERROR)
    with warnings.catch_warnings(), threadpool_limits(1), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        yield
