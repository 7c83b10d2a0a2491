"""Train the lanes of a sweep.

On CPU each lane is one call of the compiled run, dispatched from one host thread per core: XLA executes calls from
different threads side by side on one CPU device, so one compilation serves all cores, a lane that stops early frees
its core at once, and each lane is bitwise equal to the run alone. On accelerators lanes are vmapped in chunks.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable, Sequence

import jax
import numpy as np
from jax.sharding import Mesh

from regjax.core.typing import PRNGKey
from regjax.sweeps import programs
from regjax.sweeps.lane import DeviceOrMesh, Lane, data_digest, fingerprint, program_of
from regjax.sweeps.memory import DEFAULT_LIMIT, MemoryBudgets, tree_bytes
from regjax.sweeps.plan import LanePlan, fit_chunk, plan_lanes
from regjax.sweeps.queue import LaneQueue
from regjax.sweeps.replicas import DataReplicas
from regjax.sweeps.share import gather_results
from regjax.sweeps.slots import train_in_slots
from regjax.sweeps.store import LaneStore
from regjax.training.preflight import check_run
from regjax.training.run import Run, RunResult
from regjax.training.spec import Hparams
from regjax.training.state import TrainData

OnDone = Callable[[int, RunResult, float], None]


def sweep(
    run: Run,
    hparams: Hparams,
    keys: PRNGKey,
    data: TrainData,
    *,
    seeds: Sequence[int] | None = None,
    **options: object,
) -> RunResult:
    """Train `L` lanes of one program, with different hyperparameters and seeds.

    Args:
      run: from `make_run`.
      hparams: stacked, each leaf `[L, ...]`; see `stack_hparams`.
      keys: `L` keys.
      data: shared by all lanes; `y` and `order` may differ between seeds.
      seeds: row of `data` for each lane; None is row 0 for all.
      options: options of `run_lanes`, as `layout`, `chunk`, `workers`, `memory_limit`, `mesh` or `on_done`.

    Returns:
      A `RunResult` of NumPy arrays with a leading axis of lanes, in order.

    Raises:
      InputError: as `run_lanes`.
      ValueError: leaves, keys and seeds of different lengths, or as `run_lanes`.

    Example:
      >>> import flax.linen as nn, jax.numpy as jnp
      >>> from regjax.training.run import make_run
      >>> from regjax.training.spec import Spec, make_hparams, stack_hparams
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
    lanes = [Lane(run, programs.row_of(hparams, i), keys[i], seeds[i]) for i in range(count)]
    results = run_lanes(lanes, data, **options)  # type: ignore[arg-type]
    return jax.tree.map(lambda *leaves: np.stack(leaves), *results)


def run_lanes(
    lanes: Sequence[Lane],
    data: TrainData,
    *,
    layout: str = "auto",
    chunk: int | None = None,
    workers: int | None = None,
    memory_limit: str = DEFAULT_LIMIT,
    compact: bool = True,
    mesh: Mesh | None = None,
    keep_weights: bool = True,
    store: LaneStore | None = None,
    on_done: OnDone | None = None,
) -> list[RunResult]:
    """Train lanes of any mixture of programs; like `sweep`, but with a list of results in the order of `lanes`.

    Each program is compiled once. While one worker compiles, the others train lanes of programs that are ready. Under
    `jax.distributed` each process trains its share of the lanes, and every process returns all results.

    Args:
      lanes: the runs.
      data: shared by all lanes.
      layout: `"map"` runs lanes one by one on each worker, `"vmap"` side by side; `"auto"` maps on CPU.
      chunk: largest number of lanes side by side with `"vmap"`; None is 64.
      workers: host threads; None is one per core on CPU, one per device elsewhere.
      memory_limit: how much of each memory data and calls may use, as `"80%"` or `"6GiB"`; see `plan_lanes`.
      compact: whether a vmapped lane that stops makes room for another one, and the remaining ones are packed together.
        Otherwise a chunk trains until its last lane stops.
      mesh: lay lanes along its axis `"lane"` and split their batches along `"data"`, from `rj.make_mesh`.
      keep_weights: False drops the weights of each lane (None in its result), so that host memory does not grow with
        the number of lanes.
      store: saves each result when its lane is done; lanes whose results it already has are not trained again.
      on_done: called as `(lane index, result, seconds)` when a lane of this process is done, by one thread at a time.

    Raises:
      InputError: an unknown layout, a lane that does not fit the memory limit, a store of another sweep.
      ValueError: labels that are not classes of the model.

    Example:
      >>> import flax.linen as nn, jax.numpy as jnp
      >>> from regjax.training.run import make_run
      >>> from regjax.training.spec import Spec, make_hparams
      >>> x = jnp.linspace(-1, 1, 32)[:, None]
      >>> data = TrainData(x, x[:, 0], jnp.arange(32), x, x[:, 0])
      >>> linear = (lambda key, x: {"w": x[0]}, lambda params, x: x @ params["w"])
      >>> spec = Spec(linear, task="regression", batch_size=8, steps_per_epoch=4, epochs=2)
      >>> lane = Lane(make_run(spec), make_hparams(n_train=32), jax.random.key(0))
      >>> int(run_lanes([lane], data)[0].epochs)
      2
    """
    for spec in dict.fromkeys(lane.run.spec for lane in lanes):
        of_spec = [lane.hparams for lane in lanes if lane.run.spec == spec]
        standardized = any(hparams.standardizes_inputs for hparams in of_spec)
        check_run(spec, data, np.max([hparams.n_train for hparams in of_spec]), standardized=standardized)
    plan = plan_lanes(
        lanes,
        data,
        layout=layout,
        chunk=chunk,
        workers=workers,
        memory_limit=memory_limit,
        compact=compact,
        mesh=mesh,
        predict=False,
    )
    return _Sweep(plan, lanes, data, keep_weights, store, on_done).run()


class _Sweep:
    """A running sweep."""

    def __init__(
        self,
        plan: LanePlan,
        lanes: Sequence[Lane],
        data: TrainData,
        keep_weights: bool,
        store: LaneStore | None,
        on_done: OnDone | None,
    ):
        self.plan, self.lanes, self.data = plan, lanes, data
        self.keep_weights, self.store, self.on_done = keep_weights, store, on_done
        self.results: list[RunResult | None] = [None] * len(lanes)
        self.budgets = MemoryBudgets(plan.limit, tree_bytes(data), plan.share.worker_devices)
        self.replicas, self.shapes = DataReplicas(data), programs.Shapes(data)
        self.calls: dict[tuple[Hashable, DeviceOrMesh], tuple[int, int]] = {}  # lanes in a call, and its bytes
        self.digest = data_digest(data) if store is not None else ""
        self.reporting = threading.Lock()

    def run(self) -> list[RunResult]:
        """Train the lanes that are not in the store, and collect the results of all processes."""
        for i in self.plan.share.lanes:
            self._restore(i)
        waiting: dict[Hashable, list[int]] = {}
        for i in self.plan.share.lanes:
            if self.results[i] is None:
                waiting.setdefault(program_of(self.lanes[i]), []).append(i)
        self.queue = LaneQueue(waiting, self.plan.chunk)
        if waiting:
            self.queue.drain(self._work, self.plan.share.worker_devices)
        return gather_results(self.results, self.lanes, self.plan.share, self._shape)

    def _restore(self, i: int) -> None:
        lane = self.lanes[i]
        stored = self.store and self.store.load(i, fingerprint(lane, self.digest), lambda: self._shape(lane))
        if stored:
            self._report([i], [stored[0]], stored[1], save=False)

    def _shape(self, lane: Lane) -> RunResult:
        return self._kept(self.shapes.result(lane))

    def _kept(self, result: RunResult) -> RunResult:
        return result if self.keep_weights else result._replace(weights=None)  # type: ignore[arg-type]

    def _report(self, indices: Sequence[int], results: Sequence[RunResult], seconds: float, save: bool = True) -> None:
        with self.reporting:
            for i, full_result in zip(indices, results, strict=True):
                result = self._kept(full_result)
                self.results[i] = result
                if save and self.store is not None and self.plan.share.writes:
                    self.store.save(i, fingerprint(self.lanes[i], self.digest), result, seconds / len(indices))
                if self.on_done is not None:
                    self.on_done(i, result, seconds / len(indices))

    def _work(self, program: Hashable, remaining: list[int], device: DeviceOrMesh) -> None:
        data, budget = self.replicas.on(device), self.budgets.of(device)
        lanes = [self.lanes[i] for i in remaining]
        started = time.perf_counter()
        if (program, device) not in self.calls:
            self.calls[program, device] = fit_chunk(self.plan, lanes, data, device, budget.limit)
        size, call_bytes = self.calls[program, device]
        if self.plan.layout == "map":
            with budget.reserve(call_bytes):
                result = programs.fetch(programs.train_lane(*programs.train_lane_arguments(lanes[0], data, device)))
            self._report(remaining, [result], time.perf_counter() - started)
            return
        while remaining:
            chunk, remaining = remaining[:size], remaining[size:]
            with budget.reserve(call_bytes):
                if self.plan.compact:
                    remaining = self._train_compacted(program, chunk, remaining, device)
                else:
                    self._train_chunk(chunk, size, device)

    def _train_chunk(self, indices: list[int], size: int, device: DeviceOrMesh) -> None:
        started, data = time.perf_counter(), self.replicas.on(device)
        # The last chunk is padded with its first lane, so that all chunks have one shape.
        lanes = [self.lanes[i] for i in [*indices, *indices[:1] * (size - len(indices))]]
        run, hparams, keys, seeds = programs.stack_lanes(lanes, device)
        weights = programs.initial_weights(lanes, data, device)
        chunk_result = programs.fetch(programs.train_lanes(run, hparams, keys, data, seeds, weights))
        results = [programs.row_of(chunk_result, i) for i in range(len(indices))]
        self._report(indices, results, time.perf_counter() - started)

    def _train_compacted(
        self, program: Hashable, first: list[int], remaining: list[int], device: DeviceOrMesh
    ) -> list[int]:
        """Train with compaction; the lanes that this worker has taken come before those of the queue."""
        waiting, last = list(remaining), [time.perf_counter()]

        def take_more(count: int) -> list[int]:
            taken = [waiting.pop(0) for _ in range(min(count, len(waiting)))]
            return [*taken, *self.queue.take_more(program, count - len(taken))]

        def finish(indices: list[int], results: list[RunResult]) -> None:
            # Lanes side by side share the time: each is charged the time since the last ones finished.
            since, last[0] = last[0], time.perf_counter()
            self._report(indices, results, last[0] - since)

        train_in_slots(
            first,
            self.lanes,
            self.replicas.on(device),
            device,
            take_more=take_more,
            finish=finish,
            stopped=lambda: self.queue.failed,
        )
        return waiting
