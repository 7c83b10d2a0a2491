"""Train the trials of a search on lanes: each pauses where its schedule says, and goes on from there."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import numpy as np

from regjax.core.errors import InputError
from regjax.sweeps.lane import Lane, program_of
from regjax.sweeps.plan import LanePlan, plan_lanes
from regjax.sweeps.schedule import Schedule, Score, Task
from regjax.sweeps.segments import Ended, SegmentStore, SegmentTrainer
from regjax.sweeps.store import LaneStore
from regjax.training.preflight import check_run
from regjax.training.run import RunResult
from regjax.training.state import TrainData

LanesOf = Callable[[int], Sequence[Lane]]
ScoreOf = Callable[[Task, Sequence[RunResult]], Score]
OnDone = Callable[[Task, Sequence[RunResult]], None]


class Step(NamedTuple):
    """A task of a search that is done.

    Attributes:
      task: the trial, and from which to which epoch.
      score: of the trial at its end.
      results: of the runs of the trial, up to there.
      epochs: the epochs that all its runs trained in this task; fewer than asked for if one stopped early.
    """

    task: Task
    score: Score
    results: list[RunResult]
    epochs: int


@dataclasses.dataclass(frozen=True)
class Searched:
    """What a search found.

    Attributes:
      steps: its tasks, in the order in which they ended on the clock of the schedule.
      plan: how the runs were laid out.
    """

    steps: list[Step]
    plan: LanePlan

    @property
    def epochs(self) -> int:
        """The epochs of all runs together."""
        return sum(step.epochs for step in self.steps)

    def last(self) -> dict[int, Step]:
        """The last step of each trial."""
        return {step.task.trial: step for step in self.steps}


def search(
    schedule: Schedule,
    lanes_of: LanesOf,
    data: TrainData,
    *,
    score: ScoreOf | None = None,
    store: LaneStore | None = None,
    on_done: OnDone | None = None,
    **layout: object,
) -> Searched:
    """Train trials as a schedule says: those that it halts free their places, those that go on are not trained anew.

    All runs are of one compiled program, which serves every trial and rung. A run that pauses and goes on is, with the
    layout `"map"`, bitwise the run that did not. The runs of a trial, such as those of several seeds or folds, go on or
    halt together.

    Args:
      schedule: of `Halving`, `Asha` or `AskTell`; it is used up.
      lanes_of: the runs of a trial, as many for each; called when the schedule has chosen the trial.
      data: shared by all lanes.
      score: `(task, results) -> Score` of a trial; None is minus the mean over its runs of the validation loss, the
        lowest one of a run with `restore_best` and else that of its last epoch.
      store: keeps states and results, so that a search that was interrupted goes on.
      on_done: called as `(task, results)` when a task is done, by one thread at a time.
      layout: options of `run_lanes`: `layout`, `chunk`, `workers`, `memory_limit`, `compact`, `mesh`.

    Raises:
      InputError: lanes of several programs or numbers of runs, more than one process, or as `run_lanes`.

    Example:
      >>> import flax.linen as nn, jax.numpy as jnp
      >>> from regjax.sweeps.rungs import halving_rungs
      >>> from regjax.sweeps.schedule import Halving
      >>> from regjax.training.run import make_run
      >>> from regjax.training.spec import Spec, make_hparams
      >>> x = jnp.linspace(-1, 1, 32)[:, None]
      >>> data = TrainData(x, (x[:, 0] > 0).astype(jnp.int32), jnp.arange(32), x, (x[:, 0] > 0).astype(jnp.int32))
      >>> run = make_run(Spec(nn.Dense(2), num_classes=2, batch_size=8, steps_per_epoch=4, epochs=4))
      >>> rates = [1e-5, 1e-4, 1e-3, 1e-2]
      >>> def lanes_of(trial):
      ...     return [Lane(run, make_hparams(learning_rate=rates[trial], n_train=32), jax.random.key(0))]
      >>> found = search(Schedule(Halving(halving_rungs(4, 4, reduction=2))), lanes_of, data)
      >>> [(step.task.trial, step.task.until) for step in found.steps]
      [(0, 1), (1, 1), (2, 1), (3, 1), (3, 2), (2, 2), (3, 4)]
      >>> found.epochs
      8
    """
    if jax.process_count() > 1:
        raise InputError(
            "search: trials that pause are trained by one process; use one, or a grid, random or Sobol points"
        )
    first = schedule.next()
    if first is None:
        raise InputError("search: the schedule has no task")
    lanes = list(lanes_of(first.trial))
    if not lanes:
        raise InputError("search: a trial needs at least one run")
    check_run(
        lanes[0].run.spec,
        data,
        np.max([lane.hparams.n_train for lane in lanes]),
        standardized=lanes[0].hparams.standardizes_inputs,
    )
    at_once = lanes * (schedule.places or schedule.policy.trials)
    plan = plan_lanes(at_once, data, predict=False, **layout)  # type: ignore[arg-type]
    return _Search(schedule, lanes_of, score or _minus_loss, on_done, first, lanes).run(data, plan, store)


class _Search:
    """A running search: gives out the segments of the tasks of a schedule, and collects their results."""

    def __init__(
        self,
        schedule: Schedule,
        lanes_of: LanesOf,
        score: ScoreOf,
        on_done: OnDone | None,
        first: Task,
        lanes: list[Lane],
    ):
        self.schedule, self.lanes_of, self.score, self.on_done = schedule, lanes_of, score, on_done
        self.lanes: dict[int, list[Lane]] = {first.trial: lanes}
        self.runs, self.program = len(lanes), program_of(lanes[0])
        self.first: Task | None = first
        self.done: dict[Task, list[Ended | None]] = {}
        self.steps: dict[Task, Step] = {}
        self.halted: set[int] = set()

    def run(self, data: TrainData, plan: LanePlan, store: LaneStore | None) -> Searched:
        """Train everything."""
        kept = None if store is None else SegmentStore(store.directory, data)
        self.trainer = SegmentTrainer(plan, data, kept, self._more, self._ended)
        self.trainer.run()
        return Searched([self.steps[task] for task, _ in self.schedule.log], plan)

    def _more(self) -> list[tuple[int, int, Lane]] | None:
        """The lanes of the next task, each with its number and until when it trains; None if there is none now."""
        task, self.first = (self.first, None) if self.first else (self.schedule.next(), None)
        if task is None:
            self._forget()
            return None
        self.done[task] = [None] * self.runs
        return [(task.trial * self.runs + k, task.until, lane) for k, lane in enumerate(self._lanes(task.trial))]

    def _lanes(self, trial: int) -> list[Lane]:
        if trial not in self.lanes:
            lanes = self.lanes[trial] = list(self.lanes_of(trial))
            if len(lanes) != self.runs:
                raise InputError(f"search: trial {trial} has {len(lanes)} runs, others have {self.runs}")
            if any(program_of(lane) != self.program for lane in lanes):
                raise InputError(f"search: trial {trial} needs another program; all trials need one")
        return self.lanes[trial]

    def _ended(self, number: int, until: int, ended: Ended) -> None:
        """Take the result of a lane; the last one of a task gives its score to the schedule."""
        trial, run = divmod(number, self.runs)
        [task] = [task for task in self.done if task.trial == trial and task.until == until and task not in self.steps]
        self.done[task][run] = ended
        whole = [one for one in self.done[task] if one is not None]
        if len(whole) < self.runs:
            return
        results = [one.result for one in whole]
        score = self.score(task, results)
        self.steps[task] = Step(task, score, results, sum(one.epochs for one in whole))
        del self.done[task]
        self.schedule.report(task, score)
        if self.on_done is not None:
            self.on_done(task, results)

    def _forget(self) -> None:
        """Drop the states of trials that will not go on."""
        for trial in self.schedule.policy.ended - self.halted:
            self.halted.add(trial)
            self.lanes.pop(trial, None)
            for run in range(self.runs):
                self.trainer.forget(trial * self.runs + run)


def _minus_loss(task: Task, results: Sequence[RunResult]) -> Score:
    """Minus the mean validation loss of the weights that the runs keep."""
    del task
    losses = [float(result.history.values["val/loss"][int(result.end_epoch)]) for result in results]
    return Score(-math.fsum(losses) / len(losses) if all(map(math.isfinite, losses)) else math.nan)
