import dataclasses

import numpy as np
import pytest

from regjax.claims.claim import Claim, Measured
from regjax.core.errors import InputError


def claim(measure=lambda runs: Measured({"here": np.zeros(len(runs))}), **changes):
    fields = {
        "name": "a", "chapter": "c", "statement": "s", "hypothesis": "h", "design": "d", "quantity": "The effect",
        "unit": "%", "margin": 1.0, "circumstances": ("here",), "measure": measure,
    }  # fmt: skip
    return Claim(**fields | changes)


def test_seeds_have_runs_of_their_own():
    assert claim().runs([0, 1]) == list(range(12))
    assert claim(runs_per_seed=2).runs([3]) == [6, 7]
    assert not set(claim().runs([0, 2])) & set(claim().runs([1, 3]))


def test_a_measurement_has_an_effect_for_each_run_and_circumstance():
    assert claim().measured([0, 1]).effects["here"].shape == (12,)
    for effects in ({"there": np.zeros(12)}, {"here": np.zeros(7)}, {"here": np.zeros(12), "there": np.zeros(12)}):
        with pytest.raises(RuntimeError, match="12 runs of"):
            claim(lambda runs, found=effects: Measured(found)).measured([0, 1])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"relation": "below"}, "relation"),
        ({"margin": np.nan}, "margin must be a number"),
        ({"margin": 0.0, "relation": "within"}, "above 0 with 'within'"),
        ({"circumstances": ()}, "at least one circumstance"),
    ],
)
def test_what_is_no_claim_is_refused(changes, message):
    with pytest.raises(InputError, match=message):
        claim(**changes)


def test_a_claim_cannot_be_changed_after_it_was_made():
    with pytest.raises(dataclasses.FrozenInstanceError):
        claim().margin = 0.5
