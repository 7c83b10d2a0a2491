"""Early stopping as a pure state machine: works inside `jit`, `scan` and `vmap`, and as a plain Python object.

Every update counts one evaluation; evaluations are numbered from 0. Two minima are kept apart: `reference` moves
only on gains above `min_delta` and drives the patience, `best_value` is the true minimum and says which
parameters to restore.
"""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from regjax.checks import check_choice, check_range
from regjax.typing import Array, ArrayLike, PyTree

NEVER = np.iinfo(np.int32).max  # a patience that is never exhausted
CRITERIA = ("patience", "gl", "pq", "up")
REASONS = ("running", "patience", "gl", "pq", "up", "target", "diverged")
_CODE = {name: code for code, name in enumerate(REASONS)}


class StopState(NamedTuple):
    """State of `EarlyStopping`; all arrays are scalars except `window`."""

    reference: Array  # float32: the value that a gain is measured against
    best_value: Array  # float32: the true best of all finite values
    best_step: Array  # int32: the evaluation that brought it, -1 before the first
    wait: Array  # int32: evaluations since the last gain
    count: Array  # type: ignore[assignment]  # int32: evaluations so far
    reason: Array  # int32: 0 while running, else an index into REASONS
    improved: Array  # bool: whether the last update brought a new true best
    window: Array  # float32[k]: last k training losses, newest last (criterion pq)
    strip_value: Array  # float32: value at the end of the last strip (criterion up)
    rises: Array  # int32: successive strips that ended higher (criterion up)

    @property
    def should_stop(self) -> Array:
        """Whether a reason to stop was found; stays true."""
        return self.reason != 0

    @property
    def reason_name(self) -> str:
        """The reason as one of `REASONS`; on the host only."""
        return REASONS[int(self.reason)]


@dataclasses.dataclass(frozen=True)
class EarlyStopping:
    """When to stop training, from the validation value of each evaluation.

    With `v(t)` the value at evaluation `t` (negated when `mode="max"`), a gain is `v(t) < reference - min_delta`.
    With criterion `"patience"`, training stops at an evaluation without a gain when `wait >= patience`, `wait` being
    the evaluations since the last gain, this one included (as Keras and Lightning count). The criteria of Prechelt,
    for losses > 0, with `E_opt(t)` the lowest validation loss so far:

    - `"gl"`: `GL(t) = 100 (v(t) / E_opt(t) - 1)`, stop when `GL > alpha`;
    - `"pq"`: `P_k(t) = 1000 (sum of the last k training losses / (k min of them) - 1)`, stop when `GL / P_k > alpha`,
      not before there are k training losses;
    - `"up"`: stop when the validation loss rose in `strips` successive strips of `k` evaluations.

    Patience is data like every number here: give `patience=NEVER` to switch it off inside a compiled program.

    Attributes:
      patience: evaluations without a gain that are allowed, >= 0; the criterion `"patience"` reads it.
      min_delta: >= 0; what a gain must exceed; a fraction of `|reference|` when `relative`.
      alpha: > 0, threshold of `"gl"` (percent) and `"pq"`.
      strips: >= 1, successive rising strips of `"up"`.
      baseline: a gain also has to beat this value, or `wait` goes on.
      start_from_epoch: evaluations before this one are ignored altogether.
      min_epochs: no stop before this many evaluations, except on divergence.
      target: stop as soon as the value is this good.
      divergence_threshold: stop as soon as the value is worse than this.
      mode: `"min"` or `"max"`: which values are better.
      criterion: `"patience"`, `"gl"`, `"pq"` or `"up"`.
      k: length of a strip in evaluations (5 in the paper).
      relative: whether `min_delta` is a fraction.
      track: `"gain"`: `reference` moves only on a gain; `"best"`: it is the true best, and equality with
        `reference - min_delta` counts as a gain (scikit-learn).
      nan: `"stop"`: a value that is not finite ends the run as diverged; `"ignore"`: it is an evaluation without
        a gain.

    Raises:
      ValueError: a concrete number out of range or an unknown name.

    Example:
      >>> stopper = EarlyStopping(patience=2, min_delta=1e-3)
      >>> state = stopper.init()
      >>> for epoch, loss in enumerate([4.0, 3.0, 3.0, 3.0, 2.0]):
      ...     state = stopper.update(state, loss)
      ...     if state.should_stop:
      ...         break
      >>> epoch, float(state.best_value), int(state.best_step), state.reason_name
      (3, 3.0, 1, 'patience')

    Reference:
      Prechelt, Early stopping - but when?, 1998.
    """

    patience: Any = 10
    min_delta: Any = 0.0
    alpha: Any = 5.0
    strips: Any = 3
    baseline: Any = np.inf
    start_from_epoch: Any = 0
    min_epochs: Any = 0
    target: Any = -np.inf
    divergence_threshold: Any = np.inf
    mode: str = dataclasses.field(default="min", metadata={"static": True})
    criterion: str = dataclasses.field(default="patience", metadata={"static": True})
    k: int = dataclasses.field(default=5, metadata={"static": True})
    relative: bool = dataclasses.field(default=False, metadata={"static": True})
    track: str = dataclasses.field(default="gain", metadata={"static": True})
    nan: str = dataclasses.field(default="stop", metadata={"static": True})

    def __post_init__(self):
        # JAX rebuilds pytrees with placeholder leaves; only what a user can have written is checked.
        if isinstance(self.patience, int | float | np.number) and not isinstance(self.patience, bool):
            check_range("EarlyStopping: patience", self.patience, 0)
        for name, low in (("min_delta", 0.0), ("strips", 1), ("start_from_epoch", 0), ("min_epochs", 0)):
            value = getattr(self, name)
            if isinstance(value, int | float | np.number):
                check_range(f"EarlyStopping: {name}", value, low)
        if isinstance(self.alpha, int | float | np.number):
            check_range("EarlyStopping: alpha", self.alpha, 0.0, low_open=True)
        whole = {"patience", "strips", "start_from_epoch", "min_epochs"}
        for name in whole:
            value = getattr(self, name)
            if isinstance(value, str | bool) or (isinstance(value, float) and value != int(value)):
                raise ValueError(f"EarlyStopping: {name} must be a whole number >= 0, got {value!r}")
        if self.criterion in ("gl", "pq") and self.mode == "max":
            raise ValueError(f"EarlyStopping: criterion {self.criterion!r} is for losses, mode must be 'min'")
        check_choice("EarlyStopping: mode", self.mode, ("min", "max"))
        check_choice("EarlyStopping: criterion", self.criterion, CRITERIA)
        check_choice("EarlyStopping: track", self.track, ("gain", "best"))
        check_choice("EarlyStopping: nan", self.nan, ("stop", "ignore"))
        check_range("EarlyStopping: k", self.k, 1)

    def canonical(self) -> EarlyStopping:
        """The same rule with NumPy numbers of fixed types, so that no number changes a compiled program."""
        whole = {"patience", "strips", "start_from_epoch", "min_epochs"}
        numbers = {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if not f.metadata.get("static")}
        typed: dict[str, Any] = {n: np.asarray(v, np.int32 if n in whole else np.float32) for n, v in numbers.items()}
        return dataclasses.replace(self, **typed)

    def init(self) -> StopState:
        """The state before the first evaluation."""
        inf = jnp.asarray(jnp.inf, jnp.float32)
        zero = jnp.asarray(0, jnp.int32)
        return StopState(
            reference=inf,
            best_value=inf if self.mode == "min" else -inf,
            best_step=jnp.asarray(-1, jnp.int32),
            wait=zero,
            count=zero,
            reason=zero,
            improved=jnp.asarray(False),
            window=jnp.full((self.k,), jnp.inf, jnp.float32),
            strip_value=inf,
            rises=zero,
        )

    def update(self, state: StopState, value: ArrayLike, train_value: ArrayLike | None = None) -> StopState:
        """The state after one more evaluation.

        Args:
          state: from `init` or the last `update`.
          value: validation value; scalar, may be traced.
          train_value: training loss of the same evaluation; criterion `"pq"` needs it.

        Returns:
          The new state, with the dtypes of the old one. After a stop, `reason` does not change any more.

        Raises:
          ValueError: criterion `"pq"` without `train_value`.
        """
        sign = 1.0 if self.mode == "min" else -1.0
        raw = jnp.asarray(value, jnp.float32)
        v = sign * raw
        finite = jnp.isfinite(v)
        watched = state.count >= self.start_from_epoch
        best = sign * state.best_value

        improved = watched & finite & (v < best)
        gain = watched & finite & self._is_gain(v, state.reference)
        moves = improved if self.track == "best" else gain
        reference = jnp.where(moves, v, state.reference)
        counts = gain & (v < self._oriented(self.baseline, sign) - jnp.float32(self.min_delta))
        wait = jnp.where(watched, jnp.where(counts, 0, state.wait + 1), state.wait)
        new_best = jnp.where(improved, v, best)

        window, strip_value, rises = self._trends(state, v, train_value, watched)
        stop = {
            "patience": ~gain & (wait >= self.patience),
            "gl": self._loss_of_generalization(v, new_best) > self.alpha,
            "pq": self._progress_quotient_exceeded(v, new_best, window),
            "up": rises >= self.strips,
        }[self.criterion] & watched
        code = jnp.where(stop, _CODE[self.criterion], 0)
        # Patience that ran out before any finite value was seen is a diverged run, whatever the policy for NaN.
        code = jnp.where((code != 0) & ~jnp.isfinite(new_best), _CODE["diverged"], code)
        code = jnp.where(watched & (v <= self._oriented(self.target, sign, unset=-np.inf)), _CODE["target"], code)
        code = jnp.where(state.count + 1 < self.min_epochs, 0, code)
        diverged = v > self._oriented(self.divergence_threshold, sign)
        if self.nan == "stop":
            diverged = diverged | ~finite
        code = jnp.where(diverged, _CODE["diverged"], code)
        reason = jnp.where(state.reason != 0, state.reason, code)
        return StopState(
            reference=reference.astype(jnp.float32),
            best_value=jnp.where(improved, raw, state.best_value),
            best_step=jnp.where(improved, state.count, state.best_step),
            wait=wait.astype(jnp.int32),
            count=state.count + 1,
            reason=reason.astype(jnp.int32),
            improved=improved,
            window=window,
            strip_value=strip_value,
            rises=rises,
        )

    def _is_gain(self, v: Array, reference: Array) -> Array:
        delta = jnp.asarray(self.min_delta, jnp.float32)
        if self.relative:
            delta = delta * jnp.where(jnp.isfinite(reference), jnp.abs(reference), 0.0)
        return v <= reference - delta if self.track == "best" else v + delta < reference

    def _oriented(self, bound: Any, sign: float, unset: float = np.inf) -> Array:
        # An unset bound is infinite on the side where it never acts, whichever way the mode points.
        bound = jnp.asarray(bound, jnp.float32)
        return jnp.where(jnp.isfinite(bound), sign * bound, unset)

    def _loss_of_generalization(self, v: Array, best: Array) -> Array:
        return 100.0 * (v / jnp.where(best == 0, jnp.finfo(jnp.float32).tiny, best) - 1.0)

    def _progress_quotient_exceeded(self, v: Array, best: Array, window: Array) -> Array:
        lowest = jnp.maximum(jnp.min(window), jnp.finfo(jnp.float32).tiny)
        progress = 1000.0 * (jnp.sum(window) / (self.k * lowest) - 1.0)
        # GL / P > alpha without dividing by a P of zero.
        return jnp.all(jnp.isfinite(window)) & (self._loss_of_generalization(v, best) > self.alpha * progress)

    def _trends(
        self, state: StopState, v: Array, train_value: ArrayLike | None, watched: Array
    ) -> tuple[Array, Array, Array]:
        """The window of training losses, and the value and count of strips that ended higher."""
        window, strip_value, rises = state.window, state.strip_value, state.rises
        if self.criterion == "pq":
            if train_value is None:
                raise ValueError("EarlyStopping: criterion 'pq' needs train_value in every update")
            window = jnp.append(window[1:], jnp.asarray(train_value, jnp.float32))
        if self.criterion == "up":
            ends = watched & ((state.count + 1 - jnp.asarray(self.start_from_epoch, jnp.int32)) % self.k == 0)
            higher = v > strip_value
            rises = jnp.where(ends, jnp.where(higher, rises + 1, 0), rises).astype(jnp.int32)
            strip_value = jnp.where(ends, v, strip_value)
        return window, strip_value, rises

    @classmethod
    def keras(cls, patience: int = 0, min_delta: float = 0.0, **options: Any) -> EarlyStopping:
        """Stops at the epoch where `keras.callbacks.EarlyStopping` stops."""
        return cls(patience=patience, min_delta=min_delta, nan="ignore", **{"min_epochs": 2, **options})

    @classmethod
    def lightning(cls, patience: int = 3, min_delta: float = 0.0, **options: Any) -> EarlyStopping:
        """Stops at the epoch where Lightning's `EarlyStopping` stops (it also stops on values not finite)."""
        return cls(patience=patience, min_delta=min_delta, nan="stop", **options)

    @classmethod
    def flax(cls, patience: int = 0, min_delta: float = 0.0, **options: Any) -> EarlyStopping:
        """Stops at the epoch where `flax.training.early_stopping.EarlyStopping` stops: one later than Keras."""
        return cls(patience=patience + 1, min_delta=min_delta, nan="ignore", **options)

    @classmethod
    def sklearn(cls, n_iter_no_change: int = 10, tol: float = 1e-4, **options: Any) -> EarlyStopping:
        """Stops at the epoch where scikit-learn's MLP estimators stop; every new best moves their reference."""
        options = {"nan": "ignore", "track": "best", **options}
        return cls(patience=n_iter_no_change + 1, min_delta=tol, **options)


jax.tree_util.register_dataclass(EarlyStopping)


def keep_best(best: PyTree, candidate: PyTree, improved: ArrayLike) -> PyTree:
    """`candidate` where the last evaluation improved, else `best`, leaf by leaf.

    Args:
      best: pytree kept so far.
      candidate: pytree of the same structure, shapes and dtypes.
      improved: bool scalar, `state.improved` of `EarlyStopping`.

    Example:
      >>> keep_best({"w": jnp.float32(1)}, {"w": jnp.float32(2)}, True)
      {'w': Array(2., dtype=float32)}
    """
    return jax.tree.map(lambda old, new: jnp.where(improved, new, old), best, candidate)
