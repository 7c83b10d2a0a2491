import pytest
from matplotlib.colors import to_hex

from regjax.report.pairs import MOST_ROWS, pair_matrix
from regjax.report.style import LIGHT


def pair(a, b, mean, p_adjusted, half_width=0.005):
    ci95 = [mean - half_width, mean + half_width] if mean else [None, None]
    return {"a": a, "b": b, "mean": mean, "p": p_adjusted, "p_adjusted": p_adjusted, "ci95": ci95}


RESULTS = {
    "metric": "accuracy",
    "baseline": {"name": "baseline", "title": "baseline"},
    "techniques": {name: {"name": name, "title": f"{name} (of a kind)"} for name in ("l1", "l2")},
    "groups": {"l2": "a", "l1": "ab", "baseline": "b"},  # best first
    "pairs": [
        pair("baseline", "l1", -0.01, 0.3), pair("baseline", "l2", -0.04, 0.05), pair("l1", "l2", -0.03, 0.06),
    ],
}  # fmt: skip


def test_rows_are_best_first_and_what_is_shown_is_filled(drawn):
    panel = pair_matrix(RESULTS)
    axes = drawn(panel)
    assert [label.get_text() for label in axes.get_yticklabels()] == ["1  l2", "2  l1", "3  baseline"]
    texts = {text.get_position(): (text.get_text(), text.get_fontweight()) for text in axes.texts}
    assert texts == {(1, 0): ("3.0", "normal"), (2, 0): ("4.0", "bold"), (2, 1): ("1.0", "normal")}
    (filled,) = axes.patches
    assert (round(filled.get_x() + filled.get_width() / 2), round(filled.get_y() + filled.get_height() / 2)) == (2, 0)
    assert to_hex(filled.get_facecolor()) == LIGHT["good"]
    assert "l2 over baseline +4.0 (shown)" in panel.description


def test_a_difference_whose_interval_includes_0_is_not_filled(drawn):
    pairs = [*RESULTS["pairs"][:1], pair("baseline", "l2", -0.04, 0.05, 0.041), *RESULTS["pairs"][2:]]
    panel = pair_matrix(RESULTS | {"pairs": pairs})
    assert not drawn(panel).patches
    assert "l2 over baseline +4.0 (not shown)" in panel.description


def test_a_mean_that_is_missing_leaves_its_cell_empty(drawn):
    pairs = [pair("baseline", "l1", None, None), *RESULTS["pairs"][1:]]
    assert len(drawn(pair_matrix(RESULTS | {"pairs": pairs})).texts) == 2


@pytest.mark.parametrize("count", [0, 1, MOST_ROWS + 1])
def test_without_rows_or_with_too_many_there_is_no_figure(count):
    assert pair_matrix(RESULTS | {"groups": {str(i): "a" for i in range(count)}}) is None
