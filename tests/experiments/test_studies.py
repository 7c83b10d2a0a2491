"""Studies are what their records say: each is run again, in part."""

import json
from pathlib import Path

import numpy as np
import pytest

from experiments.studies import step_down, unreached_entries

RECORDS = Path(__file__).resolve().parents[2] / "experiments/records"


@pytest.mark.slow
def test_entries_without_a_gradient():
    record = json.loads((RECORDS / "unreached_entries.json").read_text())["answers"]
    for name, make in unreached_entries.ANSWERS.items():
        found = unreached_entries.lasso(make)
        assert found["zeros"] == record[name]["lasso"]["zeros"]
        assert found["largest_error"] == pytest.approx(record[name]["lasso"]["largest_error"], abs=1e-4)
    # A fraction of 2,000 rows over five seeds in the record and one here: 0.03 is more than six of its standard errors.
    found = unreached_entries.tokens(unreached_entries.ANSWERS["formula"], 0)
    assert found["zero_rows_after_1"] == pytest.approx(record["formula"]["tokens"]["zero_rows_after_1"], abs=0.03)
    found = unreached_entries.tokens(unreached_entries.ANSWERS["leaf"], 0)
    assert found["zero_rows_after_1"] == record["leaf"]["tokens"]["zero_rows_after_1"] == 0


def test_step_down_finds_what_the_record_says():
    """300 of the 3,000 comparisons: 4.9 standard errors of each share."""
    record = json.loads((RECORDS / "step_down.json").read_text())
    found, known = step_down.rates(7, comparisons=300), record["runs"]["7"]
    assert found["effect"] == known["effect"]
    for case in ("family_wise_error", "family_wise_error_beside_true_effects", "power"):
        for name, share in known[case].items():
            margin = 4.9 * np.sqrt(max(share * (1 - share), 1 / 300) / 300)
            assert abs(found[case][name] - share) < margin
    for runs in record["runs"].values():
        for case in ("family_wise_error", "family_wise_error_beside_true_effects"):
            assert runs[case]["step_down"] <= record["level"]
        assert runs["power"]["step_down"] >= runs["power"]["holm"]
