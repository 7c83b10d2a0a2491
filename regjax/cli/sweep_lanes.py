"""The lanes of the points of a sweep."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Collection
from typing import TYPE_CHECKING

from regjax.catalog import LOSSES
from regjax.cli import setup
from regjax.cli.grid import Point
from regjax.cli.grid_text import as_options
from regjax.core.rng import run_key
from regjax.sweeps import Lane
from regjax.training.run import make_run

if TYPE_CHECKING:
    from regjax.cli.search_options import SearchOptions
    from regjax.cli.sweep_runs import FoldRuns, SeedRuns
    from regjax.training.spec import Spec


class SweepLanes:
    """Makes a lane for each run of a point.

    Args:
      config: the options of the sweep.
      spec: of all runs.
      runs: the runs of each point.
      swept: the swept names, whose regularizers are in the program of every point.
    """

    def __init__(self, config: SearchOptions, spec: Spec, runs: SeedRuns | FoldRuns, swept: Collection[str]):
        self.config, self.spec, self.runs, self._swept = config, spec, runs, tuple(swept)
        self._run = make_run(spec)

    def of(self, point: Point) -> list[Lane]:
        """The lanes of a point."""
        config = self.config
        at_point = dataclasses.replace(config, **as_options(config, point.values))
        hparams_of = functools.cache(
            functools.partial(
                setup.hparams_of,
                at_point,
                restore_best=config.restore_best,
                standardization=None,
                augment=point.values.get("augment", 1.0),
                present=self._swept,
            )
        )
        lanes = []
        for one in self.runs.runs:
            own = self.runs.preprocessor(one, at_point.train_examples)
            hparams = hparams_of(self.runs.facts_of(one))._replace(standardization=own.standardization)
            lanes.append(Lane(self._run, hparams, run_key(one.seed), one.row))
        return lanes

    def units(self, point: Point) -> list[float]:
        """The factors that give the losses of the runs of a point one unit."""
        config, whole = self.config, self.runs.loaded.preprocessor
        size = dataclasses.replace(config, **as_options(config, point.values)).train_examples
        power = LOSSES[self.spec.loss].power
        return [self.runs.preprocessor(one, size).loss_unit(whole, power) for one in self.runs.runs]
