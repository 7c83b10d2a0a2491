"""The record of the README is what today's code gives; where it is not, the record is to be made anew."""

import json
from pathlib import Path

import numpy as np
import pytest

import regjax as rj

RECORD = Path(__file__).resolve().parents[2] / "experiments/records/digits/results.json"


@pytest.mark.slow
def test_the_record_of_digits_is_what_the_code_gives():
    """The first two of its seeds, at the values that it chose. `scripts/records --run digits` makes it anew."""
    record = json.loads(RECORD.read_text())
    chosen = {
        name: [record["techniques"][name]["chosen"]["value"]] for name in ("augmentation", "l2", "l1", "dropout")
    } | {"early_stopping": []}
    found = rj.compare("mlp", rj.data.load("digits"), chosen, seeds=2)
    assert {key: found.settings[key] for key in record["settings"]} == record["settings"]
    for name, row in [("baseline", found.baseline), *found.techniques.items()]:
        if name == "combination":
            continue
        recorded = record["baseline"] if name == "baseline" else record["techniques"][name]
        # Another processor rounds in another way, which 800 updates carry to a few of 360 examples.
        np.testing.assert_allclose(row.test.values, recorded["test"]["values"][:2], atol=7.5 / 360, err_msg=name)
        np.testing.assert_allclose(row.test_loss.values, recorded["test_loss"]["values"][:2], rtol=0.1, err_msg=name)
        if recorded["zero_fraction"]:
            assert row.zero_fraction == pytest.approx(recorded["zero_fraction"], abs=0.02)
