"""Many small runs: digits, 64-128-128-10, batches of 64, Adam, dropout, 50 epochs, evaluated after each.

Half a grid of dropout rates, half seeds. Peers that run in two processes have one thread in each, so that every
contender has both cores.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from cases import torch_sweep
from cases.base import Case, Contender, Context, Measured, Program, Round, fastest, seconds

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


def in_two_processes(
    function: Callable[..., float], given: dict[str, Any], lanes: int | None = None
) -> Callable[[], float]:
    """A function that trains the first `lanes` lanes in two processes that stay alive; returns the mean accuracy."""
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor

    pool = ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn"))
    count = lanes or given["lanes"]
    parts = [list(range(i, count, 2)) for i in range(2)]

    def train(problem: dict[str, Any] = given) -> float:
        return sum(pool.map(functools.partial(function, problem), parts)) / count

    if "epochs" in given:
        train(given | {"epochs": 1})  # imports, and whatever else only the first call has to do
    return train


def scaled(train: Callable[[], float], name: str, factor: float = 1.0) -> Round:
    """A round whose time is multiplied because a part of the lanes was trained."""

    def one_round() -> Measured:
        accuracies: list[float] = []
        taken = seconds(lambda: accuracies.append(train()))
        return Measured({name: taken * factor}, accuracies[0])

    return one_round


def torch_loop(context: Context) -> Round:
    """A Python loop over runs in each of two processes."""
    given = problem(context)
    short = given | {"epochs": 2}
    kinds: dict[str, dict[str, Any]] = {
        "loop": {"foreach": False},
        "foreach": {"foreach": True},
        "fused": {"fused": True},
    }
    chosen = fastest({kind: functools.partial(torch_sweep.loop, short | {"adam": kinds[kind]}, [0]) for kind in kinds})
    train = in_two_processes(torch_sweep.loop, given | {"adam": kinds[chosen]})
    return scaled(train, f"two processes, {chosen} Adam")


def torch_vmap(context: Context) -> Round:
    """All lanes as one ensemble: half of them in each of two processes, or all in one with two threads."""
    given = problem(context)
    short = given | {"epochs": 2, "adam": {"fused": True}}
    everything = list(range(given["lanes"]))
    chosen = fastest(
        {
            "one process": lambda: torch_sweep.ensemble(short, everything, threads=2),
            "two processes": in_two_processes(torch_sweep.ensemble, short),
        },
        repeats=2,
    )
    given = given | {"adam": {"fused": True}}
    if chosen == "two processes":
        return scaled(in_two_processes(torch_sweep.ensemble, given), "two processes, fused Adam")
    return scaled(
        lambda: torch_sweep.ensemble(given, everything, threads=2) / len(everything), "one process, fused Adam"
    )


def keras_runs(given: dict[str, Any], lanes: list[int]) -> float:
    """Train lanes one after the other with one compiled model whose weights are drawn again for each."""
    import keras

    global _KERAS
    rate = float(given["rates"][0])
    if _KERAS is None:
        hidden = [[keras.layers.Dense(n, "relu"), keras.layers.Dropout(rate)] for n in SIZES[1:-1]]
        layers = [layer for pair in hidden for layer in pair]
        model = keras.Sequential([keras.Input(SIZES[:1]), *layers, keras.layers.Dense(SIZES[-1])])
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(
            keras.optimizers.Adam(LEARNING_RATE),
            loss,
            metrics=["accuracy"],
            steps_per_execution=given["steps_per_execution"],
        )
        model.optimizer.build(model.trainable_variables)
        _KERAS = model, [keras.ops.convert_to_numpy(v) for v in model.optimizer.variables]
    model, fresh = _KERAS
    total = 0.0
    for lane in lanes:
        keras.utils.set_random_seed(lane)
        model.set_weights(
            [
                keras.initializers.GlorotUniform(seed=lane)(w.shape) if w.ndim == 2 else 0 * w
                for w in model.get_weights()
            ]
        )
        for variable, value in zip(model.optimizer.variables, fresh, strict=True):
            variable.assign(value)
        held_out = (given["x_val"], given["y_val"])
        history = model.fit(
            given["x"],
            given["y"],
            batch_size=BATCH,
            epochs=given["epochs"],
            validation_data=held_out,
            validation_batch_size=len(given["y_val"]),
            verbose=0,
        )
        total += history.history["val_accuracy"][-1]
    return total


_KERAS: Any = None


def keras(context: Context) -> Round:
    """Keras on JAX: two runs are measured, one in each of two processes, and scaled to all."""
    given = problem(context)
    short = given | {"epochs": 2}
    trials = {n: in_two_processes(keras_runs, short | {"steps_per_execution": n}, lanes=2) for n in (1, 4)}
    chosen = int(fastest({str(n): train for n, train in trials.items()}))
    train = in_two_processes(keras_runs, given | {"steps_per_execution": chosen}, lanes=2)
    return scaled(train, f"2 runs, scaled; {chosen} steps an execution", given["lanes"] / 2)


def sklearn_runs(given: dict[str, Any], lanes: list[int]) -> float:
    """`MLPClassifier`, which has no dropout and evaluates nothing between epochs."""
    import warnings

    import threadpoolctl
    from sklearn.neural_network import MLPClassifier

    warnings.simplefilter("ignore")
    total = 0.0
    with threadpoolctl.threadpool_limits(1):
        for lane in lanes:
            model = MLPClassifier(
                SIZES[1:-1],
                batch_size=BATCH,
                learning_rate_init=LEARNING_RATE,
                alpha=0.0,
                max_iter=given["epochs"],
                tol=0.0,
                n_iter_no_change=10**6,
                random_state=lane,
            )
            total += model.fit(given["x"], given["y"]).score(given["x_val"], given["y_val"])
    return total


def sklearn(context: Context) -> Round:
    """scikit-learn in two processes: less work, shown beside the others."""
    return scaled(in_two_processes(sklearn_runs, problem(context)), "two processes")


def products(given: dict[str, Any], lanes: list[int]) -> float:
    """The matrix products of some lanes, updates and evaluations, in one thread."""
    import itertools

    import numpy as np
    import threadpoolctl

    rng = np.random.default_rng(0)
    pairs = list(itertools.pairwise(SIZES))
    h = [rng.standard_normal((BATCH, n), np.float32) for n in SIZES]
    w = [rng.standard_normal(pair, np.float32) for pair in pairs]
    forward = [np.empty((BATCH, n), np.float32) for n in SIZES[1:]]
    dw = [np.empty(pair, np.float32) for pair in pairs]
    dh = [np.empty((BATCH, n), np.float32) for n in SIZES]
    steps = len(given["x"]) // BATCH
    seen = [rng.standard_normal((len(given["x"]) + len(given["x_val"]), n), np.float32) for n in SIZES]
    with threadpoolctl.threadpool_limits(1):
        for _ in range(given["epochs"] * len(lanes)):
            for _ in range(steps):
                for i in range(len(pairs)):
                    np.matmul(h[i], w[i], out=forward[i])
                    np.matmul(h[i].T, h[i + 1], out=dw[i])
                    if i:
                        np.matmul(h[i + 1], w[i].T, out=dh[i])
            for i in range(len(pairs)):
                np.matmul(seen[i], w[i], out=seen[i + 1])
    return 0.0


def floor(context: Context) -> Round:
    """The matrix products of all updates and evaluations alone, by NumPy in two processes with one thread each."""
    given = problem(context)
    train = in_two_processes(products, given)
    return lambda: Measured({"numpy": seconds(train)})


def _case(name: str, lanes: int, rounds: int) -> Case:
    return Case(
        name=name,
        summary=f"{lanes} runs on digits, 64-128-128-10 with dropout, batch 64, 50 epochs, both cores",
        unit="s",
        quality="validation accuracy",
        prepare=prepare,
        program=lane_program,
        rounds=rounds,
        contenders={
            "ours": Contender(ours),
            "torch_loop": Contender(torch_loop, ("torch",), warmups=0, rounds=2),
            "torch_vmap": Contender(torch_vmap, ("torch",), warmups=0, rounds=2),
            "keras_jax (2 runs, scaled)": Contender(keras, ("keras",)),
            "sklearn (no dropout)": Contender(sklearn, warmups=0, rounds=2),
            "floor": Contender(floor, warmups=0),
        },
        only_on_request=lanes > 64,
        compilation_counts=True,
    )


CASES = {"sweep_64": _case("sweep_64", 64, rounds=5), "sweep_512": _case("sweep_512", 512, rounds=2)}
