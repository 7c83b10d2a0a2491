import pytest

from regjax.report.scale import Scale


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1e-4, 1e-3, 3e-3, 1e-2, 2e-2, 5e-2, 0.1], "log"),
        ([128, 256, 512, 949], "log"),
        ([0.25, 0.5, 1.0], "log"),
        ([0.0, 1e-4, 1e-3, 1e-2], "log"),
        ([0.1, 0.3, 0.5, 0.65, 0.8, 0.9], "linear"),
        ([0.25, 0.5, 1.0, 1.5, 2.0], "linear"),
        ([-1.0, 0.0, 10.0, 1000.0], "linear"),
        ([0.3], "linear"),
        (["loss", "proximal"], "category"),
        ([0.1, "auto"], "category"),
        ([], "category"),
    ],
)
def test_kind(values, kind):
    assert Scale.of(values).kind == kind


def test_zero_stands_one_step_left():
    scale = Scale.of([0.0, 0.01, 0.1, 1.0])
    assert scale.at(0.0) == pytest.approx(-3.0)
    assert scale.ticks()[0] == (pytest.approx(-3.0), "0")


def test_ticks_are_the_values_where_there_is_room():
    assert [label for _, label in Scale.of([128, 256, 512, 1024]).ticks()] == ["128", "256", "512", "1,024"]
    wide = Scale.of([10.0**e for e in range(-8, 1)] + [3e-3])
    assert [label for _, label in wide.ticks()] == ["1e-08", "1e-06", "0.0001", "0.01", "1"]
    crowded = Scale.of([0.0, 0.01, 0.02, 0.5, 0.51, 1.0])
    assert len(crowded.ticks()) < 6


def test_limits_hold_all_values():
    for values in ([0.5], [0.1, 0.9], [1e-6, 1.0], ["a", "b"]):
        scale = Scale.of(values)
        low, high = scale.limits()
        assert all(low < scale.at(v) < high for v in values)


def test_a_logarithmic_axis_says_so():
    from matplotlib.figure import Figure

    axes = Figure().add_subplot()
    Scale.of([0.01, 0.1, 1.0]).label(axes, "l2")
    assert axes.get_xlabel() == "l2 (log axis)"
    assert [text.get_text() for text in axes.get_xticklabels()] == ["0.01", "0.1", "1"]
    assert list(axes.get_xticks()) == [-2.0, -1.0, 0.0]
