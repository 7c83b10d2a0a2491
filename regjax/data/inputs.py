"""Examples for prediction, in pieces, so that memory does not depend on their number."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from regjax.data.preprocess import Preprocessor

Note = Callable[[str], None]


class Piece(NamedTuple):
    """Some examples for prediction.

    Attributes:
      x: the examples `[N, *shape]`, in the form that `Preprocessor.transform` takes.
      ids: one for each.
      share: the share of all examples that has been read, with these.
    """

    x: np.ndarray
    ids: list[str]
    share: float = 1.0


def collected(pieces: Iterable[Piece]) -> tuple[np.ndarray, list[str]]:
    """Return all examples of the pieces, and their ids.

    Example:
      >>> x, ids = collected([Piece(np.zeros((2, 1)), ["a", "b"], 0.5), Piece(np.ones((1, 1)), ["c"])])
      >>> x.shape, ids
      ((3, 1), ['a', 'b', 'c'])
    """
    parts = list(pieces)
    x = parts[0].x if len(parts) == 1 else np.concatenate([part.x for part in parts])
    return x, [name for part in parts for name in part.ids]


def at_once(pieces: Callable[..., Iterator[Piece]]) -> Callable[..., tuple[np.ndarray, list[str]]]:
    """Make a function that reads all examples of one that reads pieces."""

    def read(path: Path, preprocessor: Preprocessor, note: Note | None = None) -> tuple[np.ndarray, list[str]]:
        return collected(pieces(path, preprocessor, note))

    return read


def in_batches(pieces: Iterable[Piece], size: int) -> Iterator[Piece]:
    """Regroup pieces, so that all but the last have a multiple of `size` examples.

    Example:
      >>> given = [Piece(np.zeros((3, 1)), ["a", "b", "c"], 0.6), Piece(np.ones((2, 1)), ["d", "e"])]
      >>> [piece.ids for piece in in_batches(given, 2)]
      [['a', 'b'], ['c', 'd', 'e']]
    """
    kept: Piece | None = None
    for piece in pieces:
        if kept is None:
            kept = piece
            continue
        whole = len(kept.ids) // size * size
        if whole:
            yield Piece(kept.x[:whole], kept.ids[:whole], kept.share)
        kept = Piece(np.concatenate([kept.x[whole:], piece.x]), kept.ids[whole:] + piece.ids, piece.share)
    if kept is not None:
        yield kept
