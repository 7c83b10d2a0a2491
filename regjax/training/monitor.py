"""What a finished run reports about itself: a fingerprint of its weights, exact zeros, compilations."""

from __future__ import annotations

import hashlib
from types import TracebackType

import jax
import jax.monitoring
import numpy as np

from regjax.core.tree import leaf_names, weight_leaves
from regjax.core.typing import PyTree

_COMPILE_EVENT = "/jax/core/compile/backend_compile_duration"


def params_sha256(params: PyTree) -> str:
    """SHA-256 over names, dtypes, shapes and bytes of all leaves: equal if and only if the weights are, bit for bit.

    Example:
      >>> zeros, ones = np.zeros(2, np.float32), np.ones(2, np.float32)
      >>> params_sha256({"w": zeros}) == params_sha256({"w": zeros.copy()})
      True
      >>> params_sha256({"w": zeros}) == params_sha256({"w": ones})
      False
    """
    digest = hashlib.sha256()
    for name, leaf in zip(leaf_names(params), jax.tree.leaves(params), strict=True):
        array = np.ascontiguousarray(leaf)
        digest.update(f"{name} {array.dtype} {array.shape}\n".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def zero_fraction(params: PyTree) -> float:
    """Share of the weights (rank >= 2, not bias or scale; all numbers of a model without such) that are exactly zero.

    Example:
      >>> zero_fraction({"kernel": np.array([[0.0, 1.0]], np.float32)})
      0.5
    """
    leaves = [np.asarray(leaf) for leaf in weight_leaves(params)]
    return sum(int((leaf == 0).sum()) for leaf in leaves) / sum(leaf.size for leaf in leaves)


class CompilationCounter:
    """Counts the programs that XLA compiles (or loads from its cache) inside a `with` block.

    Example:
      >>> with CompilationCounter() as counter:
      ...     _ = jax.jit(lambda x: x + 1)(np.float32(1))
      >>> counter.count
      1
    """

    def __init__(self) -> None:
        self.count = 0
        self.seconds = 0.0

    def __enter__(self) -> CompilationCounter:
        """Start counting."""
        jax.monitoring.register_event_duration_secs_listener(self._on_event)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop counting."""
        jax.monitoring.unregister_event_duration_listener(self._on_event)

    def describe(self) -> str:
        """The count and the time in words.

        Example:
          >>> CompilationCounter().describe()
          '0 programs compiled in 0.0 s'
        """
        return f"{self.count} program{'s' if self.count != 1 else ''} compiled in {self.seconds:.1f} s"

    def _on_event(self, event: str, duration_secs: float, **kwargs: str | int) -> None:
        if event == _COMPILE_EVENT:
            self.count += 1
            self.seconds += duration_secs
