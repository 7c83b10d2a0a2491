"""Counts compiled programs and the time that compilation takes."""

from __future__ import annotations

from types import TracebackType

import jax
import jax.monitoring

_COMPILE_EVENT = "/jax/core/compile/backend_compile_duration"


class CompilationCounter:
    """Counts the programs that XLA compiles (or loads from its cache) inside a `with` block.

    Example:
      >>> with CompilationCounter() as counter:
      ...     _ = jax.jit(lambda x: x + 1)(1.0)
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
        """Return the count and the time in words.

        Example:
          >>> CompilationCounter().describe()
          '0 programs compiled in 0.0 s'
        """
        return f"{self.count} program{'s' if self.count != 1 else ''} compiled in {self.seconds:.1f} s"

    def _on_event(self, event: str, duration_secs: float, **kwargs: str | int) -> None:
        if event == _COMPILE_EVENT:
            self.count += 1
            self.seconds += duration_secs
