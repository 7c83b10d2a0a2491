"""Many runs: lanes of hyperparameters and seeds, laid out over cores and devices.

On CPU every lane is one call of the compiled run, dispatched from one host thread per core: XLA executes calls from
different threads side by side on one CPU device, so there is one compilation for all cores, lanes that stop early
free their core at once, and each lane is bitwise the run alone. On accelerators lanes are vmapped in chunks.
"""

from __future__ import annotations

import collections
import functools
import os
import threading
import time
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from regjax.checks import check_choice, check_range
from regjax.epoch import TrainData, Weights, init_weights
from regjax.run import Run, RunResult
from regjax.spec import Hparams, Spec, stack_hparams
from regjax.typing import Array, PRNGKey, PyTree

LAYOUTS = ("auto", "map", "vmap")


class Lane(NamedTuple):
    """One run of a sweep.

    Attributes:
      run: the program, from `make_run`.
      hparams: its numbers, not stacked.
      key: root key of the run.
      seed: row of the arrays in `data` that differ between seeds.
      weights: to start from, instead of a random initialization.
    """

    run: Run
    hparams: Hparams
    key: PRNGKey
    seed: int = 0
    weights: Weights | None = None


def sweep(
    run: Run,
    hparams: Hparams,
    keys: PRNGKey,
    data: TrainData,
    *,
    seeds: Sequence[int] | None = None,
    layout: str = "auto",
    chunk: int = 64,
    workers: int | None = None,
    on_done: Callable[[int, RunResult, float], None] | None = None,
) -> RunResult:
    """Train `L` lanes of one program.

    Args:
      run: from `make_run`.
      hparams: stacked, each leaf `[L, ...]`; see `stack_hparams`.
      keys: `L` keys.
      data: shared by all lanes; `y` and `order` may differ between seeds.
      seeds: row of `data` for each lane; None means 0 for all.
      layout: `"map"` runs lanes one by one on each worker, `"vmap"` in chunks; `"auto"` maps on CPU.
      chunk: lanes at a time with `"vmap"`; bounds the memory.
      workers: host threads; None is one per core on CPU, one per device elsewhere.
      on_done: called as `(lane index, result, seconds)` when a lane is done, from one thread at a time.

    Returns:
      A `RunResult` of NumPy arrays with a leading axis of lanes, in order.

    Raises:
      InputError: an unknown layout.
      ValueError: leaves, keys and seeds of different lengths.

    Example:
      >>> import flax.linen as nn
      >>> from regjax.run import make_run
      >>> from regjax.spec import make_hparams
      >>> x = jnp.linspace(-1, 1, 32)[:, None]
      >>> data = TrainData(x, (x[:, 0] > 0).astype(jnp.int32), jnp.arange(32), x, (x[:, 0] > 0).astype(jnp.int32))
      >>> run = make_run(Spec(nn.Dense(2), num_classes=2, batch_size=8, steps_per_epoch=4, epochs=2))
      >>> rates = [make_hparams(learning_rate=r, n_train=32) for r in (0.01, 0.1)]
      >>> sweep(run, stack_hparams(rates), jax.random.split(jax.random.key(0), 2), data).epochs
      array([2, 2], dtype=int32)
    """
    count = len(keys)
    seeds = [0] * count if seeds is None else list(seeds)
    sizes = {len(seeds), *(np.shape(leaf)[0] if np.ndim(leaf) else 0 for leaf in jax.tree.leaves(hparams))}
    if sizes != {count}:
        raise ValueError(f"sweep: keys, seeds and every leaf of hparams need one length, got {sorted({count} | sizes)}")
    lanes = [Lane(run, _lane(hparams, i), keys[i], seeds[i]) for i in range(count)]
    results = run_lanes(lanes, data, layout=layout, chunk=chunk, workers=workers, on_done=on_done)
    return jax.tree.map(lambda *leaves: np.stack(leaves), *results)


def run_lanes(
    lanes: Sequence[Lane],
    data: TrainData,
    *,
    layout: str = "auto",
    chunk: int = 64,
    workers: int | None = None,
    on_done: Callable[[int, RunResult, float], None] | None = None,
) -> list[RunResult]:
    """Train lanes of any mixture of programs; like `sweep`, with results as a list in the order of `lanes`.

    Every program compiles once. While one worker compiles, the others go on with lanes of programs that are ready.

    Args:
      lanes: the runs; `data`, `layout`, `chunk`, `workers` and `on_done` are those of `sweep`.
      data: shared by all lanes.
      layout: `"auto"`, `"map"` or `"vmap"`.
      chunk: lanes at a time with `"vmap"`.
      workers: host threads.
      on_done: called as `(lane index, result, seconds)`.

    Raises:
      InputError: an unknown layout.

    Example:
      >>> import flax.linen as nn
      >>> from regjax.run import make_run
      >>> from regjax.spec import make_hparams
      >>> x = jnp.linspace(-1, 1, 32)[:, None]
      >>> data = TrainData(x, x[:, 0], jnp.arange(32), x, x[:, 0])
      >>> linear = (lambda key, x: {"w": x[0]}, lambda params, x: x @ params["w"])
      >>> spec = Spec(linear, task="regression", batch_size=8, steps_per_epoch=4, epochs=2)
      >>> lane = Lane(make_run(spec), make_hparams(n_train=32), jax.random.key(0))
      >>> int(run_lanes([lane], data)[0].epochs)
      2
    """
    check_choice("layout", layout, LAYOUTS)
    check_range("chunk", chunk, 1)
    on_cpu = jax.default_backend() == "cpu"
    if layout == "auto":
        layout = "map" if on_cpu else "vmap"
    devices = jax.local_devices()
    workers = workers or (max(_cores(), len(devices)) if on_cpu else len(devices))
    replicas = _Replicas(data)
    done: list[RunResult | None] = [None] * len(lanes)
    reporting = threading.Lock()

    def finish(indices: Sequence[int], results: Sequence[RunResult], seconds: float) -> None:
        with reporting:
            for i, result in zip(indices, results, strict=True):
                done[i] = result
                if on_done is not None:
                    on_done(i, result, seconds / len(indices))

    def work(task: _Task, device: jax.Device) -> None:
        chosen = [lanes[i] for i in task.indices]
        started = time.perf_counter()
        if layout == "map":
            results = [_train_one(lane, replicas.on(device), device) for lane in chosen]
        else:
            results = _train_vmapped(chosen, replicas.on(device), device, task.size)
        finish(task.indices, results, time.perf_counter() - started)

    _Queue(_tasks(lanes, 1 if layout == "map" else chunk)).drain(
        work, [devices[i % len(devices)] for i in range(workers)]
    )
    return done  # type: ignore[return-value]


class _Task(NamedTuple):
    """Lanes that are trained by one call, and how many the compiled program takes."""

    indices: tuple[int, ...]
    size: int


def _tasks(lanes: Sequence[Lane], chunk: int) -> dict[Hashable, list[_Task]]:
    """The tasks of each program, of at most `chunk` lanes."""
    programs: dict[Hashable, list[int]] = {}
    for i, lane in enumerate(lanes):
        programs.setdefault((lane.run, jax.tree.structure(lane.hparams)), []).append(i)
    tasks: dict[Hashable, list[_Task]] = {}
    for program, members in programs.items():
        size = min(chunk, len(members))
        tasks[program] = [_Task(tuple(members[i : i + size]), size) for i in range(0, len(members), size)]
    return tasks


class _Queue:
    """Tasks by program: the first one of a program compiles it, so the others wait until that one is done."""

    def __init__(self, tasks: dict[Hashable, list[_Task]]):
        self._waiting = {program: collections.deque(items) for program, items in tasks.items()}
        self._warm: set[Hashable] = set()
        self._compiling: set[Hashable] = set()
        self._failed = False
        self._changed = threading.Condition()

    def drain(self, work: Callable[[_Task, Any], None], devices: Sequence[Any]) -> None:
        """Run every task; one thread for each entry of `devices`. The first error ends the queue and is raised."""
        with ThreadPoolExecutor(len(devices)) as pool:
            futures = [pool.submit(self._worker, work, device) for device in devices]
            try:
                for future in futures:
                    future.result()
            except BaseException:
                with self._changed:
                    self._failed = True
                    self._changed.notify_all()
                raise

    def _worker(self, work: Callable[[_Task, Any], None], device: Any) -> None:
        while (item := self._take(device)) is not None:
            program, task = item
            try:
                work(task, device)
            except BaseException:
                with self._changed:
                    self._failed = True
                    self._changed.notify_all()
                raise
            with self._changed:
                self._warm.add((program, device))
                self._compiling.discard((program, device))
                self._changed.notify_all()

    def _take(self, device: Any) -> tuple[Hashable, _Task] | None:
        with self._changed:
            while not self._failed:
                left = [program for program, items in self._waiting.items() if items]
                if not left:
                    return None
                cold = [p for p in left if (p, device) not in self._warm | self._compiling]
                ready = [p for p in left if (p, device) in self._warm]
                # Compile early: what is compiled last leaves the other workers without anything to do.
                if cold or ready:
                    program = (cold or ready)[0]
                    if program in cold:
                        self._compiling.add((program, device))
                    return program, self._waiting[program].popleft()
                self._changed.wait()
            return None


class _Replicas:
    """The data on each device, moved there once."""

    def __init__(self, data: TrainData):
        self._data = data
        self._on: dict[Any, TrainData] = {}
        self._lock = threading.Lock()

    def on(self, device: Any) -> TrainData:
        with self._lock:
            if device not in self._on:
                self._on[device] = jax.device_put(self._data, device)
            return self._on[device]


@functools.partial(jax.jit, static_argnums=0)
def _one(run: Run, hparams: Hparams, key: PRNGKey, data: TrainData, seed: Array, weights: Weights) -> RunResult:
    return run.result(hparams, key, data, seed, weights)


@functools.partial(jax.jit, static_argnums=0)
def _many(run: Run, hparams: Hparams, keys: PRNGKey, data: TrainData, seeds: Array, weights: Weights) -> RunResult:
    return jax.vmap(run.result, in_axes=(0, 0, None, 0, 0))(hparams, keys, data, seeds, weights)


@functools.partial(jax.jit, static_argnums=0)
def _initial(spec: Spec, key: PRNGKey, x: Array) -> Weights:
    # Apart from the run: compiled once for all programs of a model, which halves the time to compile each.
    return init_weights(spec, key, x)


def _train_one(lane: Lane, data: TrainData, device: Any) -> RunResult:
    hparams, key, seed = jax.device_put((lane.hparams, lane.key, np.int32(lane.seed)), device)
    return _fetch(_one(lane.run, hparams, key, data, seed, _start(lane, key, data)))


def _train_vmapped(lanes: Sequence[Lane], data: TrainData, device: Any, size: int) -> list[RunResult]:
    # The last chunk is filled up with its first lane, so that every chunk has one shape.
    filled = [*lanes, *[lanes[0]] * (size - len(lanes))]
    keys = jnp.stack([lane.key for lane in filled])
    seeds = np.asarray([lane.seed for lane in filled], np.int32)
    weights = jax.tree.map(lambda *leaves: jnp.stack(leaves), *[_start(lane, lane.key, data) for lane in filled])
    arguments = jax.device_put((stack_hparams([lane.hparams for lane in filled]), keys), device)
    results = _fetch(_many(filled[0].run, *arguments, data, *jax.device_put((seeds, weights), device)))
    return [_lane(results, i) for i in range(len(lanes))]


def _start(lane: Lane, key: PRNGKey, data: TrainData) -> Weights:
    if lane.weights is not None:
        return lane.weights
    spec = lane.run.spec
    # Only the model and the task decide about the initial weights; other fields would compile it again.
    return _initial(Spec(spec.model, task=spec.task), key, data.x[:1])


def _lane(tree: PyTree, index: int) -> PyTree:
    return jax.tree.map(lambda leaf: leaf[index], tree)


def _fetch(result: PyTree) -> PyTree:
    return jax.tree.map(np.asarray, result)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
