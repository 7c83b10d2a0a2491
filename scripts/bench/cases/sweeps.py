"""Many small runs: digits, 64-128-128-10, batches of 64, Adam, dropout, 50 epochs, evaluated after each.

Half a grid of dropout rates, half seeds. Every contender has both cores.
"""

from __future__ import annotations

from typing import Any

from cases import sweep_peers
from cases.base import Case, Context, Measured, Program, Round, seconds

SIZES, BATCH, LEARNING_RATE = (64, 128, 128, 10), 64, 1e-3


def prepare(context: Context) -> dict[str, Any]:
    """Standardized digits."""
    import numpy as np
    from sklearn.datasets import load_digits

    digits = load_digits()
    order = np.random.default_rng(0).permutation(len(digits.target))
    x = ((digits.data - digits.data.mean()) / digits.data.std()).astype(np.float32)[order]
    y = digits.target.astype(np.int64)[order]
    return {"x": x[:1024], "y": y[:1024], "x_val": x[1024:], "y_val": y[1024:]}


def problem(context: Context) -> dict[str, Any]:
    """All that a peer has to know, picklable."""
    import numpy as np

    lanes = context.size(512 if context.case == "sweep_512" else 64, 4)
    return dict(context.shared) | {
        "sizes": SIZES,
        "batch": BATCH,
        "learning_rate": LEARNING_RATE,
        "epochs": context.size(50, 2),
        "evaluated": len(context.shared["x"]),
        "lanes": lanes,
        "rates": np.tile(np.linspace(0.05, 0.4, 8, dtype=np.float32), lanes)[:lanes],
    }


def run_and_data(given: dict[str, Any]) -> tuple[Any, Any]:
    """The run of a lane, and the data of all."""
    import jax.numpy as jnp

    import regjax as rj

    arrays = [jnp.asarray(given[name]) for name in ("x", "y", "x_val", "y_val")]
    order = jnp.arange(len(arrays[0]), dtype=jnp.int32)
    data = rj.TrainData(arrays[0], arrays[1].astype(jnp.int32), order, arrays[2], arrays[3].astype(jnp.int32))
    spec = rj.Spec(
        rj.models.make_model("mlp", num_outputs=10, widths=SIZES[1:-1]),
        num_classes=10,
        batch_size=BATCH,
        steps_per_epoch=len(order) // BATCH,
        epochs=given["epochs"],
    )
    return rj.make_run(spec), data


def lane_program(context: Context) -> Program:
    """The program of one lane on one device, for five epochs."""
    import jax

    import regjax as rj

    run, data = run_and_data(problem(context) | {"epochs": 5})
    hparams = rj.make_hparams(n_train=len(data.x), rates={"dropout": 0.2})
    device = jax.devices()[0]
    arguments = jax.device_put((hparams, jax.random.key(0), data), device)
    what = f"one lane of {context.case} alone on one device, five epochs with an evaluation each"
    return Program(jax.jit(run), arguments, 5 * run.spec.steps_per_epoch, what)


def ours(context: Context) -> Round:
    """`regjax.run_lanes`: one compiled program for all lanes, on both cores."""
    import jax
    import numpy as np

    import regjax as rj

    given = problem(context)
    run, data = run_and_data(given)
    lanes = [
        rj.Lane(run, rj.make_hparams(n_train=len(data.x), rates={"dropout": rate}), jax.random.key(i))
        for i, rate in enumerate(given["rates"])
    ]
    results: list[Any] = []

    def train() -> None:
        results[:] = rj.run_lanes(lanes, data)

    def one_round() -> Measured:
        taken = seconds(train)
        return Measured({"run_lanes": taken}, float(np.mean([r.history.values["val/accuracy"][-1] for r in results])))

    return one_round


def _case(name: str, lanes: int, rounds: int) -> Case:
    return Case(
        name=name,
        summary=f"{lanes} runs on digits, 64-128-128-10 with dropout, batch 64, 50 epochs, both cores",
        unit="s",
        quality="validation accuracy",
        prepare=prepare,
        program=lane_program,
        rounds=rounds,
        contenders=sweep_peers.contenders(ours, problem),
        only_on_request=lanes > 64,
        compilation_counts=True,
    )


CASES = {"sweep_64": _case("sweep_64", 64, rounds=5), "sweep_512": _case("sweep_512", 512, rounds=2)}
