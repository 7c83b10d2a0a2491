import xml.etree.ElementTree as ET

import pytest
from matplotlib.figure import Figure
from PIL import Image

from regjax.report.panels import Panel, legend, number_ticks, save
from regjax.report.style import LIGHT


def line(axes, palette):
    axes.plot([1, 2], [3, 1], color=palette["train"], label="line")


def panel(name, **fields):
    return Panel(name, f"title of {name}", f"about {name}", line, width=300, height=200, **fields)


@pytest.mark.parametrize(("count", "columns", "size"), [(1, 3, (300, 258)), (3, 2, (600, 482)), (2, 1, (300, 482))])
def test_panels_are_laid_out_in_rows(tmp_path, count, columns, size):
    """Each takes 200 points and 24 for its title, below a heading of 34; a point is two pixels."""
    save([panel(f"p{i}") for i in range(count)], tmp_path / "all", "heading", columns=columns)
    with Image.open(tmp_path / "all.png") as image:
        assert image.size == (2 * size[0], 2 * size[1])
    root = ET.fromstring((tmp_path / "all.svg").read_text())
    texts = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"heading", *(f"title of p{i}" for i in range(count))} <= set(texts)


def test_a_long_title_is_wrapped_within_the_figure(tmp_path):
    """Pixels at the right edge have the colour of the paper in every row of the title."""
    title = "A statement that is far too long for one line of a figure that is only 300 points wide"
    save([panel("a")], tmp_path / "a", title)
    with Image.open(tmp_path / "a.png") as image:
        assert image.width == 600
        lines, rest = divmod(image.height - 2 * 258, 2 * 17)
        assert rest == 0
        assert lines >= 2  # more lines than the first
        edge = image.convert("RGB").crop((image.width - 16, 0, image.width, 2 * (34 + 17 * lines)))
        assert len(edge.getcolors()) == 1


def test_margins_are_points_around_the_axes():
    figure = Figure()
    axes = panel("a", margins=(30, 60, 20, 50))._place(figure, (300, 0), (600, 200), LIGHT)
    assert axes.get_position().bounds == pytest.approx((330 / 600, 50 / 200, 210 / 600, 130 / 200))


def test_a_legend_is_in_ink():
    axes = Figure().add_axes((0, 0, 1, 1))
    line(axes, LIGHT)
    legend(axes, LIGHT)
    assert [(text.get_text(), text.get_color()) for text in axes.get_legend().get_texts()] == [("line", LIGHT["ink"])]


@pytest.mark.parametrize(
    ("limits", "options", "labels"),
    [
        ((-1, 1), {}, ["−1", "−0.5", "0", "0.5", "1"]),
        ((0, 0.3), {"count": 3, "scale": 100}, ["0", "10", "20", "30"]),
        ((0, 3), {"count": 8, "integer": True}, ["0", "1", "2", "3"]),
    ],
)
def test_ticks_are_few_and_round(limits, options, labels):
    axes = Figure().add_axes((0, 0, 1, 1))
    axes.set_xlim(*limits)
    number_ticks(axes.xaxis, **options)
    low, high = limits
    places = [place for place in axes.get_xticks() if low - 1e-9 <= place <= high + 1e-9]
    format_ = axes.xaxis.get_major_formatter()
    assert [format_(place, 0) for place in places] == labels
