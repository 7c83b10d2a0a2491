"""All claims, in the order of the guide, and how a measured one is stored."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from regjax.claims import dropout, fit, l1, l2, left_out, remedies
from regjax.claims.claim import Claim, Measured, Picture
from regjax.claims.judge import LEVEL, Finding, judge, verdict_of

CLAIMS: dict[str, Claim] = {
    claim.name: claim for module in (fit, remedies, l2, l1, dropout, left_out) for claim in module.CLAIMS
}

TESTS = sum(len(claim.circumstances) for claim in CLAIMS.values())
"""All circumstances of all claims are judged together, whichever of them are measured."""


def entry(claim: Claim, measured: Measured, seeds: Sequence[int], tests: int = TESTS) -> dict[str, Any]:
    """What `claims.json` has of a claim, with the verdict and everything that it rests on.

    Args:
      claim: the claim.
      measured: its effects.
      seeds: the seeds of the runs.
      tests: as in `judge`.

    Returns:
      A JSON object; numbers that do not exist are None.
    """
    findings = {
        label: judge(measured.effects[label].tolist(), claim.margin, claim.relation, tests)
        for label in claim.circumstances
    }
    return {
        "name": claim.name,
        "chapter": claim.chapter,
        "statement": claim.statement,
        "hypothesis": claim.hypothesis,
        "design": claim.design,
        "quantity": claim.quantity,
        "unit": claim.unit,
        "margin": claim.margin,
        "decimals": decimals(claim.margin),
        "relation": claim.relation,
        "literature": claim.literature,
        "verdict": verdict_of([one for label, one in findings.items() if label not in claim.controls]),
        "runs": len(claim.runs(seeds)),
        "level": LEVEL / tests,
        "circumstances": [
            _circumstance(label, one, measured.effects[label], label in claim.controls)
            for label, one in findings.items()
        ],
        "pictures": [_picture(picture) for picture in measured.pictures],
    }


def decimals(margin: float) -> int:
    """Decimals with which effects are written beside a margin: one more than the margin has, and at least one.

    Example:
      >>> decimals(10.0), decimals(0.1), decimals(0.001)
      (1, 2, 4)
    """
    return next(digits for digits in range(7) if digits == 6 or round(margin, digits) == margin) + 1


def _circumstance(label: str, finding: Finding, effects: np.ndarray, control: bool) -> dict[str, Any]:
    return {
        "label": label,
        "control": control,
        "verdict": finding.verdict,
        "median": _number(finding.median),
        "ci95": [_number(finding.low), _number(finding.high)],
        "p": _number(finding.p),
        "reason": finding.reason,
        "values": [_number(value) for value in effects],
    }


def _picture(picture: Picture) -> dict[str, Any]:
    lines = {label: [_number(value) for value in values] for label, values in picture.lines.items()}
    return picture._asdict() | {"x": [_number(value) for value in picture.x], "lines": lines}


def _number(value: float) -> float | None:
    """A number with seven digits, for a small file; None if it is not finite."""
    return float(f"{value:.7g}") if math.isfinite(value) else None
