"""A claim, which is a statement that an experiment can contradict, and what was measured for it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from regjax.claims.judge import RELATIONS
from regjax.core.checks import check_choice
from regjax.core.errors import InputError

RUNS_PER_SEED = 6


class Picture(NamedTuple):
    """Curves that a claim is about, drawn beside its effects.

    Attributes:
      title: heading, a phrase without a full stop.
      x_label: what the axis shows, with its unit.
      y_label: likewise.
      x: `[P]`, positions of the points.
      lines: by label, `[P]`.
      log_x: whether the axis is logarithmic.
      log_y: likewise.
      mark: a position on the x axis that is pointed out, or None.
    """

    title: str
    x_label: str
    y_label: str
    x: np.ndarray
    lines: Mapping[str, np.ndarray]
    log_x: bool = False
    log_y: bool = False
    mark: float | None = None


class Measured(NamedTuple):
    """What the runs of a claim gave.

    Attributes:
      effects: by circumstance, `[runs]`, one effect for each independent run, in the unit of the claim.
      pictures: curves, averaged over runs where there are several.
    """

    effects: Mapping[str, np.ndarray]
    pictures: Sequence[Picture] = ()


Measure = Callable[[Sequence[int]], Measured]  # (numbers of the runs) -> Measured


@dataclasses.dataclass(frozen=True)
class Claim:
    """A statement with everything that is fixed before it is measured.

    Attributes:
      name: identifier, as `test_error_turns_up`.
      chapter: heading of the guide under which it stands.
      statement: what is claimed, in a sentence.
      hypothesis: what the numbers have to show, with the margin in words.
      design: data, nets, settings and runs, in a few sentences.
      quantity: what the effect is, a noun phrase that begins a sentence.
      unit: of the effect, as `"points"` or `"%"`.
      margin: the smallest effect that counts, in that unit.
      relation: `"above"`, the effect exceeds the margin; `"within"`, it lies between minus and plus the margin.
      circumstances: labels of where it is measured, in the order of the page.
      measure: trains and measures.
      controls: circumstances of which the statement does not speak, where the effect is expected not to reach the
        margin. They are judged and shown, and have no part in the verdict on the claim.
      literature: what has been published on it, with its source; empty if nothing is cited.
      runs_per_seed: independent runs for each seed.
    """

    name: str
    chapter: str
    statement: str
    hypothesis: str
    design: str
    quantity: str
    unit: str
    margin: float
    circumstances: tuple[str, ...]
    measure: Measure
    relation: str = "above"
    controls: tuple[str, ...] = ()
    literature: str = ""
    runs_per_seed: int = RUNS_PER_SEED

    def __post_init__(self) -> None:
        check_choice("Claim: relation", self.relation, RELATIONS)
        if not np.isfinite(self.margin) or (self.relation == "within" and self.margin <= 0):
            raise InputError(f"Claim {self.name}: margin must be a number, above 0 with 'within', got {self.margin}")
        unknown = sorted(set(self.controls) - set(self.circumstances))
        if unknown:
            raise InputError(f"Claim {self.name}: controls {unknown} are no circumstances of it")
        if len(self.controls) >= len(self.circumstances):
            raise InputError(f"Claim {self.name}: needs at least one circumstance that is no control")

    def runs(self, seeds: Sequence[int]) -> list[int]:
        """Return the numbers of the runs of some seeds; each seed has runs of its own."""
        return [seed * self.runs_per_seed + i for seed in seeds for i in range(self.runs_per_seed)]

    def measured(self, seeds: Sequence[int]) -> Measured:
        """Measure the claim.

        Raises:
          RuntimeError: the measurement gave other circumstances, or another number of runs, than the claim states.
        """
        found = self.measure(self.runs(seeds))
        expected = len(self.runs(seeds))
        shapes = {label: np.shape(values) for label, values in found.effects.items()}
        if shapes != dict.fromkeys(self.circumstances, (expected,)):
            raise RuntimeError(f"claim {self.name}: measured {shapes}, stated {expected} runs of {self.circumstances}")
        return found
