"""Trains the points of a sweep, as its search says, and counts the epochs that this took."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from regjax.analysis.settings import whole_hits
from regjax.cli import flags, sweep_table
from regjax.cli.grid import Point, references_for, trial_points
from regjax.cli.optuna_sampler import OptunaSampler
from regjax.cli.progress import Bar
from regjax.core.ranges import Range
from regjax.sweeps import (
    Asha,
    AskTell,
    Halving,
    Lane,
    LaneStore,
    Rung,
    Schedule,
    Score,
    Searched,
    Task,
    epochs_in_all,
    halving_rungs,
    random_points,
    run_lanes,
    search,
    sobol_points,
)

if TYPE_CHECKING:
    from regjax.cli.search_options import SearchOptions
    from regjax.cli.sweep_lanes import SweepLanes
    from regjax.training.run import RunResult

Space = Mapping[str, "Sequence[float] | Range"]


@dataclasses.dataclass(frozen=True)
class Trained:
    """What was trained.

    Attributes:
      points: the trials, or the points of the grid, and then the references that were added.
      trials: how many of the points are trials, the references that were added not counted.
      results: of each point the result of each run, up to where it was trained.
      steps: `(point, until, epochs, score)` for each piece of training of a trial, in the order in which these ended:
        the epochs until which it trained, those that all its runs trained in it, and the mean score there.
      finished: the points that trained to the end.
    """

    points: list[Point]
    trials: int
    results: list[list[RunResult]]
    steps: list[tuple[int, int, int, float]]
    finished: set[int]

    @property
    def reference_epochs(self) -> int:
        """The epochs of the references that were added."""
        return sum(_epochs(results) for results in self.results[self.trials :])


class Trainer(NamedTuple):
    """How points are trained.

    Attributes:
      lanes: makes the lanes of a point.
      scores: the score of each run of a point.
      layout: options of `run_lanes`.
      directory: for results, so that a sweep that was interrupted goes on.
    """

    lanes: SweepLanes
    scores: Sequence[sweep_table.Score]
    layout: Mapping[str, Any]
    directory: Path

    def score(self, point: Point, results: Sequence[RunResult]) -> Score:
        """The mean score of the runs of a point, with which settings are ranked; ties by the lower loss."""
        runs = self.lanes.runs
        rows = sweep_table.rows_of(results, [point], runs.runs, self.scores, self.lanes.units(point))
        scores = np.array([sweep_table.score_in(row) for row in rows])
        if self.lanes.spec.task == "classification":
            scores = whole_hits(scores, runs.examples)
        losses = [sweep_table.number_in(row, "val_loss") for row in rows]
        return Score(round(float(np.mean(scores)), 9), -float(np.mean(losses)))


def points_before(config: SearchOptions, space: Space) -> list[dict[str, float]]:
    """The points of a search that are known before it begins: all but those of Optuna."""
    count = config.trial_count(space)
    draw = sobol_points if config.search == "sobol" else random_points
    return flags.about("trials" if config.trials else "sweep", lambda: draw(space, count, config.search_seed))


def train_grid(trainer: Trainer, points: Sequence[Point], trials: int, every: bool = True) -> Trained:
    """Train every point to the end, of which the first are trials."""
    runs = len(trainer.lanes.runs.runs)
    lanes = [lane for point in points for lane in trainer.lanes.of(point)]
    with Bar("runs", len(lanes)) as bar:
        done = itertools.count(1)
        flat = run_lanes(
            lanes,
            trainer.lanes.runs.arrays,
            keep_weights=False,  # the table does not need them, and memory must not grow with the number of lanes
            store=LaneStore(trainer.directory / "lanes"),
            on_done=lambda i, result, seconds: bar.update(next(done), ""),
            **trainer.layout,
        )
    results = [flat[i : i + runs] for i in range(0, len(flat), runs)]
    last = trainer.lanes.spec.epochs
    steps = [(i, last, _epochs(results[i]), trainer.score(points[i], results[i]).value) for i in range(trials)]
    return Trained(list(points), trials, results, steps, set(range(len(points))))


def train_trials(trainer: Trainer, config: SearchOptions, space: Space, off: Mapping[str, float]) -> Trained:
    """Train the trials of a search that halts some, or asks Optuna for the next; then the references."""
    count, epochs, runs = config.trial_count(space), trainer.lanes.spec.epochs, len(trainer.lanes.runs.runs)
    rungs = rungs_of(config, space)
    if config.search == "optuna":
        sampler = OptunaSampler(space, config.search_seed)
        drawn = sampler.points
        schedule = Schedule(AskTell(sampler.ask, sampler.tell, count, epochs), config.places_or_default)
    else:
        drawn = points_before(config, space)
        policy = Halving(rungs) if config.search == "halving" else Asha(rungs, config.reduction_or_default)
        schedule = Schedule(policy, None if config.search == "halving" else config.places_or_default)

    def point_of(trial: int) -> Point:
        return trial_points(drawn[trial : trial + 1], off)[0]

    with Bar("epochs", epochs_in_all(rungs) * runs) as bar:
        found = _searched(trainer, schedule, point_of, "trials", bar)
    points = trial_points(drawn, off)
    last = found.last()
    results = [last[i].results for i in range(count)]
    finished = {i for i in range(count) if last[i].task.until == epochs}
    added = references_for(points, off, [points[i] for i in sorted(finished)])
    if added:
        race = Schedule(Halving([Rung(epochs, len(added))]))
        with Bar("epochs of references", epochs * len(added) * runs) as bar:
            references = _searched(trainer, race, added.__getitem__, "references", bar).last()
        results += [references[i].results for i in range(len(added))]
        finished |= set(range(count, count + len(added)))
    steps = [(step.task.trial, step.task.until, step.epochs, step.score.value) for step in found.steps]
    return Trained([*points, *added], count, results, steps, finished)


def rungs_of(config: SearchOptions, space: Space) -> list[Rung]:
    """The rungs of a search; one where no trial is halted."""
    count = config.trial_count(space)
    if config.search not in ("halving", "asha"):
        return [Rung(config.epochs, count)]
    return halving_rungs(count, config.epochs, min_epochs=config.min_epochs, reduction=config.reduction_or_default)


def search_entry(
    config: SearchOptions, space: Space, trained: Trained, steps_per_epoch: int, runs: int
) -> dict[str, Any]:
    """What `results.json` says of a search.

    `epochs` and `updates` are those of all runs of the trials; `whole_epochs` are those of as many trials that train to
    the end without an early stop. `steps` has for each piece of training the setting, the epochs until which it
    trained, the epochs that its runs trained in it and the mean score there.
    """
    epochs = sum(count for _, _, count, _ in trained.steps)
    known: dict[str, Any] = {}
    if config.search in ("halving", "asha"):
        known |= {
            "reduction": config.reduction_or_default,
            "rungs": [rung._asdict() for rung in rungs_of(config, space)],
        }
    if config.search in ("asha", "optuna"):
        known["places"] = config.places_or_default
    return {
        "method": config.search,
        "trials": trained.trials,
        "finished": len([i for i in trained.finished if i < trained.trials]),
        "space": {name: _entry(values) for name, values in space.items()},
        **known,
        "epochs": epochs,
        "updates": epochs * steps_per_epoch,
        "whole_epochs": trained.trials * runs * config.epochs,
        "reference_epochs": trained.reference_epochs,
        "steps": [
            [i, until, count, score if math.isfinite(score) else None] for i, until, count, score in trained.steps
        ],
    }


def _entry(values: Sequence[float] | Range) -> dict[str, Any] | list[float]:
    if not isinstance(values, Range):
        return list(values)
    return {"low": values.low, "high": values.high, "log": values.log} | ({"off": values.off} if values.off else {})


def _searched(trainer: Trainer, schedule: Schedule, point_of: Callable[[int], Point], part: str, bar: Bar) -> Searched:
    done, runs = itertools.count(), len(trainer.lanes.runs.runs)
    trained = [0]

    def lanes_of(trial: int) -> list[Lane]:
        return trainer.lanes.of(point_of(trial))

    def score(task: Task, results: Sequence[RunResult]) -> Score:
        return trainer.score(point_of(task.trial), results)

    def on_done(task: Task, results: Sequence[RunResult]) -> None:
        trained[0] += (task.until - task.start) * runs
        # ASHA may train more than halving does.
        bar.update(trained[0], f"{next(done) + 1} done", max(bar.total, trained[0]))

    return search(
        schedule,
        lanes_of,
        trainer.lanes.runs.arrays,
        score=score,
        store=LaneStore(trainer.directory / part),
        on_done=on_done,
        **trainer.layout,
    )


def _epochs(results: Sequence[RunResult]) -> int:
    return sum(int(result.epochs) for result in results)
