import matplotlib
import pytest

from regjax.report.style import DARK, LIGHT, MARKS, PLACEHOLDER, css_variables, drawing
from regjax.report.verdict import LABELS


def luminance(colour):
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("role", ["ink", "muted", "train", "val", "good", "bad", "accent"])
@pytest.mark.parametrize("ground", ["paper", "panel"])
def test_contrast_is_enough_for_text(palette, role, ground):
    light, dark = sorted((luminance(palette[role]), luminance(palette[ground])), reverse=True)
    assert (light + 0.05) / (dark + 0.05) >= 4.5


def test_palettes_have_the_same_roles():
    assert set(LIGHT) == set(DARK) == set(PLACEHOLDER)
    assert len(set(PLACEHOLDER.values())) == len(PLACEHOLDER)
    assert css_variables(LIGHT).count("--") == len(LIGHT)


def test_every_verdict_has_a_mark_and_no_two_look_alike():
    assert MARKS.keys() == LABELS.keys()
    assert len(set(MARKS.values())) == len(MARKS)
    assert {role for _, role, _ in MARKS.values()} <= LIGHT.keys()


def test_drawing_puts_back_what_was_set_even_after_an_error():
    def fail():
        with drawing():
            seen.append((matplotlib.rcParams["font.size"], matplotlib.rcParams["axes.grid"]))
            raise KeyError

    seen = []
    with matplotlib.rc_context({"font.size": 30, "axes.grid": True}):
        with pytest.raises(KeyError):
            fail()
        assert seen == [(10, False)]
        assert (matplotlib.rcParams["font.size"], matplotlib.rcParams["axes.grid"]) == (30, True)
