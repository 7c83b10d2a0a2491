"""What the guide leaves out and a reader needs: double descent, two kinds of decay, batch norm, label noise, ridge."""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from regjax.claims import lab
from regjax.claims.claim import Claim, Measured, Picture
from regjax.claims.fit import CURVES, NETS, score, titles
from regjax.claims.grids import CHOSEN, grid
from regjax.claims.lab import Setting, baseline, chosen, kernels, shared, spec_of, train
from regjax.claims.linear import Design, best, ridge
from regjax.claims.problems import MOST, TITLES, TRAIN, problem
from regjax.core import rng
from regjax.core.typing import Array, PyTree
from regjax.losses import cross_entropy
from regjax.models.call import call_model
from regjax.noise import dropout
from regjax.penalties import l2

CHAPTER = "What the guide leaves out"
EXAMPLES = 40
MORE_DIGITS = f"digits, {MOST:,} examples"
WIDTHS = (5, 10, 15, 20, 25, 30, 35, 38, 40, 42, 45, 50, 60, 80, 120, 200, 400, 800)
PENALTIES = ("no penalty", "ridge, chosen")
LIMIT = 1e-10  # a strength at which ridge is least squares of the smallest norm
STRENGTHS = np.logspace(1, -6, 29)
TIMES = np.unique(np.logspace(0, 3, 40).astype(int))


def _random_features(run: int) -> dict[str, np.ndarray]:
    """Test error of least squares on ReLU features of growing number, without and with a chosen ridge, `[widths]`."""
    generator = np.random.default_rng([run, 17])
    w = generator.normal(size=10) / np.sqrt(10)
    directions = generator.normal(size=(10, WIDTHS[-1])) / np.sqrt(10)
    parts = []
    for n in (EXAMPLES, 200, 1000):
        x = generator.normal(size=(n, 10))
        parts.append((np.maximum(x @ directions, 0.0), x @ w + 0.5 * generator.normal(size=n)))
    (f, y), (f_validation, y_validation), (f_test, y_test) = parts
    errors: dict[str, list[float]] = {label: [] for label in PENALTIES}
    for width in WIDTHS:
        scale = np.sqrt(width)
        free = ridge(f[:, :width] / scale, y, np.array([LIMIT]))
        held = ridge(f[:, :width] / scale, y, STRENGTHS)
        on_validation = np.square(f_validation[:, :width] / scale @ held.T - y_validation[:, None]).mean(axis=0)
        for label, coefficients in zip(PENALTIES, (free[0], held[np.argmin(on_validation)]), strict=True):
            errors[label].append(float(np.mean(np.square(f_test[:, :width] / scale @ coefficients - y_test))))
    return {label: np.array(values) for label, values in errors.items()}


def _double_descent(runs: Sequence[int]) -> Measured:
    found = [_random_features(run) for run in runs]
    effects, lines = {}, {}
    at = WIDTHS.index(EXAMPLES)
    for label in PENALTIES:
        errors = np.array([one[label] for one in found])
        effects[label] = 100 * (1 - errors[:, -1] / errors[:, at])
        lines[label] = np.median(errors, axis=0)
    picture = Picture(
        "Test error by the number of features", "random features", "median test error", np.array(WIDTHS, float), lines,
        log_x=True, log_y=True, mark=float(EXAMPLES),
    )  # fmt: skip
    return Measured(effects, [picture])


def _decays(runs: Sequence[int]) -> Measured:
    effects = {}
    for label, optimizer, rate in (("SGD", "sgd", 0.05), ("Adam", "adam", 1e-3)):
        settings = {
            mode: Setting(optimizer=optimizer, learning_rate=rate, regularizers={"penalties": {mode: l2(0.01)}})
            for mode in ("coupled", "decoupled")
        }
        found = train("clusters", runs, settings)
        each = []
        for pair in zip(found["coupled"].weights, found["decoupled"].weights, strict=True):
            first, second = (np.concatenate([kernel.ravel() for kernel in kernels(one)]) for one in pair)
            each.append(np.linalg.norm(first - second) / np.linalg.norm(first))
        effects[label] = 100 * np.array(each)
    return Measured(effects)


@shared
def _halved(runs: Sequence[int]) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """What halving the weights of the hidden layers of fresh nets does to outputs and to the size of gradients."""
    outputs: dict[str, list[float]] = {"with batch normalization": [], "without": []}
    steps: dict[str, list[float]] = {"with batch normalization": [], "without": []}
    of = problem("clusters", runs)
    for label, batch_norm in (("with batch normalization", True), ("without", False)):
        model = spec_of(of, Setting(batch_norm=batch_norm)).model

        def forward(params: PyTree, state: PyTree, x: Array, model: object = model) -> Array:
            found: Array = call_model(model.apply, params, state, x, train=True).outputs  # type: ignore[attr-defined]
            return found

        gradient = jax.jit(jax.grad(lambda p, s, x, y, f=forward: jnp.mean(cross_entropy(f(p, s, x), y))))
        for row, run in enumerate(runs):
            rows = of.order[row][:TRAIN]
            x, y = jnp.asarray(of.x[rows]), jnp.asarray(of.clean[rows])
            variables = model.init(rng.run_key(run), x)
            params, state = variables["params"], {k: v for k, v in variables.items() if k != "params"}
            half = {
                name: {key: leaf / 2 if key == "kernel" and "hidden" in name else leaf for key, leaf in layer.items()}
                for name, layer in params.items()
            }
            whole, changed = forward(params, state, x), forward(half, state, x)
            outputs[label].append(float(100 * jnp.linalg.norm(changed - whole) / jnp.linalg.norm(whole)))
            norms = [float(jnp.linalg.norm(gradient(p, state, x, y)["hidden_0"]["kernel"])) for p in (params, half)]
            steps[label].append(100 * (norms[1] / (2 * norms[0]) - 1))
    return outputs, steps


def _norm_outputs(runs: Sequence[int]) -> Measured:
    return Measured({label: np.array(values) for label, values in _halved(runs)[0].items()})


def _norm_steps(runs: Sequence[int]) -> Measured:
    return Measured({label: np.array(values) for label, values in _halved(runs)[1].items()})


def _fits_anything(runs: Sequence[int]) -> Measured:
    name = "random labels"
    one = train(name, runs, {"long": Setting(epochs=2 * lab.EPOCHS)})["long"]
    return Measured({TITLES[name]: 100 * (1 - one.last("train", "accuracy"))})


def _unregularized(runs: Sequence[int]) -> Measured:
    found = {TITLES[name]: baseline(name, runs) for name in CURVES}
    found[MORE_DIGITS] = train("digits", runs, {"more": Setting(n_train=MOST)})["more"]
    effects = {}
    for label, one in found.items():
        metric = score(one)
        effects[label] = 100 * (one.last("train", metric) - one.last("test", metric))
    return Measured(effects)


def _label_noise(runs: Sequence[int]) -> Measured:
    effects = {}
    for title, family in (("L2", "l2"), ("dropout", "dropout")):
        gains = []
        for name in ("noisy digits", "digits"):
            tuned = chosen(grid(family, name, runs))[1]["accuracy"]
            gains.append(100 * (tuned - baseline(name, runs).last("test", "accuracy")))
        effects[title] = gains[0] - gains[1]
    gains = []
    for name in ("noisy digits", "digits"):
        one = baseline(name, runs)
        gains.append(100 * (one.kept("test", "accuracy") - one.last("test", "accuracy")))
    effects["early stopping"] = gains[0] - gains[1]
    return Measured(effects)


def _stopping_is_ridge(runs: Sequence[int]) -> Measured:
    """Compare gradient descent on least squares, stopped where validation says, with ridge at strength 1 / time."""
    designs = {
        "independent columns": Design((0.5,) * 20, n=40),
        "correlation 0.8": Design((0.5,) * 20, n=40, correlation=0.8),
    }
    effects = {}
    for label, design in designs.items():
        each = []
        for run in runs:
            sample = design.draw(run)
            n, p = sample.x.shape
            gram, b = 2 * sample.x.T @ sample.x / n, 2 * sample.x.T @ sample.y / n
            rate = 0.5 / np.linalg.eigvalsh(gram)[-1]
            w, descent = np.zeros(p), []
            for step in range(1, TIMES[-1] + 1):
                w = w - rate * (gram @ w - b)
                if step in TIMES:
                    descent.append(w)
            stopped = np.array(descent)
            along = ridge(sample.x, sample.y, 1 / (2 * rate * TIMES))
            position = best(sample, stopped)
            each.append(1.69 - sample.excess(stopped[position]) / sample.excess(along[position]))
        effects[label] = 100 * np.array(each)
    return Measured(effects)


def _dropout_is_ridge(runs: Sequence[int]) -> Measured:
    """Compare least squares on many dropped copies of the inputs with the ridge that Srivastava et al. derive."""
    copies, rate = 4000, 0.3
    design = Design((0.5,) * 10, n=40)
    each, plain = [], []
    for run in runs:
        sample = design.draw(run)
        x, y = sample.x, sample.y
        dropped = np.asarray(
            dropout(rng.run_key(run), jnp.broadcast_to(jnp.asarray(x, jnp.float32), (copies, *x.shape)), rate),
            np.float64,
        )
        gram = np.einsum("cni,cnj->ij", dropped, dropped) / copies
        w = np.linalg.solve(gram, dropped.mean(axis=0).T @ y)
        diagonal = np.diag(np.sum(np.square(x), axis=0))
        exact = np.linalg.solve(x.T @ x + rate / (1 - rate) * diagonal, x.T @ y)
        free = ridge(x, y, np.array([0.0]))[0]
        each.append(100 * np.linalg.norm(w - exact) / np.linalg.norm(exact))
        plain.append(100 * np.linalg.norm(w - free) / np.linalg.norm(free))
    return Measured({"against that ridge": np.array(each), "against least squares": np.array(plain)})


CLAIMS = (
    Claim(
        name="double_descent",
        chapter=CHAPTER,
        statement="More parameters than examples need not hurt: past the point where the training data are fitted, the "
        "test error falls again.",
        hypothesis=f"With {WIDTHS[-1]} features the test error is more than 20% lower than with as many features as "
        "examples.",
        design=f"Least squares of the smallest norm on ReLU features of ten inputs, {EXAMPLES} examples, noise of "
        "standard deviation 0.5; with ridge, the strength is chosen in each run on 200 validation examples. The dotted "
        "line is where there are as many features as examples.",
        quantity="The reduction of the test error",
        unit="%",
        margin=20.0,
        circumstances=PENALTIES,
        measure=_double_descent,
        runs_per_seed=8,
        literature="Belkin et al. (Reconciling modern machine-learning practice and the classical bias–variance "
        "trade-off, 2019) describe a test error that peaks where a model just fits its training examples and falls "
        "again beyond; Nakkiran et al. (Optimal regularization can mitigate double descent, 2020) show that the best "
        "L2 removes the peak.",
    ),
    Claim(
        name="decay_is_l2",
        chapter=CHAPTER,
        statement="Weight decay and L2 are the same.",
        hypothesis="The weights after training with the gradient of L2 differ from those with decoupled decay of the "
        "same strength by less than 1% of their norm.",
        design=f"{NETS} Three clusters, strength 0.01; SGD with learning rate 0.05.",
        quantity="The difference between the weights",
        unit="%",
        margin=1.0,
        relation="within",
        circumstances=("SGD", "Adam"),
        measure=_decays,
        literature="Loshchilov and Hutter (Decoupled weight decay regularization, 2019) show that decay is L2 under "
        "SGD, up to the learning rate, and is not under Adam.",
    ),
    Claim(
        name="batch_norm_undoes_shrinking",
        chapter=CHAPTER,
        statement="Under batch normalization, smaller weights before it do not change what a net computes.",
        hypothesis="Halving the weights of the hidden layers changes the outputs by less than 1% of their norm.",
        design="Fresh nets for three clusters in training mode, where batch normalization uses the batch.",
        quantity="The change of the outputs",
        unit="%",
        margin=1.0,
        relation="within",
        circumstances=("with batch normalization", "without"),
        controls=("without",),
        measure=_norm_outputs,
        literature="van Laarhoven (L2 regularization versus batch and weight normalization, 2017) shows that with "
        "normalization L2 does not change which functions are favoured, but the effective learning rate.",
    ),
    Claim(
        name="batch_norm_decay_is_learning_rate",
        chapter=CHAPTER,
        statement="Under batch normalization, L2 works through the learning rate: on weights of half the size, "
        "gradients are twice as large.",
        hypothesis="After halving, the norm of the gradient of the first layer is twice that before, to within 2%.",
        design="As for the outputs.",
        quantity="The deviation from twice the gradient",
        unit="%",
        margin=2.0,
        relation="within",
        circumstances=("with batch normalization", "without"),
        controls=("without",),
        measure=_norm_steps,
        literature="Zhang et al. (Three mechanisms of weight decay regularization, 2019) name a larger effective "
        "learning rate as one of the ways in which decay works with batch normalization.",
    ),
    Claim(
        name="nets_fit_random_labels",
        chapter=CHAPTER,
        statement="A net that fits its training data has found patterns in them: it cannot fit labels that say "
        "nothing.",
        hypothesis="More than half of the training examples are not fitted.",
        design=f"{NETS} Here twice as many epochs, and labels of which 90% were replaced by other classes.",
        quantity="The share of the training examples that is not fitted",
        unit="%",
        margin=50.0,
        circumstances=(TITLES["random labels"],),
        measure=_fits_anything,
        literature="Zhang et al. (Understanding deep learning requires rethinking generalization, 2017) report nets "
        "that fit random labels of CIFAR-10 without an error.",
    ),
    Claim(
        name="nets_need_regularization",
        chapter=CHAPTER,
        statement="Without a regularizer, a net with more weights than examples does not generalize.",
        hypothesis="The gap between training and test accuracy (R² of the regression) exceeds 20 points.",
        design=NETS,
        quantity="The gap",
        unit="points",
        margin=20.0,
        circumstances=(*titles(CURVES), MORE_DIGITS),
        measure=_unregularized,
        literature="Zhang et al. (2017) report nets on CIFAR-10 that generalize without any explicit regularizer.",
    ),
    Claim(
        name="label_noise_raises_gains",
        chapter=CHAPTER,
        statement="With wrong labels in the training data, regularizers gain more.",
        hypothesis="With 10% wrong labels the gain in test accuracy exceeds that with right labels by more than "
        "1 point.",
        design=f"{NETS} Digits. {CHOSEN['l2']} {CHOSEN['dropout']}",
        quantity="The difference between the gains",
        unit="points",
        margin=1.0,
        circumstances=("L2", "dropout", "early stopping"),
        measure=_label_noise,
        literature="Zhang et al. (mixup, 2018) report errors of 44.6% after the last epoch and 18.8% at the best one "
        "for a plain net on CIFAR-10 with half of the labels wrong.",
    ),
    Claim(
        name="stopping_is_ridge",
        chapter=CHAPTER,
        statement="On least squares, early stopping predicts about as well as ridge whose strength is one over the "
        "training time, or better.",
        hypothesis="The mean squared error above the noise, on average over all inputs, is less than 1.69 times that "
        "of ridge, the bound that is proven for gradient flow.",
        design="Linear regression on 20 columns, 40 examples; gradient descent from zero, stopped at the lowest "
        "error on 60 validation examples, against ridge of strength 1 / (2 · learning rate · steps). That both have "
        "the same coefficients, within 10% of their norm, was contradicted before (by 19% and 15%), and this claim put "
        "in its place.",
        quantity="What the error of stopping lacks to 1.69 times that of ridge",
        unit="%",
        margin=0.0,
        circumstances=("independent columns", "correlation 0.8"),
        measure=_stopping_is_ridge,
        literature="Ali, Kolter and Tibshirani (A continuous-time view of early stopping for least squares, 2019) "
        "bound the risk of gradient flow at time t by 1.69 times that of ridge with strength 1 / t.",
    ),
    Claim(
        name="dropout_is_ridge",
        chapter=CHAPTER,
        statement="On linear regression, dropout of the inputs is a ridge that weighs each column by its size.",
        hypothesis="Coefficients that minimize the error over dropped copies of the inputs differ by less than 2% of "
        "their norm from that ridge.",
        design="Linear regression on 10 columns, 40 examples, rate 0.3, 4,000 dropped copies of the examples.",
        quantity="The distance",
        unit="%",
        margin=2.0,
        relation="within",
        circumstances=("against that ridge", "against least squares"),
        controls=("against least squares",),
        measure=_dropout_is_ridge,
        literature="Srivastava et al. (Dropout, 2014, section 9.1) show that dropout of the inputs of a linear "
        "regression, on average over masks, is a ridge that scales each coefficient by the size of its column.",
    ),
)
