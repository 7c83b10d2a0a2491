"""Averages of weights along training: EMA, SWA, lookahead, and snapshots for an ensemble.

One contract: `init(params) -> state`, then after every update `update(state, params) -> (state, params)`. The
returned params continue training (only lookahead changes them); `state.evaluated(params)` are the weights to evaluate
and to keep. All numbers are data, so a sweep over them does not recompile.
"""

from __future__ import annotations

from collections.abc import Callable

from regjax.averaging.base import Average, AverageState, averaged_params
from regjax.averaging.moving import ema, lookahead, swa
from regjax.averaging.snapshots import Ensemble, SnapshotState, ensemble_outputs, snapshot_schedule, snapshots
from regjax.core.checks import check_range
from regjax.core.parse import parse_sum

__all__ = [
    "AVERAGES",
    "Average",
    "AverageState",
    "Ensemble",
    "SnapshotState",
    "averaged_params",
    "ema",
    "ensemble_outputs",
    "lookahead",
    "parse_average",
    "snapshot_schedule",
    "snapshots",
    "swa",
]

AVERAGES: dict[str, Callable[..., Average]] = {"ema": ema, "lookahead": lookahead, "snapshots": snapshots, "swa": swa}


def parse_average(text: str) -> Average:
    """Parse an average from the text of a flag, as `"ema(0.999)"`; nothing is evaluated. See `regjax.core.parse`.

    Raises:
      InputError: one line that says what cannot be read or does not fit.

    Example:
      >>> parse_average("swa(start=100, every=10)").kind
      'swa'
    """
    averages = parse_sum(text, AVERAGES, "average")
    check_range("average: number of averages", len(averages), 1, 1)
    return averages[0]
