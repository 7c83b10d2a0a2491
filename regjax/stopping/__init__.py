"""Early stopping: the rule, its state, and the weights that it keeps."""

from __future__ import annotations

from regjax.stopping.early_stopping import CRITERIA, NEVER, REASONS, EarlyStopping, StopState, keep_best

__all__ = ["CRITERIA", "NEVER", "REASONS", "EarlyStopping", "StopState", "keep_best"]
