"""The study of false verdicts on claims: on effects whose distribution is known, and its record."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from experiments.studies import claims
from regjax.claims.judge import LEVEL

RECORDS = Path(__file__).resolve().parents[2] / "experiments/records"


def test_student_holds_its_level_on_normal_effects_and_the_sign_test_its_own():
    """4,000 pages of one circumstance: binomial bounds with a false alarm below 1e-4 for each of the four."""
    values = stats.norm.ppf((np.arange(200) + 0.5) / 200)
    found = claims.exceeded(values, 1, 4000, np.random.default_rng(0))
    low, high = stats.binom.ppf([1e-4, 1 - 1e-4], 4000, LEVEL)
    for name in ("student up", "student down"):
        assert low <= found[name].sum() <= high
    exact = stats.binom.sf(stats.binom.isf(LEVEL, 200, 0.5), 200, 0.5)
    for name in ("sign up", "sign down"):
        assert found[name].mean() == pytest.approx(exact, abs=0.02)


def test_far_out_student_fails_on_skewed_effects_and_the_sign_test_does_not():
    """At 5% / 142 a rate of ten times that is 14 of 4,000 pages; the sign test is at most at 1.4 expected."""
    values = stats.expon.ppf((np.arange(20) + 0.5) / 20)
    found = claims.exceeded(values, 142, 4000, np.random.default_rng(1))
    assert found["student down"].sum() > 14
    assert max(found["sign up"].sum(), found["sign down"].sum()) <= stats.binom.ppf(1 - 1e-4, 4000, LEVEL / 142)


def test_a_page_has_a_false_verdict_if_any_circumstance_has_one():
    case = {"values": [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]}
    record = {"tests": 1, "claims": [{"circumstances": [case] * 2}, {"circumstances": [{"values": [1.0] * 6}]}]}
    found = claims.run(record, pages=2000)
    alone = claims.run({"tests": 1, "claims": [{"circumstances": [case]}]}, pages=2000)
    assert (found["circumstances"], alone["circumstances"]) == (2, 1)
    assert found["sign_up"] > alone["sign_up"]


def test_the_record_is_of_the_claims_beside_it():
    record, errors = (json.loads((RECORDS / name).read_text()) for name in ("claims/claims.json", "claims_errors.json"))
    assert errors["tests"] == record["tests"]
    assert errors["pages"] == claims.PAGES
    spread = [len(set(case["values"])) > 1 for claim in record["claims"] for case in claim["circumstances"]]
    assert errors["circumstances"] == sum(spread)
