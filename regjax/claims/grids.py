"""Strengths of L2, L1 and dropout that several claims look at, trained once for all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from regjax.claims.claim import Picture
from regjax.claims.lab import Setting, Trained, shared, train
from regjax.penalties import l1, l2

L2_STRENGTHS = (0.001, 0.003, 0.01, 0.03)
L1_STRENGTHS = (0.0003, 0.001, 0.003, 0.01)
RATES = (0.2, 0.4, 0.6, 0.8)


def _listed(values: Sequence[float]) -> str:
    return ", ".join(f"{value:g}" for value in values)


CHOSEN = {
    "l2": f"The strength of L2 ({_listed(L2_STRENGTHS)}) is chosen in each run by the validation loss.",
    "l1": f"The strength of proximal L1 ({_listed(L1_STRENGTHS)}) is chosen in each run by the validation loss.",
    "dropout": f"The rate of dropout ({_listed(RATES)}) is chosen in each run by the validation loss.",
}
SETTINGS: dict[str, dict[str, Setting]] = {
    "l2": {f"{s:g}": Setting(regularizers={"penalties": {"loss": l2(s)}}) for s in L2_STRENGTHS},
    "l1": {f"{s:g}": Setting(regularizers={"penalties": {"proximal": l1(s)}}) for s in L1_STRENGTHS},
    "dropout": {f"{rate:g}": Setting(regularizers={"rates": {"dropout": rate}}) for rate in RATES},
}


@shared
def grid(family: str, name: str, runs: Sequence[int]) -> dict[str, Trained]:
    """The nets of a problem at all strengths of a family, followed on both parts.

    Args:
      family: of `SETTINGS`.
      name: of `PROBLEMS`.
      runs: numbers of the runs.
    """
    return train(name, runs, SETTINGS[family], ("validation", "test"))


def strength_picture(found: Mapping[str, Trained], title: str, x_label: str, log_x: bool = True) -> Picture:
    """Training and test loss after the last epoch against the strength, as means over the runs."""
    x = np.array([float(label) for label in found])
    on_train, on_test = (np.array([one.last(part).mean() for one in found.values()]) for part in ("train", "test"))
    return Picture(title, x_label, "loss", x, {"training": on_train, "test": on_test}, log_x=log_x)
