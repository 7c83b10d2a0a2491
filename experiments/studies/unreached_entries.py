"""Which proximal step has an entry that no gradient has reached, under Adam? The study behind `rj.stepsizes.adam`.

Command: `python -m experiments.studies.unreached_entries` (about a minute on two cores); it prints one JSON object, the
record `experiments/records/unreached_entries.json`.

Adam divides by the root of its second moment `v`. Where `v = 0` the formula gives `lr / eps`, and a strength of any
size erases the entry. Three answers are compared: the formula, waiting (step 0), and the step of the leaf (`lr` over
the root mean square of the entries that were reached), on

- an embedding of 2,000 tokens that occur after Zipf's law, of which 200 informative ones decide the label;
- a lasso with two columns of zeros, whose solution is 0 there.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from absl import app

import regjax as rj
from regjax.core.typing import Array
from regjax.optim.stepsizes import StepSize

VOCABULARY, WIDTH, LENGTH, BATCH, STEPS = 2_000, 16, 20, 64, 3_000
RATE, STRENGTH = 1e-3, 1e-5


def _adam(of_unreached: Callable[[Array, Array], Any]) -> Callable[[Any], StepSize]:
    """Adam's step, with an own answer `(v, root) -> step over lr` where `v` is 0."""

    def make(rate: Any) -> StepSize:
        def compute(state: Any, count: Array, params: Any) -> Any:
            del params
            moments = state[0]
            now = rate(count) if callable(rate) else rate

            def step(v: Array) -> Array:
                v = v / (1 - 0.999**moments.count)
                return now * jnp.where(v > 0, 1 / (jnp.sqrt(v) + 1e-8), of_unreached(v, jnp.sqrt(v) + 1e-8))

            return jax.tree.map(step, moments.nu)

        return StepSize(compute, elementwise=True)

    return make


ANSWERS = {
    "formula": _adam(lambda v, root: 1 / root),
    "wait": _adam(lambda v, root: 0.0),
    "leaf": rj.stepsizes.adam,
}


def tokens(make: Callable[[Any], StepSize], seed: int) -> dict[str, float]:
    """Training on tokens after Zipf's law."""
    rng = np.random.default_rng(seed)
    frequency = 1 / np.arange(1, VOCABULARY + 1)
    frequency /= frequency.sum()
    meaning = np.zeros(VOCABULARY)
    meaning[rng.permutation(VOCABULARY)[:200]] = rng.normal(size=200) * 3

    def draw(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
        ids = rng.choice(VOCABULARY, size=(count, LENGTH), p=frequency)
        return ids, (rng.random(count) < 1 / (1 + np.exp(-meaning[ids].sum(1)))).astype(np.float32)

    ids, labels = draw(rng, 1_000)
    test_ids, test_labels = draw(rng, 8_000)
    seen = np.isin(np.arange(VOCABULARY), ids)
    params = {
        "embedding": jax.random.normal(jax.random.key(seed), (VOCABULARY, WIDTH)) / 4,
        "head": jax.random.normal(jax.random.key(seed + 1), (WIDTH,)) / 4,
    }
    penalty = rj.l1(STRENGTH, where="embedding")
    tx = rj.regularize(optax.adam(RATE), penalty, mode="proximal", stepsize=make(RATE), check_step=False)

    def loss(params: Any, ids: Array, labels: Array) -> Array:
        logits = params["embedding"][ids].sum(1) @ params["head"]
        return jnp.mean(optax.sigmoid_binary_cross_entropy(logits, labels))

    def body(carry: Any, key: Array) -> tuple[Any, Array]:
        params, state = carry
        rows = jax.random.randint(key, (BATCH,), 0, len(ids))
        grads = jax.grad(loss)(params, jnp.asarray(ids)[rows], jnp.asarray(labels)[rows])
        updates, state = tx.update(grads, state, params)
        params = optax.apply_updates(params, updates)
        return (params, state), jnp.mean(jnp.all(params["embedding"] == 0, axis=1))

    keys = jax.random.split(jax.random.key(seed + 2), STEPS)
    (params, _), zero_rows = jax.jit(lambda p: jax.lax.scan(body, (p, tx.init(p)), keys))(params)
    zero = np.asarray(params["embedding"]) == 0
    return {
        "zero_rows_after_1": float(zero_rows[0]),
        "zero_rows_after_100": float(zero_rows[99]),
        "zero_rows_at_the_end": float(zero_rows[-1]),
        "zero_entries_of_seen_tokens": float(zero[seen].mean()),
        "zero_entries_of_unseen_tokens": float(zero[~seen].mean()),
        "test_loss": float(loss(params, jnp.asarray(test_ids), jnp.asarray(test_labels))),
    }


def lasso(make: Callable[[Any], StepSize]) -> dict[str, float]:
    """The distance from the solution of a lasso with two columns of zeros."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 8)).astype(np.float32)
    x[:, 6:] = 0
    y = (x @ np.array([2, -1.5, 1, 0, 0, 0, 0, 0], np.float32) + 0.3 * rng.normal(size=60)).astype(np.float32)
    strength, rate = 0.8, optax.cosine_decay_schedule(0.05, STEPS)
    solution = rj.lasso_path(jnp.asarray(x[:, :6]), jnp.asarray(y), np.array([strength])).coefficients[0]
    expected = np.concatenate([np.asarray(solution).reshape(-1), np.zeros(2)])
    tx = rj.regularize(optax.adam(rate), rj.l1(strength), mode="proximal", stepsize=make(rate), check_step=False)

    def body(carry: Any, _: None) -> tuple[Any, None]:
        params, state = carry
        grads = jax.grad(lambda p: jnp.mean(jnp.square(y - x @ p["w"][:, 0])))(params)
        updates, state = tx.update(grads, state, params)
        return (optax.apply_updates(params, updates), state), None

    start = {"w": jnp.ones((8, 1))}
    (params, _), _ = jax.jit(lambda p: jax.lax.scan(body, (p, tx.init(p)), None, length=STEPS))(start)
    w = np.asarray(params["w"])[:, 0]
    return {"largest_error": float(np.abs(w - expected).max()), "zeros": int((w == 0).sum())}


def run(seeds: int = 5) -> dict[str, Any]:
    """Everything, with means over seeds."""
    found: dict[str, Any] = {}
    for name, make in ANSWERS.items():
        runs = [tokens(make, 10 * seed) for seed in range(seeds)]
        means = {key: float(np.mean([one[key] for one in runs])) for key in runs[0]}
        means["test_loss_sd"] = float(np.std([one["test_loss"] for one in runs], ddof=1))
        found[name] = {"tokens": means, "lasso": lasso(make)}
    return {"seeds": seeds, "rate": RATE, "strength": STRENGTH, "steps": STEPS, "answers": found}


def main(argv: list[str]) -> None:
    """Print the record."""
    del argv
    print(json.dumps(run(), indent=2))


if __name__ == "__main__":
    app.run(main)
