"""The page that shows the effect of augmentations at several strengths."""

from __future__ import annotations

import base64
import dataclasses
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from regjax.core.extras import require
from regjax.report.page import clean, render, reproduce, write
from regjax.report.words import count, slug

SIDE, GAP = 72, 6  # of a picture, and between two, in pixels: smaller pictures are enlarged by whole numbers


@dataclasses.dataclass(frozen=True)
class Column:
    """The pictures at one strength.

    Attributes:
      label: the strength, as text.
      pixels: `uint8[N, H, W, C]`, gray or RGB.
    """

    label: str
    pixels: np.ndarray


@dataclasses.dataclass(frozen=True)
class Card:
    """One augmentation.

    Attributes:
      name: name of the augmentation.
      text: a sentence on its effect.
      unit: unit of its magnitude.
      columns: the original pictures, then the augmented ones at increasing strengths.
    """

    name: str
    text: str
    unit: str
    columns: Sequence[Column]


def write_gallery(dataset: str, groups: Mapping[str, Sequence[Card]], facts: Any, workdir: str | Path) -> Path:
    """Write `report.html` and `figures/` with one PNG for each augmentation.

    Args:
      dataset: name of the dataset.
      groups: cards by heading; at least one card.
      facts: how to repeat the page, for `regjax.report.page.reproduce`, as `{"command": ...}`; or None.
      workdir: directory to write into; created if needed.

    Returns:
      The path of `report.html`.

    Raises:
      ValueError: no card, or a card without pictures.
    """
    require("PIL", "jinja2")
    workdir = Path(workdir)
    cards = [card for group in groups.values() for card in group]
    if not cards or not all(card.columns and len(card.columns[0].pixels) for card in cards):
        raise ValueError("gallery: needs at least one augmentation, and pictures of each")
    folder = workdir / "figures"
    folder.mkdir(parents=True, exist_ok=True)
    for card in cards:
        strips = [np.pad(_stacked(column.pixels), ((0, 0), (0, GAP), (0, 0))) for column in card.columns]
        (folder / f"{slug(card.name)}.png").write_bytes(_png(np.concatenate(strips, axis=1)[:, :-GAP]))
    shape = cards[0].columns[0].pixels.shape
    strengths = len(cards[0].columns) - 1
    content = {
        "dataset": dataset,
        "headline": f"{count(len(cards), 'augmentation')} at {count(strengths, 'strength')}, on {dataset}.",
        "groups": [
            {"title": title, "slug": slug(title), "cards": [_shown(card) for card in group]}
            for title, group in groups.items()
        ],
        "notes": [
            "Left, the pictures as they are. Then the same random numbers at growing strengths: what changes from "
            "column to column is the strength alone, and each picture draws numbers of its own.",
            f"The pictures have {shape[1]} by {shape[2]} pixels. They are augmented as in training; values "
            "beyond black and white, as noise makes them, are clipped for the eye.",
            "All are also in the folder figures, as PNG.",
        ],
        "reproduce": reproduce({"reproduce": facts} if facts else {}),
        "footer": "Made by regjax; this page loads nothing from anywhere.",
    }
    return write(workdir / "report.html", render("gallery.html", clean(content)))


def _shown(card: Card) -> dict[str, Any]:
    first = card.columns[0].pixels
    still = all(np.array_equal(column.pixels, first) for column in card.columns[1:])
    columns = [
        {
            "label": column.label,
            "source": "data:image/png;base64," + base64.b64encode(_png(_stacked(column.pixels))).decode("ascii"),
            "alt": f"{count(len(column.pixels), 'picture')}, {card.name}: {column.label}",
        }
        for column in card.columns
    ]
    note = "It leaves these pictures as they are." if still else ""
    return {"name": card.name, "text": card.text, "unit": card.unit, "note": note, "columns": columns}


def _stacked(pixels: np.ndarray) -> np.ndarray:
    """A column of pictures with transparent gaps, `uint8[rows, columns, 4]`."""
    batch, height, width, channels = pixels.shape
    zoom = max(1, SIDE // max(height, width))
    colors = np.repeat(pixels, 3, -1) if channels == 1 else pixels
    opaque = np.concatenate([colors, np.full((batch, height, width, 1), 255, np.uint8)], -1)
    large = opaque.repeat(zoom, 1).repeat(zoom, 2)
    framed = np.pad(large, ((0, 0), (0, GAP), (0, GAP), (0, 0)))
    return framed.reshape(-1, *framed.shape[2:])[:-GAP, :-GAP]


def _png(pixels: np.ndarray) -> bytes:
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", optimize=True)
    return file.getvalue()
