"""How many techniques are found that help, and how many that do not, by Holm's correction and by step-down maxT.

The study behind the correction of a comparison (`regjax.analysis.joint_flips`).

Command: `python -m experiments.studies.step_down` (about a minute on one core); it prints one JSON object, the record
`experiments/records/step_down.json`.

Seven techniques share a baseline, so that their differences from it are correlated by 0.5. Runs are independent and
normal. For each number of runs are given, with 3,000 simulated comparisons (standard error at most 0.009),

- the family-wise error where no technique matters, and where three of the seven have a large effect;
- the share of comparisons in which one technique is found whose true effect is what an uncorrected t-test finds with a
  power of 0.8, while the six others do nothing.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from absl import app

from regjax.analysis import holm, joint_flips, sign_flip_p

TECHNIQUES, COMPARISONS, LEVEL = 7, 3_000, 0.05
RUNS = (3, 5, 6, 7, 8, 10)


def differences(rng: np.random.Generator, runs: int, effects: np.ndarray) -> np.ndarray:
    """Technique minus baseline, `[runs, techniques]`, each of standard deviation 1 and correlated by 0.5."""
    own, baseline = rng.normal(size=(runs, len(effects))), rng.normal(size=(runs, 1))
    found: np.ndarray = (own - baseline) / np.sqrt(2) + effects
    return found


def uncorrected_effect(runs: int, power: float = 0.8) -> float:
    """The effect, in standard deviations, that a two-sided paired t-test at the 5% level finds with this power."""
    from scipy import stats

    def found(effect: float) -> float:
        quantile = stats.t.ppf(1 - LEVEL / 2, runs - 1)
        return float(stats.nct.sf(quantile, runs - 1, effect * np.sqrt(runs)))

    low, high = 0.0, 20.0
    for _ in range(60):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if found(middle) < power else (low, middle)
    return high


def rejected(d: np.ndarray) -> dict[str, np.ndarray]:
    """Which techniques each correction finds."""
    by_holm = holm([sign_flip_p(column) for column in d.T])
    return {
        "holm": np.array([p is not None and p <= LEVEL for p in by_holm]),
        "step_down": np.array([test.p_adjusted <= LEVEL for test in joint_flips(d)]),
    }


def rates(runs: int, comparisons: int = COMPARISONS) -> dict[str, Any]:
    """Errors and power of both corrections for a number of runs."""
    rng, effect = np.random.default_rng(runs), uncorrected_effect(runs)
    cases = {
        "family_wise_error": np.zeros(TECHNIQUES),
        "family_wise_error_beside_true_effects": np.array([5.0] * 3 + [0.0] * (TECHNIQUES - 3)),
        "power": np.array([effect] + [0.0] * (TECHNIQUES - 1)),
    }
    out: dict[str, Any] = {"effect": round(effect, 3)}
    for case, effects in cases.items():
        counts = {"holm": 0, "step_down": 0}
        for _ in range(comparisons):
            for name, found in rejected(differences(rng, runs, effects)).items():
                counts[name] += bool(found[0] if case == "power" else found[effects == 0].any())
        out[case] = {name: round(count / comparisons, 4) for name, count in counts.items()}
    return out


def run() -> dict[str, Any]:
    """Everything."""
    return {
        "techniques": TECHNIQUES,
        "correlation": 0.5,
        "level": LEVEL,
        "comparisons": COMPARISONS,
        "runs": {str(runs): rates(runs) for runs in RUNS},
    }


def main(argv: list[str]) -> None:
    """Print the record."""
    del argv
    print(json.dumps(run(), indent=2))


if __name__ == "__main__":
    app.run(main)
