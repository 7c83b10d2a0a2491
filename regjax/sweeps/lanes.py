"""Train many runs.

On CPU every lane is one call of the compiled run, dispatched from one host thread per core: XLA executes calls from
different threads side by side on one CPU device, so there is one compilation for all cores, lanes that stop early
free their core at once, and each lane is bitwise the run alone. On accelerators lanes are vmapped in chunks.
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
from regjax.sweeps.lane import Lane, Place, data_digest, fingerprint, program_of, put
from regjax.sweeps.memory import DEFAULT_LIMIT, Budgets, tree_bytes
from regjax.sweeps.plan import LanePlan, fitting, plan_lanes
from regjax.sweeps.queue import LaneQueue
from regjax.sweeps.share import gathered
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
    """Train `L` lanes of one program.

    Args:
      run: from `make_run`.
      hparams: stacked, each leaf `[L, ...]`; see `stack_hparams`.
      keys: `L` keys.
      data: shared by all lanes; `y` and `order` may differ between seeds.
      seeds: row of `data` for each lane; None means 0 for all.
      options: those of `run_lanes`, as `layout`, `chunk`, `workers`, `memory_limit`, `mesh` or `on_done`.

    Returns:
      A `RunResult` of NumPy arrays with a leading axis of lanes, in order.

    Raises:
      InputError: what `run_lanes` refuses.
      ValueError: leaves, keys and seeds of different lengths, or what `run_lanes` refuses.

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
    """Train lanes of any mixture of programs; like `sweep`, with results as a list in the order of `lanes`.

    Every program compiles once. While one worker compiles, the others go on with lanes of programs that are ready.
    Under `jax.distributed` each process trains its share, and all get all results.

    Args:
      lanes: the runs.
      data: shared by all lanes.
      layout: `"map"` runs lanes one by one on each worker, `"vmap"` side by side; `"auto"` maps on CPU.
      chunk: lanes side by side at most with `"vmap"`; None is 64.
      workers: host threads; None is one per core on CPU, one per device elsewhere.
      memory_limit: what data and calls may take of each memory, as `"80%"` or `"6GiB"`; see `plan_lanes`.
      compact: whether a vmapped lane that stops makes room for another one, and the last ones move together. Without
        it a chunk trains until its last lane stops.
      mesh: lay lanes along its axis `"lane"` and split their batches along `"data"`, from `rj.make_mesh`.
      keep_weights: False drops the weights of each lane (None in its result), so that the host's memory does not
        grow with them.
      store: where results are kept when a lane is done; what it holds already is not trained again.
      on_done: called as `(lane index, result, seconds)` when a lane of this process is done, from one thread at a time.

    Raises:
      InputError: an unknown layout, a lane that does not fit the memory limit, a store of another sweep.
      ValueError: labels that are no classes of the model.

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
        check_run(spec, data, np.max([lane.hparams.n_train for lane in lanes if lane.run.spec == spec]))
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
    """A sweep that is running."""

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
        self.done: list[RunResult | None] = [None] * len(lanes)
        self.budgets = Budgets(plan.limit, tree_bytes(data), plan.share.places)
        self.replicas = _Replicas(data)
        self.needs: dict[tuple[Hashable, Place], tuple[int, int]] = {}  # lanes in a call, and bytes that it takes
        self.digest = data_digest(data) if store is not None else ""
        self.reporting = threading.Lock()

    def run(self) -> list[RunResult]:
        """Train what is not there yet, and collect the results of all processes."""
        for i in self.plan.share.lanes:
            self._restore(i)
        waiting: dict[Hashable, list[int]] = {}
        for i in self.plan.share.lanes:
            if self.done[i] is None:
                waiting.setdefault(program_of(self.lanes[i]), []).append(i)
        self.queue = LaneQueue(waiting, self.plan.chunk)
        if waiting:
            self.queue.drain(self._work, self.plan.share.places)
        return gathered(self.done, self.lanes, self.plan.share, self._shape)

    def _restore(self, i: int) -> None:
        lane = self.lanes[i]
        found = self.store and self.store.load(i, fingerprint(lane, self.digest), lambda: self._shape(lane))
        if found:
            self._report([i], [found[0]], found[1], save=False)

    def _shape(self, lane: Lane) -> RunResult:
        return self._kept(programs.result_shape(lane, self.data))

    def _kept(self, result: RunResult) -> RunResult:
        return result if self.keep_weights else result._replace(weights=None)  # type: ignore[arg-type]

    def _report(self, indices: Sequence[int], results: Sequence[RunResult], seconds: float, save: bool = True) -> None:
        with self.reporting:
            for i, whole in zip(indices, results, strict=True):
                result = self._kept(whole)
                self.done[i] = result
                if save and self.store is not None and self.plan.share.writes:
                    self.store.save(i, fingerprint(self.lanes[i], self.digest), result, seconds / len(indices))
                if self.on_done is not None:
                    self.on_done(i, result, seconds / len(indices))

    def _work(self, program: Hashable, taken: list[int], place: Place) -> None:
        data, budget = self.replicas.on(place), self.budgets.of(place)
        chosen = [self.lanes[i] for i in taken]
        started = time.perf_counter()
        if (program, place) not in self.needs:
            self.needs[program, place] = fitting(self.plan, chosen, data, place, budget.limit)
        size, needed = self.needs[program, place]
        if self.plan.layout == "map":
            with budget.hold(needed):
                result = programs.fetch(programs.one(*programs.one_arguments(chosen[0], data, place)))
            self._report(taken, [result], time.perf_counter() - started)
            return
        while taken:
            now, taken = taken[:size], taken[size:]
            with budget.hold(needed):
                if self.plan.compact:
                    taken = self._in_slots(program, now, taken, place)
                else:
                    self._side_by_side(now, size, place)

    def _side_by_side(self, now: list[int], size: int, place: Place) -> None:
        started, data = time.perf_counter(), self.replicas.on(place)
        # The last chunk is filled up with its first lane, so that every chunk has one shape.
        chosen = [self.lanes[i] for i in [*now, *now[:1] * (size - len(now))]]
        run, hparams, keys, seeds = programs.numbers(chosen, place)
        found = programs.fetch(programs.many(run, hparams, keys, data, seeds, programs.starts(chosen, data, place)))
        results = [programs.row_of(found, i) for i in range(len(now))]
        self._report(now, results, time.perf_counter() - started)

    def _in_slots(self, program: Hashable, now: list[int], own: list[int], place: Place) -> list[int]:
        """Train with compaction; the lanes that were taken already come before those of the queue."""
        waiting, last = list(own), [time.perf_counter()]

        def more(count: int) -> list[int]:
            given = [waiting.pop(0) for _ in range(min(count, len(waiting)))]
            return [*given, *self.queue.more(program, count - len(given))]

        def finish(indices: list[int], results: list[RunResult]) -> None:
            # Lanes side by side share the time: each is charged what passed since others were done.
            since, last[0] = last[0], time.perf_counter()
            self._report(indices, results, last[0] - since)

        train_in_slots(
            now,
            self.lanes,
            self.replicas.on(place),
            place,
            more=more,
            finish=finish,
            stopped=lambda: self.queue.failed,
        )
        return waiting


class _Replicas:
    """The data at each place, moved there once."""

    def __init__(self, data: TrainData):
        self._data = data
        self._on: dict[Place, TrainData] = {}
        self._lock = threading.Lock()

    def on(self, place: Place) -> TrainData:
        with self._lock:
            if place not in self._on:
                self._on[place] = put(self._data, place)
            return self._on[place]
