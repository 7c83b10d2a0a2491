import numpy as np
import pytest

from regjax.report.reliability import reliabilities


def row(name, confidence=(0.55, 0.9), accuracy=(0.42, 0.95), ece=0.09):
    bins = {"confidence": list(confidence), "accuracy": list(accuracy), "counts": [5] * len(confidence)}
    return {"name": name, "title": name, "calibration": {"ece": {"mean": ece}, "reliability": bins}}


def results(baseline, *techniques):
    return {"baseline": baseline, "techniques": {one["name"]: one for one in techniques}}


def test_each_technique_stands_before_the_baseline(drawn):
    base = row("baseline", (0.6, 0.8, 1.0), (0.4, 0.6, 0.8), ece=0.2)
    panels = reliabilities(results(base, row("l2"), row("l1", ece=None)))
    assert [panel.name for panel in panels] == ["reliability-l2", "reliability-l1"]
    assert "0.090" in panels[0].note
    assert "0.200" in panels[0].note
    assert "0.090" not in panels[1].note
    diagonal, baseline, own = drawn(panels[0]).lines
    np.testing.assert_array_equal(diagonal.get_xdata(), diagonal.get_ydata())
    np.testing.assert_array_equal(baseline.get_xydata(), [[0.6, 0.4], [0.8, 0.6], [1.0, 0.8]])
    np.testing.assert_array_equal(own.get_xydata(), [[0.55, 0.42], [0.9, 0.95]])


@pytest.mark.parametrize(("lowest", "low"), [(0.42, 0.4), (0.3, 0.3), (0.0, 0.0), (0.09, 0.0), (1.0, 0.9)])
def test_axes_are_shared_and_begin_below_every_point(drawn, lowest, low):
    """A point at 100% does not leave an empty axis."""
    one, other = row("l2", (1.0,), (1.0,)), row("l1", (1.0,), (lowest,))
    panels = reliabilities(results(row("baseline", (1.0,), (1.0,)), one, other))
    for axes in map(drawn, panels):
        assert axes.get_xlim()[0] == axes.get_ylim()[0] == pytest.approx(low)
        assert axes.get_xlim()[1] > 1
        assert axes.get_ylim()[1] > 1


@pytest.mark.parametrize("bare", [{}, {"calibration": None}, {"calibration": {"reliability": {"confidence": [None]}}}])
def test_rows_without_a_curve_are_left_out(bare):
    bare = {"name": "bare", "title": "bare", **bare}
    assert [panel.name for panel in reliabilities(results(row("baseline"), bare, row("l2")))] == ["reliability-l2"]
    assert reliabilities(results(bare, row("l2"))) == []
    assert reliabilities(results(row("baseline"), bare)) == []
