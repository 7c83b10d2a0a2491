"""Studies are what their records say: each is run again, in part."""

import json
from pathlib import Path

import jax
import numpy as np
import pytest

import regjax as rj
from experiments.studies import augmentation_order, unreached_entries
from regjax.data import Preprocessor

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


def test_orders_of_augmentation_agree_where_pixels_only_move():
    """The two orders of the study see the same images, so that it compares orders and nothing else."""
    pixels = np.random.default_rng(0).integers(0, 256, (16, 8, 8, 3)).astype(np.uint8)
    pre, key = Preprocessor.fit(pixels, "image"), jax.random.key(0)
    made = augmentation_order.orders(rj.models.make_model("linear", num_outputs=2), pre, "pad_crop=2,flip=0.5")
    raw = made["raw"][1].apply(key, pixels)
    assert raw.dtype == np.uint8
    assert (np.asarray(raw) != pixels).any()
    later = pre.transform(np.asarray(raw))
    np.testing.assert_allclose(made["standardized"][1].apply(key, pre.transform(pixels)), later, atol=1e-5)


def test_the_record_of_the_orders_has_the_bytes_of_the_pool():
    record = json.loads((RECORDS / "augmentation_order.json").read_text())
    assert record["pool_megabytes"] == {"standardized": 614.4, "raw": 153.6}
    assert set(record["times"]) == set(augmentation_order.POLICIES)
