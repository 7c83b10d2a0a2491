"""Other libraries on many runs of a small net, and the matrix products of these runs: functions of a `problem`.

A problem is a picklable dictionary: `x`, `y`, `x_val`, `y_val`; the units `sizes` of all layers; `batch`,
`learning_rate`, `epochs`, `lanes`, the dropout `rates` of the lanes; and `evaluated`, the number of training examples
that are evaluated after each epoch. Peers that run in two processes have one thread in each.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from cases import torch_sweep
from cases.base import Contender, Context, Measured, Round, fastest, seconds


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


def torch_loop(given: dict[str, Any]) -> Round:
    """A Python loop over runs in each of two processes."""
    short = given | {"epochs": 2}
    kinds: dict[str, dict[str, Any]] = {
        "loop": {"foreach": False},
        "foreach": {"foreach": True},
        "fused": {"fused": True},
    }
    chosen = fastest({kind: functools.partial(torch_sweep.loop, short | {"adam": kinds[kind]}, [0]) for kind in kinds})
    train = in_two_processes(torch_sweep.loop, given | {"adam": kinds[chosen]})
    return scaled(train, f"two processes, {chosen} Adam")


def torch_vmap(given: dict[str, Any]) -> Round:
    """All lanes as one ensemble: half of them in each of two processes, or all in one with two threads."""
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
    sizes, rate = given["sizes"], float(given["rates"][-1])
    if _KERAS is None:
        hidden = [[keras.layers.Dense(n, "relu"), keras.layers.Dropout(rate)] for n in sizes[1:-1]]
        layers = [layer for pair in hidden for layer in pair]
        model = keras.Sequential([keras.Input(sizes[:1]), *layers, keras.layers.Dense(sizes[-1])])
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(
            keras.optimizers.Adam(given["learning_rate"]),
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
            batch_size=given["batch"],
            epochs=given["epochs"],
            validation_data=held_out,
            validation_batch_size=len(given["y_val"]),
            verbose=0,
        )
        total += history.history["val_accuracy"][-1]
    return total


_KERAS: Any = None


def keras(given: dict[str, Any]) -> Round:
    """Keras on JAX: two runs are measured, one in each of two processes, and scaled to all."""
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
                given["sizes"][1:-1],
                batch_size=given["batch"],
                learning_rate_init=given["learning_rate"],
                alpha=0.0,
                max_iter=given["epochs"],
                tol=0.0,
                n_iter_no_change=10**6,
                random_state=lane,
            )
            total += model.fit(given["x"], given["y"]).score(given["x_val"], given["y_val"])
    return total


def sklearn(given: dict[str, Any]) -> Round:
    """scikit-learn in two processes: less work, shown beside the others."""
    return scaled(in_two_processes(sklearn_runs, given), "two processes")


def products(given: dict[str, Any], lanes: list[int]) -> float:
    """The matrix products of some lanes, updates and evaluations, in one thread."""
    import itertools

    import numpy as np
    import threadpoolctl

    rng = np.random.default_rng(0)
    sizes, batch = given["sizes"], given["batch"]
    pairs = list(itertools.pairwise(sizes))
    h = [rng.standard_normal((batch, n), np.float32) for n in sizes]
    w = [rng.standard_normal(pair, np.float32) for pair in pairs]
    forward = [np.empty((batch, n), np.float32) for n in sizes[1:]]
    dw = [np.empty(pair, np.float32) for pair in pairs]
    dh = [np.empty((batch, n), np.float32) for n in sizes]
    steps = len(given["x"]) // batch
    evaluated = given["evaluated"] + len(given["x_val"])
    seen = [rng.standard_normal((evaluated, n), np.float32) for n in sizes]
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


def floor(given: dict[str, Any]) -> Round:
    """The matrix products of all updates and evaluations alone, by NumPy in two processes with one thread each."""
    train = in_two_processes(products, given)
    return lambda: Measured({"numpy": seconds(train)})


def contenders(ours: Callable[[Context], Round], problem: Callable[[Context], dict[str, Any]]) -> dict[str, Contender]:
    """Ours, the peers and the floor of a case whose problem is `problem(context)`."""

    def peer(setup: Callable[[dict[str, Any]], Round]) -> Callable[[Context], Round]:
        return lambda context: setup(problem(context))

    return {
        "ours": Contender(ours),
        "torch_loop": Contender(peer(torch_loop), ("torch",), warmups=0, rounds=2),
        "torch_vmap": Contender(peer(torch_vmap), ("torch",), warmups=0, rounds=2),
        "keras_jax (2 runs, scaled)": Contender(peer(keras), ("keras",)),
        "sklearn (no dropout)": Contender(peer(sklearn), warmups=0, rounds=2),
        "floor": Contender(peer(floor), warmups=0),
    }
