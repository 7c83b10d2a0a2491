"""Early stopping: the rule, its state, and the weights that it keeps."""

from __future__ import annotations

from regjax.stopping.early_stopping import NEVER, REASONS, EarlyStopping, StopState, keep_best

__all__ = ["NEVER", "REASONS", "EarlyStopping", "StopState", "keep_best"]
