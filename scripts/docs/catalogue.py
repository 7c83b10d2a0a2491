"""Tables of methods for pages, made from `regjax/catalog.py`. The standard library alone: no JAX is imported."""

from __future__ import annotations

import importlib.util
import math
from pathlib import Path
from types import ModuleType
from typing import Any

TABLES = {
    "losses": ("LOSSES", "loss", "what it minimizes"),
    "augmentations": ("AUGMENTATIONS", "augmentation", "its magnitude"),
    "noises": ("NOISES", "noise", "its number"),
    "output_penalties": ("OUTPUT_PENALTIES", "penalty", "what it penalizes"),
}
"""By the name in a mark: the dictionary of the catalogue, and the heads of the first two columns."""


def methods(root: Path, name: str) -> list[str]:
    """One row for each method of a dictionary of the catalogue.

    Args:
      root: of the checkout.
      name: a key of `TABLES`.

    Returns:
      The lines of a Markdown table.
    """
    listed, kind, number = TABLES[name]
    rows = [[f"`{method.name}`", _described(method), method.source] for method in vars(_catalog(root))[listed].values()]
    lines = [[kind, number, "source"], ["---"] * 3, *rows]
    return ["| " + " | ".join(line) + " |" if line[0] != "---" else "|---|---|---|" for line in lines]


def _described(method: Any) -> str:
    """What a method does or what its number is, and the largest one where there is a limit."""
    text = method.help or method.unit  # a loss has no unit of its own
    text = text.replace("|", "\\|")
    if not math.isfinite(getattr(method, "high", math.inf)) or method.unit == "rate" or method.high_open:
        return text
    return f"{text}, at most {method.high:g}"


def _catalog(root: Path) -> ModuleType:
    """The module, loaded from its file: importing the package would import more."""
    spec = importlib.util.spec_from_file_location("catalog", root / "regjax/catalog.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
