"""Identities between regularizers: dropout and ridge, early stopping and ridge, ridge and lasso in closed form.

Command: `python -m experiments.reproduce.identities` (two to four minutes on two cores that other work shared); it
prints the record `experiments/records/reproduce/identities.json`.

`PUBLICATION` below has the formulas' values as published numbers, and their sources. The expected ranges:

- solvers in double precision: 1e-8, a little above their tolerance;
- gradient descent with steps `h` in place of gradient flow: the factors differ by at most `h d^2 / 2` of themselves,
  which is 5e-4 here;
- averages over 4,000 draws of dropout: 2%, which is more than four of their standard errors;
- decoupled decay and L2 under SGD: 1e-12, rounding over 300 updates; a strength counts as equivalent under Adam if
  all weights of all updates are within 1% of the largest weight of L2;
- training with dropout by stochastic gradients: the distance from ridge, as a share of that between least squares and
  ridge, below 0.1; its steps go to zero linearly, and what remains is their noise.

Here `X = U diag(d) V'`, and shrinkage is what a method leaves of least squares in the direction of a singular vector.
"""

from __future__ import annotations

import itertools
import sys
import time
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from scipy.optimize import minimize_scalar

import regjax as rj
from experiments.reproduce.command import command
from experiments.reproduce.convex import double_precision, fitted, lasso_fits
from experiments.reproduce.published import Publication, Published, around, record, rounded
from regjax.core.rng import run_key
from regjax.models import make_model

N, D = 60, 6
KEEP = (0.5, 0.8)
RIDGE = 3.0  # lambda of ||y - X w||^2 + lambda ||w||^2
TIMES = (0.05, 0.2, 1.0, 4.0)  # of gradient flow on ||y - X w||^2 / 2, in units of 1 / d^2 of the middle direction
STEP = 1e-3  # of gradient descent, times the largest d^2
SEEDS = 8
LASSO = 0.7  # lambda of ||y - X w||^2 / 2 + lambda |w|


def singular_values() -> np.ndarray:
    """Of the design: from 1 to 4."""
    return np.geomspace(4.0, 1.0, D)


def ratio(x: float) -> float:
    """Shrinkage of gradient flow over that of ridge with lambda = 1 / t, at `x = t d^2`."""
    return float(-np.expm1(-x) * (1 + x) / x)


def largest_ratio() -> float:
    """The maximum of `ratio`, by numerical optimization of the formula."""
    return -float(minimize_scalar(lambda x: -ratio(x), bounds=(0.1, 10.0), method="bounded").fun)


D2 = singular_values() ** 2
PUBLICATION = Publication(
    "Srivastava et al. 2014 (section 9.1); Ali, Kolter and Tibshirani 2019 (abstract; the ratio is computed from its "
    "formulas); Loshchilov and Hutter 2019 (abstract); Hastie, Tibshirani and Friedman 2009 (section 3.4); "
    "Tibshirani 1996 (section 2.2)",
    "https://jmlr.org/papers/v15/srivastava14a.html, https://arxiv.org/abs/1810.10082, "
    "https://arxiv.org/abs/1711.05101",
    "as named",
    "formulas.",
    f"a random design of {N} rows and {D} columns with singular values from 1 to 4; `rj.proximal_gradient`, "
    "`rj.lasso_path`, `rj.noise.dropout`, `rj.make_run` with `input_dropout`, and gradient descent of "
    "`rj.make_optimizer`.",
    (
        *(around(f"dropout, keep {p}, all masks: expected loss over formula", 1.0, 1e-8, "9.1") for p in KEEP),
        *(around(f"dropout, keep {p}, drawn masks: mean loss over formula", 1.0, 0.02, "9.1") for p in KEEP),
        *(Published(f"dropout, keep {p}, trained: distance from ridge", 0.0, 0.0, 0.1, "9.1") for p in KEEP),
        *(
            around(f"ridge, shrinkage at d = {d:.3g}", float(d**2 / (d**2 + RIDGE)), 1e-8, "ESL (3.47)")
            for d in singular_values()
        ),
        *(
            around(f"gradient flow, t d^2 = {t:g}, shrinkage", float(-np.expm1(-t)), 1e-3, "1 - exp(-t d^2)")
            for t in TIMES
        ),
        around("gradient flow over ridge, largest shrinkage ratio", largest_ratio(), 1e-3, "max (1 - e^-x)(1 + x) / x"),
        Published("gradient flow over ridge, smallest shrinkage ratio", 1.0, 0.999, 1.01, "limit for t -> 0 and inf"),
        Published("gradient flow over ridge, largest risk ratio", 1.69, 1.0, 1.69, "abstract, an upper bound"),
        around("SGD: decoupled decay, distance from L2", 0.0, 1e-12, "Loshchilov and Hutter, abstract"),
        around("SGD: decay that the rate does not scale, distance from L2", 0.0, 1e-12, "the same"),
        Published("Adam: decoupled strengths that are equivalent to L2, of 200", 0.0, 0.0, 0.0, "the same"),
        around("lasso, orthonormal: distance from soft thresholding", 0.0, 1e-8, "Tibshirani 1996, 2.2"),
        around("lasso, orthonormal, trained by proximal SGD: the same", 0.0, 1e-5, "Tibshirani 1996, 2.2"),
    ),
)


def design(seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """`X` `[N, D]` with the singular values and columns of mean zero, its left singular vectors, and targets."""
    rng = np.random.default_rng(seed)
    basis = np.linalg.qr(np.column_stack([np.ones(N), rng.normal(size=(N, D))]))[0][:, 1:]
    right = np.linalg.qr(rng.normal(size=(D, D)))[0]
    x = basis @ np.diag(singular_values()) @ right.T
    return x, basis, x @ rng.normal(size=D) + 0.5 * rng.normal(size=N)


def dropout_formula(x: np.ndarray, y: np.ndarray, w: np.ndarray, keep: float) -> float:
    """Section 9.1 for dropout that divides by the keep probability: `||y - X w||^2 + (1 - p) / p ||G w||^2`."""
    return float(np.sum((y - x @ w) ** 2) + (1 - keep) / keep * np.sum(np.sum(x**2, axis=0) * w**2))


def over_all_masks(x: np.ndarray, y: np.ndarray, w: np.ndarray, keep: float) -> float:
    """The expected loss: each row of `x` under each of the `2^D` masks, by their probabilities."""
    total = 0.0
    for mask in itertools.product((0.0, 1.0), repeat=x.shape[1]):
        kept = int(sum(mask))
        share = keep**kept * (1 - keep) ** (x.shape[1] - kept)
        total += share * np.sum((y - (x * np.array(mask) / keep) @ w) ** 2)
    return total


def over_draws(x: np.ndarray, y: np.ndarray, w: np.ndarray, keep: float, draws: int = 4000) -> float:
    """The mean loss over draws of `rj.noise.dropout`."""

    def loss(key: Any) -> Any:
        return jnp.sum((y - rj.noise.dropout(key, jnp.asarray(x), 1 - keep) @ w) ** 2)

    return float(jnp.mean(jax.lax.map(loss, jax.random.split(jax.random.key(0), draws))))


def trained_with_dropout(x: np.ndarray, y: np.ndarray, keep: float, steps: int = 20_000) -> list[float]:
    """Distances of trained linear models from ridge, as shares of that between least squares and ridge, by seed."""
    scale = np.sqrt(np.mean(x**2, axis=0))
    ridge = fitted(x / scale, y, rj.l2((1 - keep) / keep)).coefficients / scale
    least_squares = fitted(x, y).coefficients
    model = make_model("linear", num_outputs=1, task="regression")
    with jax.enable_x64(False):
        inputs, targets = jnp.asarray(x, jnp.float32), jnp.asarray(y, jnp.float32)
        data = rj.TrainData(inputs, targets, jnp.arange(N), inputs, targets)
        spec = rj.Spec(
            model, task="regression", batch_size=N, steps_per_epoch=steps, optimizer="sgd", schedule="linear"
        )
        hparams = rj.make_hparams(learning_rate=0.3, n_train=N, rates={"input_dropout": 1 - keep})
        run = rj.make_run(spec)
        results = rj.run_lanes([rj.Lane(run, hparams, run_key(seed)) for seed in range(SEEDS)], data)
        kernels = [leaf for r in results for leaf in jax.tree.leaves(r.weights.params) if leaf.ndim == 2]
    distances = [np.linalg.norm(np.asarray(kernel)[:, 0] - ridge) for kernel in kernels]
    return [float(distance / np.linalg.norm(least_squares - ridge)) for distance in distances]


def shrinkage(basis: np.ndarray, fit: np.ndarray, y: np.ndarray) -> np.ndarray:
    """What is left of least squares in each direction: `u' fit / u' y`."""
    return (basis.T @ fit) / (basis.T @ y)


def descent(x: np.ndarray, y: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Fits `[T, N]` of gradient descent on `||y - X w||^2 / 2` from zero, at these times (steps times their size)."""
    size = STEP / D2.max()
    tx = rj.make_optimizer("sgd", size)
    gram, cross = jnp.asarray(x.T @ x), jnp.asarray(x.T @ y)

    def step(carry: Any, _: None) -> Any:
        w, state = carry
        updates, state = tx.update(gram @ w - cross, state, w)
        w = optax.apply_updates(w, updates)
        return (w, state), w

    w = jnp.zeros(x.shape[1])
    path = jax.lax.scan(step, (w, tx.init(w)), length=int(np.ceil(times.max() / size)) + 1)[1]
    return np.asarray(path[np.round(times / size).astype(int) - 1] @ x.T)


def risks(left: np.ndarray, signal: np.ndarray, noise: float) -> np.ndarray:
    """Estimation risk of an estimator that leaves `left` `[..., D]` of least squares: bias and variance."""
    return np.sum((1 - left) ** 2 * signal**2 + left**2 * noise**2 / D2, axis=-1)


def early_stopping(measured: dict[str, Any]) -> dict[str, Any]:
    """Add the rows of gradient flow; return the curve of the ratio."""
    x, basis, y = design()
    middle = D2[D // 2]
    for t, fit in zip(TIMES, descent(x, y, np.array(TIMES) / middle), strict=True):
        measured[f"gradient flow, t d^2 = {t:g}, shrinkage"] = float(shrinkage(basis, fit, y)[D // 2])
    size = STEP / D2.max()
    times = np.unique(np.round(np.geomspace(1e-3, 20.0, 60) / size)) * size  # whole steps, and no rounded times
    flow = np.array([shrinkage(basis, fit, y) for fit in descent(x, y, times)])
    ridge = np.array(
        [shrinkage(basis, x @ fitted(x, y, rj.l2(1 / (t * N))).coefficients, y) for t in times]  # the loss is a mean
    )
    ratios = flow / ridge
    measured["gradient flow over ridge, largest shrinkage ratio"] = float(ratios.max())
    measured["gradient flow over ridge, smallest shrinkage ratio"] = float(ratios.min())
    rng = np.random.default_rng(1)
    worst = 0.0
    for _ in range(1000):
        signal, noise = rng.normal(size=D) * np.geomspace(1, 100, D)[rng.permutation(D)], rng.exponential()
        worst = max(worst, float((risks(flow, signal, noise) / risks(ridge, signal, noise)).max()))
    measured["gradient flow over ridge, largest risk ratio"] = worst
    curve = [[rounded(float(t * D2[D // 2])), rounded(float(r))] for t, r in zip(times, ratios[:, D // 2], strict=True)]
    return {"ratio_by_t_d2": curve}


def trajectory(optimizer: str, mode: Any, strength: Any, rate: float = 0.01, steps: int = 300) -> Any:
    """Weights `[steps, D]` of training with `l2(strength)` in a mode of `rj.make_optimizer`; it may be traced."""
    x, _, y = design()
    tx = rj.make_optimizer(optimizer, rate, penalty=rj.l2(strength), mode=mode)

    def step(carry: Any, _: None) -> Any:
        params, state = carry
        updates, state = tx.update({"w": x.T @ (x @ params["w"] - y[:, None])}, state, params)
        params = optax.apply_updates(params, updates)
        return (params, state), params["w"][:, 0]

    params = {"w": jnp.zeros((D, 1))}
    return jax.lax.scan(step, (params, tx.init(params)), length=steps)[1]


def decay(measured: dict[str, Any], count: int = 200) -> dict[str, Any]:
    """Add the rows of weight decay; return how near the nearest decoupled strength comes to L2 under Adam."""
    strength, rate = 1.0, 0.01
    l2 = trajectory("sgd", "coupled", strength, rate)
    decoupled, independent = trajectory("sgd", "decoupled", strength, rate), trajectory("sgd", "independent", rate)
    measured["SGD: decoupled decay, distance from L2"] = float(np.abs(decoupled - l2).max())
    measured["SGD: decay that the rate does not scale, distance from L2"] = float(np.abs(independent - l2).max())
    l2 = trajectory("adam", "coupled", strength, rate)
    strengths = np.geomspace(1e-4, 40.0, count)  # at 50, a decay of 2 s rate would erase the weights in one update
    paths = jax.lax.map(lambda s: trajectory("adam", "decoupled", s, rate), jnp.asarray(strengths))
    distances = np.abs(np.asarray(paths) - l2).max(axis=(1, 2)) / np.abs(l2).max()
    measured["Adam: decoupled strengths that are equivalent to L2, of 200"] = float(np.sum(distances < 0.01))
    best = int(np.argmin(distances))
    return {"adam_nearest": {"strength": rounded(float(strengths[best])), "distance": rounded(float(distances[best]))}}


def soft(z: np.ndarray, threshold: float) -> np.ndarray:
    """Soft thresholding."""
    return np.sign(z) * np.maximum(np.abs(z) - threshold, 0)


def orthonormal(measured: dict[str, Any]) -> None:
    """Add the rows of the lasso with an orthonormal design."""
    _, basis, y = design()
    expected = soft(basis.T @ y, LASSO)
    fit = lasso_fits(basis, y, [LASSO / N])[0].coefficients
    measured["lasso, orthonormal: distance from soft thresholding"] = float(np.abs(fit - expected).max())
    tx = rj.make_optimizer("sgd", 0.5, penalty=rj.l1(LASSO), mode="proximal")

    def step(carry: Any, _: None) -> Any:
        params, state = carry
        gradient = {"w": basis.T @ (basis @ params["w"] - y[:, None])}
        updates, state = tx.update(gradient, state, params)
        return (optax.apply_updates(params, updates), state), None

    params = {"w": jnp.zeros((D, 1))}
    trained = np.asarray(jax.lax.scan(step, (params, tx.init(params)), length=200)[0][0]["w"])[:, 0]
    measured["lasso, orthonormal, trained by proximal SGD: the same"] = float(np.abs(trained - expected).max())


@double_precision
def run() -> dict[str, Any]:
    """The record."""
    started = time.time()
    x, basis, y = design()
    w = np.random.default_rng(2).normal(size=D)
    measured: dict[str, Any] = {}
    for p in KEEP:
        formula = dropout_formula(x, y, w, p)
        measured[f"dropout, keep {p}, all masks: expected loss over formula"] = over_all_masks(x, y, w, p) / formula
        measured[f"dropout, keep {p}, drawn masks: mean loss over formula"] = over_draws(x, y, w, p) / formula
        measured[f"dropout, keep {p}, trained: distance from ridge"] = trained_with_dropout(x, y, p)
    ridge = x @ fitted(x, y, rj.l2(RIDGE / N)).coefficients
    for d, left in zip(singular_values(), shrinkage(basis, ridge, y), strict=True):
        measured[f"ridge, shrinkage at d = {d:.3g}"] = float(left)
    more = early_stopping(measured) | decay(measured)
    orthonormal(measured)
    return record("identities", PUBLICATION, measured, started, **more)


if __name__ == "__main__":
    sys.exit(command(run, __doc__))
