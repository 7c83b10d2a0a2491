import numpy as np

from regjax.claims.grids import CHOSEN, L1_STRENGTHS, L2_STRENGTHS, RATES, SETTINGS, strength_picture
from tests.claims.test_lab import trained


def test_settings_have_the_strengths_that_the_designs_name():
    for family, values in (("l2", L2_STRENGTHS), ("l1", L1_STRENGTHS), ("dropout", RATES)):
        assert [float(label) for label in SETTINGS[family]] == list(values)
        assert ", ".join(SETTINGS[family]) in CHOSEN[family]
    assert SETTINGS["dropout"]["0.4"].regularizers["rates"] == {"dropout": 0.4}
    assert SETTINGS["l1"]["0.001"].regularizers["penalties"]["proximal"].value({"w": np.ones((2, 3))}) == np.float32(
        0.006
    )


def test_the_picture_has_the_mean_of_the_last_losses():
    found = {"0.1": trained([[0, 0]], [[9, 1], [9, 3]]), "0.2": trained([[0, 0]], [[9, 5], [9, 5]])}
    picture = strength_picture(found, "t", "strength")
    assert picture.x.tolist() == [0.1, 0.2]
    assert picture.lines["test"].tolist() == [2.0, 5.0]
