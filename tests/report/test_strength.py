import numpy as np
import pytest

from regjax.report.strength import strengths
from regjax.report.style import LIGHT


def score(mean, half=None):
    return {"mean": mean, "ci95": [None, None] if half is None else [mean - half, mean + half]}


def results(points, *, name="l2", chosen=0.1, base=0.8, parameter="strength", **settings):
    grid = [{"value": value, "select_score": score(mean, 0.01)} for value, mean in points]
    return {
        "metric": "accuracy", "task": "classification", "seeds": 5, "settings": settings,
        "baseline": {"grid": [{"select_score": score(base, 0.02)}]},
        "techniques": {
            name: {"name": name, "title": name, "grid": grid, "chosen": {"parameter": parameter, "value": chosen}}
        },
    }  # fmt: skip


def test_scores_by_strength_with_the_chosen_one_filled(drawn):
    (panel,) = strengths(results([(0.01, 0.81), (0.1, 0.85), (1.0, 0.83)]))
    axes = drawn(panel)
    base, line, *rest = axes.get_lines()
    assert list(base.get_ydata()) == [0.8, 0.8]
    np.testing.assert_allclose(line.get_ydata(), [0.81, 0.85, 0.83])
    np.testing.assert_allclose(np.diff(line.get_xdata()), np.diff(line.get_xdata())[0])  # a logarithmic axis
    dots = [dot for dot in rest if dot.get_marker() == "o"]
    filled = [dot.get_ydata()[0] for dot in dots if dot.get_markerfacecolor() == LIGHT["train"]]
    assert (len(dots), filled) == (3, [0.85])
    assert [text.get_text() for text in axes.texts] == ["0.1"]
    assert "0.1: 85.0" in panel.description


def test_scores_far_below_the_baseline_are_cut_and_marked(drawn):
    axes = drawn(*strengths(results([(0.01, 0.81), (0.1, 0.85), (10.0, 0.1)])))
    # The best end is 0.86; below the baseline there is room for one and a half times what is above.
    low = 0.8 - 1.5 * 0.06
    assert axes.get_ylim()[0] == pytest.approx(low - 0.06 * (0.86 - low))
    (mark,) = [line for line in axes.get_lines() if line.get_marker() == "v"]
    assert mark.get_xdata()[0] == axes.get_lines()[1].get_xdata()[2]


def test_more_data_begins_at_the_examples_of_the_baseline(drawn):
    made = results([(256, 0.85), (512, 0.9)], name="more_data", chosen=512, parameter="examples", train_examples=128)
    (panel,) = strengths(made)
    np.testing.assert_allclose(drawn(panel).get_lines()[1].get_ydata(), [0.8, 0.85, 0.9])


def test_without_a_grid_there_is_no_panel():
    assert strengths(results([])) == []
    assert strengths(results([(1.0, 0.8)], parameter="")) == []


def test_scores_that_are_missing_are_gaps(drawn):
    made = results([(0.01, 0.81), (0.1, 0.85)])
    made["techniques"]["l2"]["grid"][0]["select_score"] = score(None)
    made["baseline"] = {}
    axes = drawn(*strengths(made))
    np.testing.assert_array_equal(axes.get_lines()[0].get_ydata(), [np.nan, 0.85])
