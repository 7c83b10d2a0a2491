"""`regjax list KIND`: the methods of a kind by name, with one line each. It starts no JAX."""

from __future__ import annotations

import difflib
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence

from regjax import catalog
from regjax.core.errors import InputError

WIDTH = 100

KINDS: Mapping[str, Callable[[], Mapping[str, str]]] = {
    "penalties": lambda: _methods(catalog.PENALTIES),
    "output_penalties": lambda: _methods(catalog.OUTPUT_PENALTIES),
    "noises": lambda: _methods(catalog.NOISES),
    "augmentations": lambda: _methods(catalog.AUGMENTATIONS),
    "techniques": lambda: _methods(catalog.TECHNIQUES | _compared()),
    "losses": lambda: {name: f"{loss.help} ({loss.task})" for name, loss in catalog.LOSSES.items()},
    "metrics": lambda: {name: f"{metric.title} ({metric.task})" for name, metric in catalog.METRICS.items()},
    "optimizers": lambda: dict.fromkeys(catalog.OPTIMIZERS, ""),
    "models": lambda: dict.fromkeys(catalog.MODELS, ""),
    "datasets": lambda: dict.fromkeys(catalog.DATASETS, "comes with the package or is generated"),
}
"""What each kind contains, as lines by name."""


def main(arguments: Sequence[str]) -> int:
    """Print the methods of a kind, or the kinds; returns the exit code.

    Raises:
      InputError: there is no such kind.
    """
    if not arguments or arguments[0] in ("-h", "-help", "--help"):
        print("The methods of a kind, by name.\n\n  regjax list KIND\n\nKinds:")
        print("\n".join(f"  {kind:17} {len(lines())}" for kind, lines in KINDS.items()))
        return 0
    kind = arguments[0]
    if kind not in KINDS or len(arguments) > 1:
        near = difflib.get_close_matches(kind, KINDS, 1)
        wrong = kind if kind not in KINDS else arguments[1]
        hint = f" (did you mean {near[0]!r}?)" if near and wrong == kind else ""
        raise InputError(f"list {wrong!r}: accepted is one kind{hint}: {', '.join(KINDS)}")
    print("\n".join(_aligned(KINDS[kind]())))
    return 0


def _methods(methods: Mapping[str, catalog.Method]) -> dict[str, str]:
    return {
        name: "; ".join(filter(None, (method.help or method.title, method.source)))
        for name, method in sorted(methods.items())
    }


def _compared() -> dict[str, catalog.Method]:
    """The noises, penalties and numbers that a comparison takes as techniques, too."""
    return {**catalog.NOISES, **catalog.OUTPUT_PENALTIES, **catalog.NUMBERS}


def _aligned(lines: Mapping[str, str]) -> Iterable[str]:
    column = max(map(len, lines)) + 2
    for name, text in lines.items():
        yield textwrap.fill(
            f"{name:{column}}{text}".rstrip(), WIDTH, subsequent_indent=" " * column, break_on_hyphens=False
        )
