"""The search over subsets and strengths, and the same search over single regularizers, with one budget."""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from typing import NamedTuple

import regjax as rj
from experiments.cocktails.parts import Program, drawn_programs
from experiments.cocktails.problem import Problem
from regjax.sweeps import Halving, Schedule, Score, halving_rungs, random_points, search

PROGRAMS, TRIALS, REDUCTION, MIN_EPOCHS = 4, 40, 3, 5
SEARCHES: dict[str, Program | None] = {
    "cocktail": None,
    "plain": Program(()),
    "early stopping": Program(("early_stopping",)),
    "decoupled L2": Program(("early_stopping", "decoupled")),
    "dropout": Program(("early_stopping", "dropout")),
}
"""What is searched: cocktails, and nets with the learning rate and at most two parts."""


class Found(NamedTuple):
    """What a search found on a split."""

    program: Program
    point: dict[str, float]
    validation: float  # the accuracy by which it was chosen
    epochs: int  # that it trained in all
    trials: int


def programs_seed(name: str) -> int:
    """By which the programs of a data set are drawn."""
    return zlib.crc32(name.encode())


def searched(problem: Problem, name: str, number: int, *, programs: int = PROGRAMS, trials: int = TRIALS) -> Found:
    """Search on a split. The test examples are not touched.

    A search has `programs * trials` trials by successive halving: cocktails `trials` of each of the programs, which are
    drawn for a data set and serve all its splits; the others all of their one program.
    """
    alone = SEARCHES[name]
    each = [alone] if alone else drawn_programs(programs, programs_seed(problem.data.name))
    share = programs * trials // len(each)
    rungs = halving_rungs(share, problem.epochs, min_epochs=min(MIN_EPOCHS, problem.epochs), reduction=REDUCTION)
    best: tuple[Score, Program, dict[str, float]] | None = None
    epochs = 0
    for place, program in enumerate(each):
        points = random_points(program.space(), share, seed=1_000 * number + place)
        found = search(
            Schedule(Halving(rungs)),
            lambda trial, program=program, points=points: [problem.lane(program, points[trial], number)],  # type: ignore[misc]
            problem.arrays,
            score=problem.score,
        )
        epochs += found.epochs
        for step in found.steps:
            ended = step.task.until == problem.epochs and math.isfinite(step.score.value)
            if ended and (best is None or step.score > best[0]):
                best = step.score, program, points[step.task.trial]
    if best is None:
        raise RuntimeError(f"{problem.data.name}, split {number}: no trial of {name} has a finite score")
    score, program, point = best
    return Found(program, point, score.value, epochs, share * len(each))


def outcomes(problem: Problem, found: Sequence[Found]) -> list[dict[str, float]]:
    """The metrics on the test examples of what was found on each split, and of nothing else.

    A search keeps no weights, so the runs are trained once more; they are the same in every bit.
    """
    lanes = [problem.lane(one.program, one.point, number) for number, one in enumerate(found)]
    results = rj.run_lanes(lanes, problem.arrays)
    return [
        problem.metrics(lane.run, result, number, "test")
        for number, (lane, result) in enumerate(zip(lanes, results, strict=True))
    ]
