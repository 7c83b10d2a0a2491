"""The chapter on dropout: what it drops, when, what it keeps on average, and what it does to units and errors."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np

from regjax.claims.claim import Claim, Measured
from regjax.claims.fit import NETS, score, titles
from regjax.claims.grids import CHOSEN, grid, strength_picture
from regjax.claims.lab import STEPS, Setting, Trained, baseline, chosen, spec_of
from regjax.claims.problems import TITLES, TRAIN, Problem, problem
from regjax.core import rng
from regjax.core.typing import Array, Batch, PRNGKey, PyTree
from regjax.models.call import call_model
from regjax.models.registry import make_model
from regjax.noise import dropout
from regjax.training.loss import build_loss

CHAPTER = "Dropout regularization"
PROBLEMS = ("noisy digits", "clusters", "teacher", "spirals")
FRACTIONS = (0.1, 0.25, 0.5, 0.8)
ENTRIES, DRAWS, REMOVALS, UNITS = 1_000_000, 4096, 16, 128
RATE = "0.6"
DEPENDENT = ("noisy digits", "clusters")


def _fraction(runs: Sequence[int]) -> Measured:
    draw = jax.jit(lambda key, rate: jnp.mean(dropout(key, jnp.ones(ENTRIES), rate) == 0))
    effects = {}
    for rate in FRACTIONS:
        dropped = [float(draw(rng.run_key(run), rate)) for run in runs]
        effects[f"rate {rate:g}"] = 100 * (np.array(dropped) - rate)
    return Measured(effects)


def _differs(runs: Sequence[int]) -> Measured:
    """Compare which hidden units are dropped at the updates of a run: a dropped one has no gradient behind it."""
    model = make_model("mlp", num_outputs=1, widths=(UNITS,), task="regression", activation="tanh")
    gradient = jax.jit(jax.grad(build_loss(model.apply, "mse", rates={"dropout": 0.5}), has_aux=True))

    def masks(run: int) -> list[np.ndarray]:
        root = rng.run_key(run)
        batch = Batch(jax.random.normal(root, (1, 10)), jnp.ones(1))
        params = model.init(rng.stream(root, rng.INIT), batch.x)["params"]
        keys = [rng.stream(rng.stream(root, rng.STEP, step), rng.GRADIENT) for step in range(2 * STEPS)]
        return [np.asarray(gradient(params, batch, key)[0]["output"]["kernel"] == 0) for key in keys]

    within, between = [], []
    for run in runs:
        own = masks(run)
        within.append(100 * np.mean([np.any(a != b) for a, b in itertools.pairwise(own[:STEPS])]))
        between.append(100 * np.mean([np.any(a != b) for a, b in zip(own[:STEPS], own[STEPS:], strict=True)]))
    return Measured({"updates of one epoch": np.array(within), "two epochs": np.array(between)})


def _net(name: str, runs: Sequence[int]) -> tuple[Problem, Callable[..., Array]]:
    """The problem and a function `(params, x, key, rate) -> outputs`; rate None is inference."""
    of = problem(name, runs)
    apply = spec_of(of, Setting()).model.apply

    @functools.partial(jax.jit, static_argnames="rate")
    def outputs(params: PyTree, x: Array, key: PRNGKey, rate: float | None = None) -> Array:
        rates = {} if rate is None else {"dropout": rate}
        found: Array = call_model(apply, params, None, x, key=key, rates=rates, train=rate is not None)[0]
        return found

    return of, outputs


def _test_inputs(of: Problem, row: int) -> np.ndarray:
    found: np.ndarray = of.standardizations[row].apply(of.x[of.test[row]])
    return found


def _off(runs: Sequence[int]) -> Measured:
    of, outputs = _net("noisy digits", runs)
    trained = grid("dropout", "noisy digits", runs)[RATE]
    layer, net = [], []
    for row, run in enumerate(runs):
        x = jnp.asarray(_test_inputs(of, row))
        first, second = jax.random.split(rng.run_key(run))
        same = [dropout(key, x, 0.5, deterministic=True) for key in (first, second)]
        layer.append(100 * float(jnp.mean((same[0] != x) | (same[1] != x))))
        passes = [outputs(trained.weights[row].params, x, key) for key in (first, second)]
        net.append(100 * float(jnp.mean(passes[0] != passes[1])))
    return Measured({"the layer, against its input": np.array(layer), "a trained net, two passes": np.array(net)})


def _deviation(layer: Callable[[PRNGKey], Array], inference: Array, w: Array, key: PRNGKey) -> float:
    """By how many percent the mean of `w . layer(key)` over draws is off that at inference."""
    mean = jnp.mean(jax.lax.map(lambda one: jnp.vdot(w, layer(one)), jax.random.split(key, DRAWS), batch_size=64))
    return float(100 * (mean / jnp.vdot(w, inference) - 1))


def _expectation(runs: Sequence[int]) -> Measured:
    of, outputs = _net("noisy digits", runs)
    trained = grid("dropout", "noisy digits", runs)[RATE]
    labels = ("inverted scaling", "classic scaling", "a linear layer after it", "the outputs of a trained net")
    effects: dict[str, list[float]] = {label: [] for label in labels}
    for row, run in enumerate(runs):
        key = rng.run_key(run)
        x = jax.random.uniform(key, (1000,)) + 0.5
        w = jax.random.normal(jax.random.fold_in(key, 1), (1000,)) + 0.2
        for scaling, weights, label in zip(
            ("inverted", "classic", "inverted"), (jnp.ones(1000), jnp.ones(1000), w), labels, strict=False
        ):
            layer = functools.partial(dropout, x=x, rate=0.5, scaling=scaling)
            at_inference = dropout(None, x, 0.5, scaling=scaling, deterministic=True)
            effects[label].append(_deviation(layer, at_inference, weights, key))
        params, inputs = trained.weights[row].params, jnp.asarray(_test_inputs(of, row)[:16])
        at_inference = outputs(params, inputs, key)
        noisy = functools.partial(outputs, params, inputs, rate=float(RATE))
        effects[labels[-1]].append(_deviation(noisy, at_inference, at_inference, key))
    return Measured({label: np.array(values) for label, values in effects.items()})


def _removal(name: str, trained: Trained, runs: Sequence[int]) -> np.ndarray:
    """The fall of test accuracy, in points, when half of the hidden units are removed at random, `[R]`."""
    of, outputs = _net(name, runs)
    falls = []
    for row, run in enumerate(runs):
        params, x, y = trained.weights[row].params, jnp.asarray(_test_inputs(of, row)), of.clean[of.test[row]]
        keys = jax.random.split(rng.run_key(run), REMOVALS)
        hits = [np.mean(np.argmax(outputs(params, x, key, rate=0.5), axis=1) == y) for key in keys]
        whole = np.mean(np.argmax(outputs(params, x, keys[0]), axis=1) == y)
        falls.append(100 * (whole - np.mean(hits)))
    return np.array(falls)


def _correlation(name: str, trained: Trained, runs: Sequence[int]) -> np.ndarray:
    """The mean absolute correlation between units of the first hidden layer over test examples, in percent, `[R]`."""
    of = problem(name, runs)
    out = []
    for row in range(len(runs)):
        first = trained.weights[row].params["hidden_0"]
        x = _test_inputs(of, row)
        hidden = np.maximum(x.reshape(len(x), -1) @ np.asarray(first["kernel"]) + np.asarray(first["bias"]), 0.0)
        alive = hidden[:, hidden.std(axis=0) > 0]
        matrix = np.abs(np.corrcoef(alive, rowvar=False))
        out.append(100 * (matrix.sum() - len(matrix)) / (len(matrix) * (len(matrix) - 1)))
    return np.array(out)


def _coadaptation(runs: Sequence[int]) -> Measured:
    effects = {}
    for name in DEPENDENT:
        plain, dropped = baseline(name, runs), grid("dropout", name, runs)[RATE]
        for label, measure in (("removal of half of the units", _removal), ("correlation of units", _correlation)):
            effects[f"{label}, {TITLES[name]}"] = measure(name, plain, runs) - measure(name, dropped, runs)
    return Measured(effects)


def _memorizes(runs: Sequence[int]) -> Measured:
    of, outputs = _net("noisy digits", runs)
    plain, grids = baseline("noisy digits", runs), grid("dropout", "noisy digits", runs)

    def fitted(trained: Trained, row: int, run: int) -> float:
        own = of.order[row][:TRAIN]
        wrong = own[of.y[row][own] != of.clean[own]]
        x = jnp.asarray(of.standardizations[row].apply(of.x[wrong]))
        predicted = np.argmax(outputs(trained.weights[row].params, x, rng.run_key(run)), axis=1)
        return float(100 * np.mean(predicted == of.y[row][wrong]))

    effects = {}
    for rate in ("0.4", "0.8"):
        pairs = [(fitted(plain, row, run), fitted(grids[rate], row, run)) for row, run in enumerate(runs)]
        effects[f"rate {rate}"] = np.array([before - after for before, after in pairs])
    return Measured(effects)


def _prevents(runs: Sequence[int]) -> Measured:
    effects, pictures = {}, []
    for name in PROBLEMS:
        plain, grids = baseline(name, runs), grid("dropout", name, runs)
        rises = [one.last("test") / one.kept("test") for one in (plain, grids[RATE])]
        effects[TITLES[name]] = 100 * (rises[0] - rises[1])
        pictures.append(strength_picture(grids, TITLES[name].capitalize(), "rate of dropout", log_x=False))
    return Measured(effects, pictures)


def _helps(runs: Sequence[int]) -> Measured:
    effects = {}
    for name in PROBLEMS:
        plain = baseline(name, runs)
        metric = score(plain)
        effects[TITLES[name]] = 100 * (chosen(grid("dropout", name, runs))[1][metric] - plain.last("test", metric))
    return Measured(effects)


CLAIMS = (
    Claim(
        name="dropout_drops_stated_fraction",
        chapter=CHAPTER,
        statement="The rate of dropout is the fraction of the units that are dropped.",
        hypothesis="The share of dropped entries differs from the rate by less than 0.1 points.",
        design=f"One draw of {ENTRIES:,} decisions in each run.",
        quantity="The difference between the dropped share and the rate",
        unit="points",
        margin=0.1,
        relation="within",
        circumstances=tuple(f"rate {rate:g}" for rate in FRACTIONS),
        measure=_fraction,
    ),
    Claim(
        name="dropout_differs_each_time",
        chapter=CHAPTER,
        statement="For every epoch, different units are dropped.",
        hypothesis="In more than 99% of the pairs, two updates have different masks.",
        design=f"{UNITS} units at rate 0.5 and the keys of the updates of a run; which units have no gradient behind "
        "them, at neighbouring updates within an epoch, and at the same place of two epochs.",
        quantity="The share of pairs with different masks",
        unit="%",
        margin=99.0,
        circumstances=("updates of one epoch", "two epochs"),
        measure=_differs,
    ),
    Claim(
        name="dropout_is_off_at_inference",
        chapter=CHAPTER,
        statement="Dropout is applied only in training, not at inference.",
        hypothesis="At inference, fewer than 0.001% of the outputs differ, bit for bit, from those without dropout.",
        design="A layer that is told to be deterministic under two keys, against its input; and two passes of a net "
        f"that was trained with rate {RATE} on digits.",
        quantity="The share of outputs that differ",
        unit="points",
        margin=0.001,
        relation="within",
        circumstances=("the layer, against its input", "a trained net, two passes"),
        measure=_off,
    ),
    Claim(
        name="dropout_scaling_keeps_expectation",
        chapter=CHAPTER,
        statement="With the scaling at inference, the expected activation is that of training.",
        hypothesis="The mean over draws differs from the value at inference by less than 1%.",
        design=f"{DRAWS:,} draws at rate 0.5: the sum of 1,000 activations after dropout with each scaling, a linear "
        f"function of them, and the outputs of a net with two ReLU layers that was trained with rate {RATE} on digits, "
        "projected on its outputs at inference.",
        quantity="The deviation of the mean in training",
        unit="%",
        margin=1.0,
        relation="within",
        circumstances=(
            "inverted scaling",
            "classic scaling",
            "a linear layer after it",
            "the outputs of a trained net",
        ),
        measure=_expectation,
        literature="Srivastava et al. (Dropout, 2014) call the scaled net an approximation of the average of the "
        "thinned ones.",
    ),
    Claim(
        name="dropout_reduces_dependence",
        chapter=CHAPTER,
        statement="Dropout reduces the dependence of units on other units.",
        hypothesis=f"With dropout at rate {RATE} in training, removing half of the hidden units at inference costs "
        "more than 5 points less of accuracy, and the mean absolute correlation between units is more than 5 points "
        "lower.",
        design=f"{NETS} {REMOVALS} random removals in each run, with the rest scaled up; correlations in the first "
        "hidden layer over the test examples.",
        quantity="The reduction by dropout",
        unit="points",
        margin=5.0,
        circumstances=tuple(
            f"{label}, {TITLES[name]}"
            for name in DEPENDENT
            for label in ("removal of half of the units", "correlation of units")
        ),
        measure=_coadaptation,
        literature="Hinton et al. (Improving neural networks by preventing co-adaptation of feature detectors, 2012) "
        "give this as the reason for dropout.",
    ),
    Claim(
        name="dropout_prevents_memorizing",
        chapter=CHAPTER,
        statement="Trained on everything, some units memorize training examples; dropout prevents that.",
        hypothesis="The share of wrong training labels that the net has learned by heart is more than 10 points lower "
        "with dropout.",
        design=f"{NETS} Digits of which 10% have wrong labels: whether the net, at inference, gives the wrong label.",
        quantity="The reduction of what is memorized",
        unit="points",
        margin=10.0,
        circumstances=("rate 0.4", "rate 0.8"),
        measure=_memorizes,
    ),
    Claim(
        name="dropout_prevents_overfitting",
        chapter=CHAPTER,
        statement="Dropout prevents overfitting.",
        hypothesis="The rise of the test loss from the epoch of the lowest validation loss to the last one is more "
        "than 10 points lower with dropout.",
        design=f"{NETS} Rate {RATE}. The curves show losses after the last epoch.",
        quantity="The reduction of the rise of the test loss",
        unit="points",
        margin=10.0,
        circumstances=titles(PROBLEMS),
        measure=_prevents,
    ),
    Claim(
        name="dropout_helps",
        chapter=CHAPTER,
        statement="Dropout makes the features more robust and the model better on new data.",
        hypothesis="Dropout raises test accuracy (R² of the regression) after the last epoch by more than 1 point.",
        design=f"{NETS} {CHOSEN['dropout']}",
        quantity="The gain by dropout",
        unit="points",
        margin=1.0,
        circumstances=titles(PROBLEMS),
        measure=_helps,
        literature="On MNIST, Srivastava et al. (Dropout, 2014, figure 10) found no gain with 100 to 500 training "
        "examples, then a growing and a shrinking one.",
    ),
)
