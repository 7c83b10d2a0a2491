"""The pictures show the numbers of their records."""

import matplotlib.figure
import numpy as np
import pytest
from PIL import Image

from experiments.reproduce import mnist_figures as own

LAW = {"floor": 1.0, "scale": 50.0, "rate": 0.5}
UPDATES = [500, 1000, 2000, 4000]
RECORD = {
    "rows": [{"row": "standard net", "published": 1.6}, {"row": "dropout + max-norm", "published": 1.06}],
    "curves": [
        {
            "method": method,
            "updates": UPDATES,
            "errors": [[3.2, 2.6, 2.1, 1.8]] * 3,
            "power_law": LAW,
            "at_a_million_updates": [1.05, 0.9, 1.2],
        }
        for method in ("standard net", "dropout + max-norm")
    ],
    "longer": [
        {"method": method, "updates": 16_000, "errors": [1.5, 1.4]} for method in ("standard net", "dropout + max-norm")
    ],
    "sizes": [
        {"examples": n, "difference": d, "runs": [d - 0.1, d + 0.1], "simultaneous_ci95": [d - 1, d + 1]}
        for n, d in ((100, 0.0), (1000, 2.0))
    ],
    "half_random": {
        "curves": {"plain": [30.0, 20.0, 40.0], "dropout": [30.0, 19.0, 25.0], "mixup": [30.0, 18.0, 20.0]}
    },
}


@pytest.fixture
def axes():
    """One panel."""
    return matplotlib.figure.Figure().subplots()


def test_a_power_law_is_dashed_where_nothing_was_measured(axes):
    own.budgets(axes, RECORD)
    [solid, dashed] = [line for line in axes.lines if len(line.get_xdata()) > 10][:2]
    assert max(solid.get_xdata()) <= 4000 < min(dashed.get_xdata())
    assert (solid.get_linestyle(), dashed.get_linestyle()) == ("-", "--")
    assert dashed.get_xdata()[-1] == pytest.approx(1e6)
    assert dashed.get_ydata()[-1] == pytest.approx(1.0 + 50 * 1e6**-0.5)
    stars = [float(line.get_ydata()[0]) for line in axes.lines if line.get_marker() == "*"]
    assert stars == [1.6, 1.06]
    later = [line.get_xydata().tolist() for line in axes.lines if line.get_marker() == "x"]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["500", "4k", "16k", "100k", "1000k"]
    assert later == [[[16_000, 1.5], [16_000, 1.4]]] * 2


def test_gains_and_errors_are_drawn_as_they_are(axes):
    own.sizes(axes, RECORD)
    dots = {float(line.get_xdata()[0]): float(line.get_ydata()[0]) for line in axes.lines if line.get_marker() == "o"}
    assert dots == {100: 0.0, 1000: 2.0}
    axes.clear()
    own.by_epoch(axes, RECORD)
    for line, curve in zip(axes.lines, RECORD["half_random"]["curves"].values(), strict=True):
        np.testing.assert_array_equal(line.get_ydata(), curve)
        np.testing.assert_allclose(line.get_xdata(), [100 / 3, 200 / 3, 100])


def test_a_picture_is_a_small_file(tmp_path):
    own.draw(RECORD, (own.budgets, own.sizes), tmp_path / "a.png")
    assert (tmp_path / "a.png").stat().st_size < 60_000
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.size == (792, 306)
