"""Panels, which are pictures that go into a page one by one or together into a figure file."""

from __future__ import annotations

import dataclasses
import math
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from regjax.core.extras import require
from regjax.report.style import LIGHT, PLACEHOLDER, Palette, drawing
from regjax.report.svg import inline_svg, standalone_svg

TITLE: dict[str, Any] = {"size": 13, "weight": "bold"}
Draw = Callable[[Any, Palette], None]  # (axes, palette) -> None
Margins = tuple[float, float, float, float]  # left, right, top, bottom


@dataclasses.dataclass(frozen=True)
class Panel:
    """A picture that is drawn on demand.

    Attributes:
      name: unique on the page; the prefix of its ids.
      title: heading above the picture.
      description: text alternative for screen readers.
      draw: draws the picture into axes.
      width: in points; text is 10 points high.
      height: in points.
      margins: around the axes, in points: left, right, top, bottom.
      note: a line below the heading.
    """

    name: str
    title: str
    description: str
    draw: Draw
    width: float = 300
    height: float = 200
    margins: Margins = (42, 10, 8, 36)
    note: str = ""

    def inline(self) -> str:
        """The panel as a themed `<svg>` element."""
        require("matplotlib")
        from matplotlib.figure import Figure

        with drawing():
            figure = Figure(figsize=(self.width / 72, self.height / 72))
            self._place(figure, (0.0, 0.0), (self.width, self.height), PLACEHOLDER)
            return inline_svg(figure, self.name, self.title or self.name, self.description)

    def _place(self, figure: Any, corner: tuple[float, float], size: tuple[float, float], palette: Palette) -> Any:
        left, right, top, bottom = self.margins
        box = (
            (corner[0] + left) / size[0],
            (corner[1] + bottom) / size[1],
            (self.width - left - right) / size[0],
            (self.height - top - bottom) / size[1],
        )
        axes = figure.add_axes(box)
        dress(axes, palette)
        self.draw(axes, palette)
        return axes


def save(panels: Sequence[Panel], stem: Path, title: str, *, columns: int = 1, svg: bool = True) -> None:
    """Save panels of equal size as one figure, `stem.png` and `stem.svg`.

    Args:
      panels: at least one panel.
      stem: path without suffix.
      title: title of the figure and of the SVG.
      columns: number of panels side by side.
      svg: whether to write the SVG too.
    """
    require("matplotlib")
    from matplotlib.figure import Figure

    gap = 24.0 if any(panel.title for panel in panels) else 6.0
    columns = min(columns, len(panels))
    rows = math.ceil(len(panels) / columns)
    width, cell = panels[0].width, panels[0].height + gap
    with drawing():
        lines = _title_lines(title, columns * width - 24)
        head = 34.0 + 17 * (len(lines) - 1)
        size = (columns * width, rows * cell + head)
        figure = Figure(figsize=(size[0] / 72, size[1] / 72), facecolor=LIGHT["paper"])
        figure.text(12 / size[0], 1 - 12 / size[1], "\n".join(lines), va="top", color=LIGHT["ink"], **TITLE)
        for index, panel in enumerate(panels):
            row, column = divmod(index, columns)
            corner = (column * width, size[1] - head - row * cell - gap - panel.height)
            panel._place(figure, corner, size, LIGHT)
            x = (corner[0] + 12) / size[0]
            y = (corner[1] + panel.height + 7) / size[1]
            figure.text(x, y, panel.title, size=11, color=LIGHT["ink"])
        if svg:
            description = " ".join(panel.description for panel in panels)
            stem.with_suffix(".svg").write_text(standalone_svg(figure, stem.name, title, description), encoding="utf-8")
        figure.savefig(stem.with_suffix(".png"), dpi=144, facecolor=LIGHT["paper"], metadata={"Software": None})


def _title_lines(title: str, room: float) -> list[str]:
    """The title in as few lines as fit into `room` points."""
    from matplotlib.figure import Figure

    drawn = Figure(dpi=72).text(0, 0, "", **TITLE)  # at 72 pixels an inch, a pixel is a point
    for width in range(max(len(title), 20), 19, -2):
        lines = textwrap.wrap(title, width, break_long_words=False) or [""]
        drawn.set_text("\n".join(lines))
        if drawn.get_window_extent().width <= room:
            break
    return lines


def dress(axes: Any, palette: Palette) -> None:
    """Style axes with thin lines, muted labels and a light grid behind the data."""
    axes.set_facecolor("none")
    for side in ("left", "bottom"):
        axes.spines[side].set_color(palette["rule"])
    axes.tick_params(colors=palette["rule"], labelcolor=palette["muted"], pad=4)
    axes.xaxis.label.set_color(palette["muted"])
    axes.yaxis.label.set_color(palette["muted"])
    axes.grid(axis="y", color=palette["rule"], linewidth=0.6)
    axes.set_axisbelow(True)


def legend(axes: Any, palette: Palette, **arguments: Any) -> None:
    """A legend in one line above the axes."""
    box = axes.legend(**{"loc": "lower left", "bbox_to_anchor": (0, 1.0), "ncol": 4, "borderaxespad": 0.2, **arguments})
    for text in box.get_texts():
        text.set_color(palette["ink"])


def number_ticks(axis: Any, count: int = 5, *, scale: float = 1.0, integer: bool = False) -> None:
    """A few round ticks with a proper minus sign; `scale` is 100 for percent."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axis.set_major_locator(MaxNLocator(count, steps=[1, 2, 2.5, 5, 10], integer=integer))
    axis.set_major_formatter(FuncFormatter(lambda v, _: f"{round(v * scale, 9):g}".replace("-", "\N{MINUS SIGN}")))
