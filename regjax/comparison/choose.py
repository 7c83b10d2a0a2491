"""Chooses a setting of each technique by its scores on the selection split."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from regjax.analysis import choose
from regjax.comparison.techniques import Technique
from regjax.comparison.train import Outcome
from regjax.core.typing import Json


class Pick(NamedTuple):
    """The chosen setting of a technique, with its position in the grid."""

    position: int
    parameter: str
    value: float
    edge: str | None
    rule: str
    select_score: float
    parts: list[str] | None = None
    ties: int = 0  # splits in which the rule for ties decided

    def entry(self) -> dict[str, Json]:
        """Return the entry `chosen` of the results."""
        entry = self._asdict()
        del entry["position"]
        if self.parts is None:
            del entry["parts"]
        return entry


class Row(NamedTuple):
    """A row of the table: a technique, the outcome of each of its settings, and the chosen setting."""

    technique: Technique
    outcomes: Sequence[Outcome]
    pick: Pick
    fresh: Outcome | None = None

    @property
    def chosen(self) -> Outcome:
        """The outcome of the chosen setting, of the seeds that are tested."""
        return self.outcomes[self.pick.position] if self.fresh is None else self.fresh


def pick(technique: Technique, outcomes: Sequence[Outcome], rule: str) -> Pick:
    """Choose the setting of a technique by the rule `"best"` or `"1se"`."""
    scores = np.array([[e.score for e in outcome.select] for outcome in outcomes])
    losses = np.array([[e.loss for e in outcome.select] for outcome in outcomes])
    errors = None
    if scores.shape[1] == 1:  # of a single run, the error over the selection examples is known
        errors = [
            float(np.std(outcome.select[0].scores) / np.sqrt(len(outcome.select[0].scores))) for outcome in outcomes
        ]
    choice = choose(scores, losses, technique.values, rule, errors=errors)
    means = scores.mean(axis=1).tolist()
    best = round(max(means), 9)  # as `choose` rounds them
    return Pick(
        position=choice.position,
        parameter=technique.parameter,
        value=technique.values[choice.position],
        edge=choice.edge if technique.parameter and technique.has_edges else None,
        rule=rule,
        select_score=float(scores[choice.position].mean()),
        ties=int(rule == "best" and sum(best == round(mean, 9) for mean in means) > 1),
    )
