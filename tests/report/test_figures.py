import numpy as np
import pytest

from regjax.report.figures import clip, forest, overfitting, technique_curves
from regjax.report.style import LIGHT
from regjax.report.words import MINUS


def results(techniques=(), **baseline):
    rows = {name: {"name": name, "title": name, **row} for name, row in dict(techniques).items()}
    return {
        "metric": "accuracy", "seeds": 5, "task": "classification",
        "baseline": {"name": "baseline", **baseline}, "techniques": rows,
    }  # fmt: skip


def curves(*val):
    return {
        name: {"mean": list(values)} for name, values in (("train_loss", np.full(len(val), 0.1)), ("val_loss", val))
    }


def test_losses_by_epoch_with_the_onset(drawn):
    diagnosis = {"verdict": "overfit", "median_onset": 1.0, "onset_epochs": [1, None, 2]}
    panel = overfitting(results(curves=curves(1.0, 0.5, 0.75)) | {"diagnosis": diagnosis})
    assert "0.500" in panel.description
    assert "0.750" in panel.description
    axes = drawn(panel)
    train, val, onset, each = axes.get_lines()
    np.testing.assert_allclose(train.get_ydata(), 0.1)
    np.testing.assert_allclose(val.get_xydata(), [[0, 1.0], [1, 0.5], [2, 0.75]])
    assert (train.get_color(), val.get_color()) == (LIGHT["train"], LIGHT["val"])
    assert list(onset.get_xdata()) == [1, 1]
    assert list(each.get_xdata()) == [1, 2]
    assert axes.get_ylim() == pytest.approx((0, 1.06))


def test_without_curves_there_is_no_figure():
    for row in ({}, {"curves": None}, {"curves": {"train_loss": {"mean": [1.0]}}}):
        assert overfitting(results(**row)) is None
        assert technique_curves(results({"l2": {"curves": curves(1.0)}}, **row)) == []
    assert technique_curves(results({"l2": {}}, curves=curves(1.0, 2.0))) == []


def test_the_narrow_figure_has_a_name_of_its_own():
    wide, narrow = (overfitting(results(curves=curves(1.0, 0.5)), narrow=narrow) for narrow in (False, True))
    assert wide.name != narrow.name
    assert narrow.width < wide.width


def gain(mean, low, high, p=0.01):
    return {"mean": mean, "ci95": [low, high], "ci95_runs": [low + 0.01, high - 0.01], "p_adjusted": p}


def test_the_forest_has_a_mark_and_two_intervals_for_each_technique(drawn):
    rows = {
        "l2": {"improvement": gain(0.03, 0.01, 0.05)},
        "l1": {"improvement": gain(-0.03, -0.05, -0.01)},
        "one seed": {"improvement": {"mean": 0.02, "ci95": [None, None], "p_adjusted": None}},
        "none": {"improvement": {"mean": None}},
        "absent": {},
    }
    panel = forest(results(rows), "improvement")
    axes = drawn(panel)
    assert [label.get_text() for label in axes.get_yticklabels()] == ["l2", "l1", "one seed"]
    zero, *lines = axes.get_lines()
    assert list(zero.get_xdata()) == [0, 0]
    dots = {line.get_ydata()[0]: line for line in lines if len(line.get_xdata()) == 1}
    assert {y: line.get_xdata()[0] for y, line in dots.items()} == pytest.approx({0: 3, 1: -3, 2: 2})  # points
    assert [dots[y].get_color() for y in range(3)] == [LIGHT["good"], LIGHT["bad"], LIGHT["muted"]]
    assert dots[2].get_markerfacecolor() == LIGHT["paper"]  # cannot be tested: hollow
    spans = [(line.get_ydata()[0], *line.get_xdata()) for line in lines if len(line.get_xdata()) == 2]
    np.testing.assert_allclose(spans, [(0, 2, 4), (0, 1, 5), (1, -4, -2), (1, -5, -1)], atol=1e-9)
    assert "+3.0" in panel.description
    assert f"{MINUS}3.0" in panel.description
    assert forest(results({"absent": {}}), "improvement") is None


def test_what_is_practically_the_same_is_shaded_and_filled(drawn):
    rows = {"l2": {"improvement": gain(0.001, -0.002, 0.004) | {"practical": 0.01}}}
    panel = forest(results(rows), "improvement")
    axes = drawn(panel)
    (band,) = axes.patches
    np.testing.assert_allclose(band.get_extents().transformed(axes.transData.inverted()).intervalx, [-1, 1])
    dot = axes.get_lines()[-1]
    assert dot.get_color() == dot.get_markerfacecolor() == LIGHT["muted"]
    assert not drawn(forest(results({"l2": {"improvement": gain(0.03, 0.01, 0.05)}}), "improvement")).patches


def test_the_loss_has_its_own_unit(drawn):
    panel = forest(results({"l2": {"loss_improvement": gain(0.25, 0.1, 0.4)}}), "loss_improvement")
    assert panel.name != forest(results({"l2": {"improvement": gain(0.1, 0, 0.2)}}), "improvement").name
    assert drawn(panel).get_lines()[-1].get_xdata()[0] == pytest.approx(0.25)


def test_technique_curves_share_axes_and_a_diverging_one_does_not_stretch_them(drawn):
    made = results(
        {"l2": {"curves": curves(1.0, 0.5, 0.4)}, "l1": {"curves": curves(1.0, 50.0, 100.0)}, "bare": {}},
        curves=curves(1.0, 0.8, 0.9),
    )
    panels = technique_curves(made)
    assert [panel.title for panel in panels] == ["l2", "l1"]
    axes = [drawn(panel) for panel in panels]
    assert [a.get_ylim() for a in axes] == [pytest.approx((0, 1.3 * 1.04))] * 2
    baseline, train, val = axes[0].get_lines()
    np.testing.assert_allclose(baseline.get_ydata(), [1.0, 0.8, 0.9])
    np.testing.assert_allclose(train.get_ydata(), 0.1)
    np.testing.assert_allclose(val.get_ydata(), [1.0, 0.5, 0.4])


def test_long_labels_are_clipped():
    assert clip("short") == "short"
    assert clip("x" * 18) == "x" * 18
    assert clip("a label that is too long") == "a label that is t…"
    assert len(clip("y" * 40)) == 18
