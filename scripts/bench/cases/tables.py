"""A comparison on a table, the case of most users: 10,000 rows of 30 numbers, two classes, the defaults of `compare`.

Ours is all of `regjax.compare`: on each of ten splits the plain net and three dropout rates, 40 runs, then the choice,
the test and the statistics. Peers train 40 nets of the same size on the first of these splits, ten at each rate, with
the same number of passes and an evaluation after each, and do nothing else.
"""

from __future__ import annotations

from typing import Any

from cases import sweep_peers
from cases.base import Case, Context, Measured, Program, Round, seconds

RATES, UNITS, INPUTS, LEARNING_RATE = (0.1, 0.2, 0.4), 256, 30, 1e-3


def prepare(context: Context) -> dict[str, Any]:
    """A table whose class depends on a sum and a product of columns, with a tenth wrong, and its first split."""
    import numpy as np

    rng = np.random.default_rng(0)
    x = rng.standard_normal((context.size(10_000, 600), INPUTS), np.float32)
    score = x[:, :10] @ rng.standard_normal(10) + 2.0 * x[:, 10] * x[:, 11]
    y = ((score > 0) ^ (rng.random(len(x)) < 0.1)).astype(np.int32)
    plan = _plan(context, x, y)
    splits, transform = plan.splits, plan.preprocessor.transform
    stop = slice(plan.stop_examples)
    return {
        "table": x,
        "classes": y,
        "x": np.asarray(transform(splits.x_train)),
        "y": np.asarray(splits.y_train, np.int64),
        "x_val": np.asarray(transform(splits.x_stop[stop])),
        "y_val": np.asarray(splits.y_stop[stop], np.int64),
        "batch": np.asarray(plan.spec.batch_size),
        "epochs": np.asarray(plan.spec.epochs),
        "evaluated": np.asarray(plan.spec.eval_train_examples),
    }


def _arguments(context: Context, x: Any, y: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    options: dict[str, Any] = {"seeds": context.size(10, 2), "learning_rate": LEARNING_RATE, "fresh_seeds": False}
    return ("mlp", (x, y), {"dropout": RATES}), options | ({"epochs": 2} if context.quick else {})


def _plan(context: Context, x: Any, y: Any) -> Any:
    from regjax.comparison.options import CompareOptions
    from regjax.comparison.plan import make_plan

    arguments, options = _arguments(context, x, y)
    return make_plan(*arguments, CompareOptions(**options))


def problem(context: Context) -> dict[str, Any]:
    """All that a peer has to know, picklable."""
    import numpy as np

    shared = context.shared
    arrays = {name: shared[name] for name in ("x", "y", "x_val", "y_val")}
    numbers = {name: int(shared[name]) for name in ("batch", "epochs", "evaluated")}
    rates = np.repeat(np.asarray((0.0, *RATES), np.float32), context.size(10, 2))
    sizes = (INPUTS, UNITS, 2)
    return arrays | numbers | {"sizes": sizes, "learning_rate": LEARNING_RATE, "lanes": len(rates), "rates": rates}


def program(context: Context) -> Program:
    """The program of one run alone, for five epochs."""
    import dataclasses

    import jax

    import regjax as rj
    from regjax.comparison.plan import training_arrays

    plan = _plan(context, context.shared["table"], context.shared["classes"])
    run = rj.make_run(dataclasses.replace(plan.spec, epochs=5))
    size, standardization = plan.options.train_examples, plan.preprocessor.standardization
    hparams = rj.make_hparams(n_train=size, rates={"dropout": RATES[1]}, standardization=standardization)
    arguments = (hparams, jax.random.key(0), training_arrays(plan), 0)
    return Program(jax.jit(run), arguments, run.spec.total_steps, "one run of tables alone, five epochs with dropout")


def ours(context: Context) -> Round:
    """`regjax.compare`, from the arrays to the table of results."""
    import regjax as rj

    arguments, options = _arguments(context, context.shared["table"], context.shared["classes"])
    results: list[Any] = []

    def one_round() -> Measured:
        taken = seconds(lambda: results.append(rj.compare(*arguments, **options)))
        rows = results.pop().rows()
        return Measured({"compare": taken}, sum(float(row.test.mean) for row in rows) / len(rows))

    return one_round


CASES = {
    "tables": Case(
        name="tables",
        summary="40 runs of `compare` on a table of 10,000 rows and 30 columns, both cores",
        unit="s",
        quality="accuracy on held-out examples",
        prepare=prepare,
        program=program,
        rounds=5,
        contenders=sweep_peers.contenders(ours, problem),
        compilation_counts=True,
    )
}
