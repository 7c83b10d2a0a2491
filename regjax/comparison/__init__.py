"""Which regularizer helps on this data: techniques, selection, statistics."""

from regjax.comparison.procedure import compare
from regjax.comparison.result import CompareResult, GridPoint, Improvement, Spread, TechniqueResult
from regjax.comparison.techniques import Technique, penalty_technique

__all__ = [
    "CompareResult",
    "GridPoint",
    "Improvement",
    "Spread",
    "Technique",
    "TechniqueResult",
    "compare",
    "penalty_technique",
]
