"""What each part of a cocktail contributes to its test score: Shapley values, from trainings of its subsets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import regjax as rj
from experiments.cocktails.parts import STRUCTURE, Program, on
from experiments.cocktails.problem import Problem
from experiments.cocktails.searching import Found
from regjax.analysis import ShapleyDesign, shapley_design
from regjax.analysis.shapley import Subset
from regjax.sweeps import LaneStore

MOST_SUBSETS = 64


def ablated(
    problem: Problem, found: Sequence[Found], store: LaneStore | None = None, most: int = MOST_SUBSETS
) -> list[dict[str, Any]]:
    """What the parts contribute to the accuracy on the test examples, for the cocktail of each split.

    Each subset of the parts is trained with the learning rate, the strengths and the seed of the cocktail. The score
    of all parts is that of the cocktail; without all of them it is that of the plain net with this learning rate.

    Args:
      problem: the data set.
      found: the cocktail of each split.
      store: keeps the runs, so that an ablation that was interrupted goes on.
      most: subsets of a split at most.
    """
    lanes: list[rj.Lane] = []
    designs: list[tuple[tuple[str, ...], ShapleyDesign | None, dict[Subset, int]]] = []
    for number, one in enumerate(found):
        parts = on(one.program, one.point)
        design = shapley_design(len(parts), most, seed=number) if parts else None
        places = {}
        for subset in design.subsets if design else ():
            places[subset] = len(lanes)
            lanes.append(_lane(problem, one, [parts[i] for i in subset], number))
        designs.append((parts, design, places))
    results = rj.run_lanes(lanes, problem.arrays, store=store)
    out = []
    for number, (parts, design, places) in enumerate(designs):
        scores = {
            subset: problem.metrics(lanes[place].run, results[place], number, "test")["accuracy"]
            for subset, place in places.items()
        }
        gained = [] if design is None else design.contributions(scores.__getitem__).tolist()
        out.append(
            {
                "parts": dict(zip(parts, gained, strict=True)),
                "none": scores.get(frozenset()),
                "all": scores.get(frozenset(range(len(parts)))),
                "subsets": len(scores),
                "exact": design is not None and design.orders is None,
            }
        )
    return out


def _lane(problem: Problem, found: Found, parts: Sequence[str], number: int) -> rj.Lane:
    """The run of a subset of the parts of a cocktail."""
    program: Program = found.program
    for name in STRUCTURE:
        if name in program.parts and name not in parts:
            program = program.without(name)
    kept = {name: value for name, value in found.point.items() if name == "learning_rate" or name in parts}
    return problem.lane(program, kept, number)
