"""Trains the settings of a comparison with all seeds, and scores them on the selection split."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from regjax.comparison import techniques as tech
from regjax.comparison.scoring import Evaluation, Scorer
from regjax.core.rng import run_key
from regjax.core.typing import Value
from regjax.data import Preprocessor, Preprocessors
from regjax.stopping import REASONS
from regjax.sweeps import Lane, LaneStore, run_lanes
from regjax.training.run import Run, RunResult
from regjax.training.spec import make_hparams
from regjax.training.state import TrainData

Progress = Callable[[int, int, str], None]


@dataclasses.dataclass(frozen=True)
class Trial:
    """One setting of one technique, which is trained with every seed."""

    technique: str
    value: float
    arguments: tech.Arguments


@dataclasses.dataclass(frozen=True)
class Outcome:
    """The outcome of a trial: results, preprocessors and scores on the selection split, one entry per seed."""

    trial: Trial
    results: list[RunResult]
    preprocessors: list[Preprocessor]
    select: list[Evaluation]
    seconds: float

    @property
    def diverged(self) -> int:
        """The number of runs that ended because their loss was not finite."""
        return sum(diverged(result) for result in self.results)


@dataclasses.dataclass
class Runner:
    """Trains the runs of trials and scores them on the selection split. It has no access to the test split."""

    run_fn: Run
    defaults: Mapping[str, Value]
    always: Mapping[str, Value]
    preprocessors: Preprocessors
    seeds: Sequence[int]
    data: TrainData
    scorer: Scorer
    workers: int | None
    directory: str | os.PathLike[str] | None
    progress: Progress | None
    done: int = 0  # runs, those on earlier splits included
    later: int = 0  # runs on later splits
    total: int = 0

    def expect(self, left: int) -> None:
        """Announce, for the progress, that so many runs of this split are left."""
        self.total = self.done + left + self.later

    def run(self, trials: Sequence[Trial], part: str) -> list[Outcome]:
        """Run all trials with all seeds; `part` names the directory for their results."""
        lanes: list[Lane] = []
        fitted: list[Preprocessor] = []
        count = len(self.seeds)
        for trial in trials:
            hparams = make_hparams(**{**self.defaults, **tech.merge([dict(self.always), trial.arguments])})
            for i, seed in enumerate(self.seeds):
                fitted.append(self.preprocessors.of(seed, int(np.asarray(hparams.n_train))))
                own = hparams._replace(standardization=fitted[-1].standardization)
                lanes.append(Lane(self.run_fn, own, run_key(seed), i))
        seconds = [0.0] * len(lanes)

        def on_done(index: int, result: RunResult, took: float) -> None:
            del result
            seconds[index] = took
            self.done += 1
            if self.progress is not None:
                self.progress(self.done, self.total, trials[index // count].technique)

        store = None if self.directory is None else LaneStore(Path(self.directory) / part)
        results = run_lanes(lanes, self.data, workers=self.workers, store=store, on_done=on_done)
        outcomes = []
        for i, trial in enumerate(trials):
            of_trial = slice(i * count, (i + 1) * count)
            select = [
                self.scorer(result.weights, diverged(result), own)
                for result, own in zip(results[of_trial], fitted[of_trial], strict=True)
            ]
            outcomes.append(Outcome(trial, results[of_trial], fitted[of_trial], select, sum(seconds[of_trial])))
        return outcomes


def diverged(result: RunResult) -> bool:
    """Whether a run ended because its loss was not finite."""
    return REASONS[int(result.reason)] == "diverged"
