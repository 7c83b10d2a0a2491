"""All claims, and that planted ones get the verdict that is known."""

import dataclasses
import json

import jax.numpy as jnp
import numpy as np
import pytest

from regjax.claims import dropout, fit, l1, l2, lab, left_out, remedies
from regjax.claims.claim import Measured
from regjax.claims.registry import CLAIMS, TESTS, entry
from regjax.core import rng
from regjax.noise import dropout as drop
from tests.claims.test_claim import claim


def test_names_and_circumstances_are_unique():
    assert len(CLAIMS) >= 30
    for one in CLAIMS.values():
        assert len(set(one.circumstances)) == len(one.circumstances)
        assert one.statement.endswith(".")
        assert one.hypothesis.endswith(".")
    assert sum(len(one.circumstances) for one in CLAIMS.values()) == TESTS


SHORT_RUNS = [1000, 1005]  # of no other test, because nets are kept by the numbers of their runs
FEWER = (
    (fit, "CURVES"), (remedies, "CURVES"), (remedies, "TUNED"), (left_out, "CURVES"), (l2, "NETWORKS"),
    (l2, "COMPLEX"), (l1, "COMPLEX"), (l1, "ZEROS"), (dropout, "PROBLEMS"), (dropout, "DEPENDENT"),
)  # fmt: skip


@pytest.fixture(scope="module")
def short():
    """Two epochs in place of 150 and few problems, so that few programs are compiled."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lab, "EPOCHS", 2)
        patch.setattr(fit, "LEARNED", ("noisy digits", "random labels"))
        for module, name in FEWER:
            assert "noisy digits" in getattr(module, name)
            patch.setattr(module, name, ("noisy digits",))
        patch.setattr(remedies, "SIZED", ("noisy digits", "teacher"))
        patch.setattr(remedies, "AUGMENTATIONS", dict(list(remedies.AUGMENTATIONS.items())[:1]))
        yield


@pytest.mark.slow
@pytest.mark.parametrize("name", CLAIMS)
def test_every_claim_is_measured_as_it_states(short, name):
    one = CLAIMS[name]
    found = one.measure(SHORT_RUNS)
    assert found.effects
    assert set(found.effects) <= set(one.circumstances)
    assert all(values.shape == (2,) for values in found.effects.values())
    assert all(np.isfinite(values).all() for values in found.effects.values()) or name == "gap_means_harm"
    assert all(len(line) == len(picture.x) for picture in found.pictures for line in picture.lines.values())


def _share_of_zeros(rate):
    return lambda runs: Measured(
        {"here": np.array([100 * float(jnp.mean(drop(rng.run_key(r), jnp.ones(10_000), rate) == 0)) for r in runs])}
    )


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({"margin": 40.0}, "supported"),  # true: at rate 0.5, more than 40% are dropped
        ({"margin": 60.0}, "below the margin"),  # less than is claimed, but some
        ({"margin": 10.0, "relation": "within"}, "contradicted"),  # false: at most 10%
        ({"margin": 40.0, "runs_per_seed": 2}, "not shown"),  # true, with too few runs
    ],
)
def test_planted_claims_get_the_verdict_that_is_known(changes, verdict):
    planted = claim(_share_of_zeros(0.5), **changes)
    found = entry(planted, planted.measured([0, 1, 2]), [0, 1, 2])
    assert found["verdict"] == verdict
    if "runs_per_seed" in changes:
        assert found["circumstances"][0]["reason"] == "6 runs are too few; at least 12 are needed"


def test_a_control_is_judged_and_has_no_part_in_the_verdict():
    found = {"here": np.full(18, 5.0), "there": np.full(18, -5.0)}
    planted = claim(lambda runs: Measured(found), circumstances=("here", "there"))
    controlled = dataclasses.replace(planted, controls=("there",))
    verdicts = [entry(one, one.measured([0, 1, 2]), [0, 1, 2]) for one in (planted, controlled)]
    assert [one["verdict"] for one in verdicts] == ["depends on", "supported"]
    assert [case["verdict"] for case in verdicts[1]["circumstances"]] == ["supported", "contradicted"]
    assert [case["control"] for case in verdicts[1]["circumstances"]] == [False, True]


def test_an_entry_is_json_and_rounds_to_seven_digits():
    one = claim(lambda runs: Measured({"here": np.array([1 / 3, np.nan] * 6)}))
    found = entry(one, one.measured([0, 1]), [0, 1], tests=10)
    case = found["circumstances"][0]
    assert case["values"][:2] == [0.3333333, None]
    assert (case["median"], case["reason"]) == (None, "6 of 12 runs have no number")
    assert found["level"] == pytest.approx(0.005)
    json.dumps(found, allow_nan=False)
