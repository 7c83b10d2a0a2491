"""Early stopping: the rule, its state, and keeping the best weights."""

from __future__ import annotations

from regjax.stopping.criteria import CRITERIA, Criterion
from regjax.stopping.early_stopping import NEVER, REASONS, EarlyStopping, StopState, keep_best
from regjax.stopping.replay import replay

__all__ = ["CRITERIA", "NEVER", "REASONS", "Criterion", "EarlyStopping", "StopState", "keep_best", "replay"]
