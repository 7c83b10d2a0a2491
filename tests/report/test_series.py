import numpy as np

from regjax.report.series import as_array, band, epochs


def test_null_is_a_gap():
    assert np.isnan(as_array([1.0, None, "x"])[1:]).all()
    assert as_array(None).size == 0


def test_band():
    curves = {"val_loss": {"mean": [1.0, None], "low": [0.5, None], "high": [2.0, None]}}
    found = band(curves, "val_loss")
    assert found.top == 1.0
    assert np.isnan(found.mean[1])
    assert band(curves, "train_loss") is None
    assert band({"val_loss": {"mean": [None, None]}}, "val_loss") is None


def test_band_without_ends_is_its_mean():
    found = band({"val_loss": {"mean": [1.0, 2.0]}}, "val_loss")
    assert found.low.tolist() == found.high.tolist() == [1.0, 2.0]


def test_band_ends_when_fewer_than_half_run():
    part = {"mean": [1.0, 2.0, 3.0], "low": [0.0] * 3, "high": [9.0] * 3}
    found = band({"val_loss": part, "runs": [10, 5, 4]}, "val_loss")
    assert found.mean[:2].tolist() == [1.0, 2.0]
    assert np.isnan([found.mean[2], found.low[2], found.high[2]]).all()


def test_epochs_count_from_zero():
    assert epochs({}, 3).tolist() == [0.0, 1.0, 2.0]
    assert epochs({"epoch": [0, 2, 4]}, 3).tolist() == [0.0, 2.0, 4.0]
