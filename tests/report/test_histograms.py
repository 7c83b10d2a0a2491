import numpy as np
import pytest

from regjax.report.histograms import _compact, _percent, weights


def row(name, counts=(10, 1000, 10), edges=(-3, -1, 1, 3), zeros=0.0, small=0.0):
    content = {"counts": list(counts), "edges": list(edges), "zero_fraction": zeros, "small_fraction": small}
    return {"name": name, "title": name, "weights": content}


def results(baseline, *techniques):
    return {"baseline": baseline, "techniques": {one["name"]: one for one in techniques}}


def test_one_panel_for_small_weights_and_one_for_zeros():
    panels = weights(results(row("baseline"), row("dropout"), row("l1"), row("l2")))
    assert [panel.name for panel in panels] == ["weights-baseline", "weights-l2", "weights-l1"]
    panels = weights(results(row("baseline"), row("decoupled")))
    assert [panel.name for panel in panels] == ["weights-baseline", "weights-decoupled"]


def test_rows_without_counts_are_left_out():
    bare = {"name": "l2", "title": "l2", "weights": None}
    assert [panel.name for panel in weights(results(row("baseline", counts=()), bare, row("l1")))] == ["weights-l1"]
    assert weights(results({"name": "baseline", "title": "baseline"})) == []


def test_exact_zeros_stand_apart_at_their_number(drawn):
    """Of 1360 weights 25% are zero: 340 beside the 1020 of the bars."""
    plain, sparse = weights(results(row("baseline"), row("l1", zeros=0.25, small=0.001)))
    axes = drawn(sparse)
    (zeros,) = axes.collections
    assert zeros.get_paths()[0].get_extents().ymax == pytest.approx(340)
    assert [text.get_text() for text in axes.texts] == ["25% exactly 0"]
    assert "25% exactly zero" in sparse.note
    assert "0.1% below" in sparse.note
    assert not drawn(plain).texts


def test_axes_are_shared_and_logarithmic(drawn):
    panels = weights(results(row("baseline"), row("l1", edges=(-6, -1, 1, 2), counts=(10, 100, 0))))
    axes = [drawn(panel) for panel in panels]
    assert [a.get_xlim() for a in axes] == [pytest.approx((-6.12, 6.12))] * 2
    assert len({a.get_ylim() for a in axes}) == 1
    assert axes[0].get_yscale() == "log"
    assert [text.get_text() for text in axes[0].get_yticklabels()] == ["1", "10", "100", "1k"]
    heights, *_ = axes[1].patches[0].get_data()
    np.testing.assert_array_equal(heights, [10, 100, 0.5])  # nothing is half a weight, at the foot


def test_weights_that_are_all_zero(drawn):
    (panel,) = weights(results(row("baseline", counts=(0, 0, 0), edges=(0, 0, 0, 0), zeros=1.0)))
    assert drawn(panel).texts[0].get_text() == "100% exactly 0"


@pytest.mark.parametrize(
    ("share", "text"), [(0, "0%"), (0.0005, "<0.1%"), (0.001, "0.1%"), (0.0999, "10.0%"), (0.1, "10%")]
)
def test_percent(share, text):
    assert _percent(share) == text


@pytest.mark.parametrize(
    ("number", "text"), [(1, "1"), (999, "999"), (1e3, "1k"), (1e5, "100k"), (1e6, "1M"), (1e9, "1G")]
)
def test_compact(number, text):
    assert _compact(number) == text
