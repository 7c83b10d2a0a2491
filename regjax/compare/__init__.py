"""Which regularizer helps on this data: techniques, selection, statistics."""

from regjax.compare.catalog import TECHNIQUES
from regjax.compare.procedure import compare
from regjax.compare.result import CompareResult, GridPoint, Improvement, Spread, TechniqueResult
from regjax.compare.techniques import Technique, penalty_technique

__all__ = [
    "TECHNIQUES",
    "CompareResult",
    "GridPoint",
    "Improvement",
    "Spread",
    "Technique",
    "TechniqueResult",
    "compare",
    "penalty_technique",
]
