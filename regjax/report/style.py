"""Colours and fonts of pages, inline figures and figure files."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

Palette = Mapping[str, str]  # role -> colour as #rrggbb

LIGHT: Palette = {
    "paper": "#fdfdfb",
    "panel": "#f4f4f0",
    "ink": "#1c2128",
    "muted": "#5c6570",
    "rule": "#d5d8d6",
    "train": "#2463ac",
    "val": "#b8460e",
    "good": "#0b6e5f",
    "bad": "#a8201a",
    "accent": "#6b3fa0",
}
DARK: Palette = {
    "paper": "#14171b",
    "panel": "#1c2127",
    "ink": "#e8eaec",
    "muted": "#a0a9b3",
    "rule": "#394049",
    "train": "#7fb5f5",
    "val": "#f59a66",
    "good": "#5ecdb8",
    "bad": "#ff8b80",
    "accent": "#c3a3f0",
}
# Inline figures are drawn with these unique colours, which are then replaced by var(--role).
PLACEHOLDER: Palette = {role: f"#a1b2{index:02x}" for index, role in enumerate(LIGHT, start=0xC0)}

# Shape and colour by verdict: (marker, role, filled); the words are in `verdict.LABELS`.
MARKS: dict[str, tuple[str, str, bool]] = {
    "helped": ("o", "good", True),
    "same": ("o", "muted", True),
    "none": ("o", "muted", False),
    "hurt": ("D", "bad", True),
    "untested": ("s", "muted", False),
}


def css_variables(palette: Palette) -> str:
    """The palette as CSS custom properties.

    Example:
      >>> css_variables({"ink": "#000000", "rule": "#cccccc"})
      '--ink:#000000;--rule:#cccccc'
    """
    return ";".join(f"--{role}:{colour}" for role, colour in palette.items())


@contextlib.contextmanager
def drawing() -> Iterator[None]:
    """Matplotlib's defaults with the fonts of this package, whatever the user's matplotlibrc; restored afterwards.

    Mathtext is off, so a `$` in a name is a dollar sign. Missing glyphs cause no warning, because browsers have their
    own fonts.
    """
    import matplotlib

    with warnings.catch_warnings(), matplotlib.rc_context():
        warnings.simplefilter("ignore")
        matplotlib.rcdefaults()
        for name, value in _RC.items():
            matplotlib.rcParams[name] = value
        yield


_RC: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "regjax",
    "text.parse_math": False,
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "axes.labelsize": 10,
    "axes.titlesize": 11,
    "xtick.labelsize": 9.5,
    "ytick.labelsize": 9.5,
    "legend.fontsize": 10,
    "legend.frameon": False,
    "legend.borderpad": 0.0,
    "legend.handlelength": 1.6,
    "legend.columnspacing": 1.4,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.8,
    "xtick.major.size": 3,
    "ytick.major.size": 0,
    "xtick.minor.size": 0,
    "ytick.minor.size": 0,
    "lines.linewidth": 1.8,
    "lines.solid_capstyle": "round",
    "hatch.linewidth": 0.8,
    "savefig.facecolor": "none",
    "savefig.edgecolor": "none",
}
