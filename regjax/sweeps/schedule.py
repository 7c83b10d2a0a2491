"""Which trial of a search trains next, and for how long: successive halving, ASHA, and ask-and-tell.

A `Schedule` decides by a simulated clock that counts epochs, on a given number of simulated places. So the decisions
depend on the scores alone, not on how fast which run was, and a search repeats exactly, on any machine.
"""

from __future__ import annotations

import collections
import heapq
import math
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from regjax.core.checks import check_range
from regjax.sweeps.rungs import Rung


class Task(NamedTuple):
    """A piece of training.

    Attributes:
      trial: which trial, from 0.
      rung: of the trial, from 0.
      start: epochs for which it has trained before.
      until: epochs for which it has trained afterwards, unless it stops early.
    """

    trial: int
    rung: int
    start: int
    until: int


class Score(NamedTuple):
    """How good a trial is.

    Attributes:
      value: larger is better; NaN is worse than any number.
      tie: which of equal values is better: the larger, as minus a loss.
    """

    value: float
    tie: float = 0.0


class Policy(Protocol):
    """What a `Schedule` asks.

    Attributes:
      ended: the trials that will never go on.
      trials: number of trials.
    """

    ended: set[int]
    trials: int

    def choose(self) -> Task | None:
        """The next task by what is recorded; None if there is none before something else is recorded."""

    def record(self, task: Task, score: Score) -> None:
        """Take the score of a task."""


class Halving:
    """Successive halving: when all trials of a rung are scored, the best ones go on to the next.

    A score that is not finite never goes on. One rung is a search in which every trial trains to the end.

    Args:
      rungs: from `halving_rungs`.

    Example:
      >>> halving = Halving([Rung(1, 4), Rung(3, 2)])
      >>> tasks = [halving.choose() for _ in range(4)]
      >>> halving.choose() is None
      True
      >>> for task, value in zip(tasks, [0.5, 0.9, 0.1, 0.7]):
      ...     halving.record(task, Score(value))
      >>> halving.choose(), halving.choose()
      (Task(trial=1, rung=1, start=1, until=3), Task(trial=3, rung=1, start=1, until=3))
    """

    def __init__(self, rungs: Sequence[Rung]):
        self.ended: set[int] = set()
        self.trials = rungs[0].trials
        self._rungs = list(rungs)
        self._scores: list[dict[int, Score]] = [{} for _ in rungs]
        self._expected = [rungs[0].trials, *[0] * (len(rungs) - 1)]
        self._waiting = collections.deque(_task(rungs, 0, trial) for trial in range(rungs[0].trials))

    def choose(self) -> Task | None:
        """The next trial of the rung."""
        return self._waiting.popleft() if self._waiting else None

    def record(self, task: Task, score: Score) -> None:
        """Take the score; the last one of a rung decides which trials go on."""
        scores = self._scores[task.rung]
        scores[task.trial] = score
        if len(scores) < self._expected[task.rung]:
            return
        following = task.rung + 1
        kept = [] if following == len(self._rungs) else _best(scores, self._rungs[following].trials)
        self.ended |= set(scores) - set(kept)
        if kept:
            self._expected[following] = len(kept)
            self._waiting.extend(_task(self._rungs, following, trial) for trial in kept)


class Asha:
    """Asynchronous successive halving: a trial goes on as soon as it is among the best `1 / reduction` of its rung.

    If no trial of any rung may go on, a new one begins. There is no waiting for a rung to fill, at the price of a few
    trials that go on too soon.

    Args:
      rungs: from `halving_rungs`; of the later ones, the numbers of trials are at least those.
      reduction: as given to `halving_rungs`.

    Reference: Li et al., A system for massively parallel hyperparameter tuning, 2020, algorithm 2.
    """

    def __init__(self, rungs: Sequence[Rung], reduction: int = 3):
        check_range("Asha: reduction", reduction, 2)
        self.ended: set[int] = set()  # a trial may go on until the last one is scored
        self.trials = rungs[0].trials
        self._rungs, self._reduction = list(rungs), reduction
        self._scores: list[dict[int, Score]] = [{} for _ in rungs]
        self._promoted: list[set[int]] = [set() for _ in rungs]
        self._begun = 0

    def choose(self) -> Task | None:
        """A trial of the highest rung that may go on, or else a new one."""
        for rung in range(len(self._rungs) - 2, -1, -1):
            scores = self._scores[rung]
            best = _best(scores, len(scores) // self._reduction)
            waiting = [trial for trial in best if trial not in self._promoted[rung]]
            if waiting:
                self._promoted[rung].add(waiting[0])
                return _task(self._rungs, rung + 1, waiting[0])
        if self._begun == self._rungs[0].trials:
            return None
        self._begun += 1
        return _task(self._rungs, 0, self._begun - 1)

    def record(self, task: Task, score: Score) -> None:
        """Take the score."""
        self._scores[task.rung][task.trial] = score
        if task.rung == len(self._rungs) - 1:
            self.ended.add(task.trial)


class AskTell:
    """Trials that a sampler proposes one by one, from the scores so far; each trains to the end.

    Args:
      ask: called with the number of a trial before it begins.
      tell: called with a trial and its score.
      trials: number of trials.
      epochs: of each.
    """

    def __init__(self, ask: Callable[[int], None], tell: Callable[[int, float], None], trials: int, epochs: int):
        self.ended: set[int] = set()
        self.trials = trials
        self._ask, self._tell, self._rungs, self._begun = ask, tell, [Rung(epochs, trials)], 0

    def choose(self) -> Task | None:
        """The next trial, after the sampler has been asked for it."""
        if self._begun == self._rungs[0].trials:
            return None
        self._ask(self._begun)
        self._begun += 1
        return _task(self._rungs, 0, self._begun - 1)

    def record(self, task: Task, score: Score) -> None:
        """Tell the sampler."""
        self.ended.add(task.trial)
        self._tell(task.trial, score.value)


class Schedule:
    """The tasks of a policy, in an order that depends on the scores alone.

    On each of `places` simulated places one task trains at a time and takes as long as it has epochs. When one ends,
    its place is free at once: its score is recorded, and the policy chooses what begins there. Tasks are given out as
    soon as what they depend on is scored, so places beyond what a machine trains at a time keep it busy.

    Args:
      policy: `Halving`, `Asha` or `AskTell`.
      places: number of places; None is one for each task, as for `Halving`, whose decisions do not depend on it.

    Attributes:
      log: the tasks in the order in which they ended on the simulated clock, with their scores.

    Example:
      >>> schedule = Schedule(Asha([Rung(1, 4), Rung(3, 2)], reduction=2), places=2)
      >>> first, second = schedule.next(), schedule.next()
      >>> schedule.next() is None  # both places are taken
      True
      >>> schedule.report(second, Score(0.9))
      >>> schedule.next() is None  # on the simulated clock the first one ends before it
      True
      >>> schedule.report(first, Score(0.5))
      >>> schedule.next()
      Task(trial=2, rung=0, start=0, until=1)
      >>> schedule.next()
      Task(trial=1, rung=1, start=1, until=3)
    """

    def __init__(self, policy: Policy, places: int | None = None):
        if places is not None:
            check_range("search: places", places, 1)
        self.policy, self.places = policy, places
        self.log: list[tuple[Task, Score]] = []
        self._clock = self._begun = 0
        self._running: list[tuple[int, int, Task]] = []  # a heap: when it ends, in which order it began, the task
        self._scores: dict[Task, Score] = {}

    def next(self) -> Task | None:
        """A task that can begin; None if there is none before another is reported."""
        while True:
            task = self.policy.choose() if self.places is None or len(self._running) < self.places else None
            if task is not None:
                heapq.heappush(self._running, (self._clock + task.until - task.start, self._begun, task))
                self._begun += 1
                return task
            if not self._running or self._running[0][-1] not in self._scores:
                return None
            self._clock, _, ended = heapq.heappop(self._running)
            score = self._scores.pop(ended)
            self.log.append((ended, score))
            self.policy.record(ended, score)

    def report(self, task: Task, score: Score) -> None:
        """Tell the score of a task."""
        self._scores[task] = score

    @property
    def finished(self) -> bool:
        """Whether every task was reported and recorded, after `next` has given None."""
        return not self._running


def _task(rungs: Sequence[Rung], rung: int, trial: int) -> Task:
    return Task(trial, rung, rungs[rung - 1].epochs if rung else 0, rungs[rung].epochs)


def _ranked(scores: dict[int, Score]) -> list[int]:
    """Trials, best first; of equal ones the first in the order of the trials, and NaN last."""

    def key(trial: int) -> tuple[float, float, int]:
        value, tie = scores[trial]
        return -value if math.isfinite(value) else math.inf, -tie if math.isfinite(tie) else math.inf, trial

    return sorted(scores, key=key)


def _best(scores: dict[int, Score], count: int) -> list[int]:
    """The best trials, at most so many; one without a finite score is none of them."""
    return [trial for trial in _ranked(scores)[:count] if math.isfinite(scores[trial].value)]
