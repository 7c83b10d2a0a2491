"""Early stopping as a pure state machine, for `jit`, `scan` and `vmap` as well as plain Python loops.

Each update counts one evaluation; evaluations are numbered from 0. The state tracks two minima: `reference` moves
only on gains above `min_delta` and drives the patience; `best_value` is the true minimum and decides which
parameters are restored.

Concrete values are compared in float64, with limits rounded to the type of the value. Inside a compiled program the
comparison uses JAX's floating-point type, float32 by default: two losses that are equal there are a plateau.
"""

from __future__ import annotations

import dataclasses
from types import ModuleType
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from regjax.catalog import STOP_CRITERIA
from regjax.core.checks import check_choice, check_range, in_short, is_traced
from regjax.core.dtypes import float_dtype
from regjax.core.typing import Array, ArrayLike, DTypeLike, Numeric, PyTree, Value
from regjax.stopping.criteria import CRITERIA
from regjax.stopping.gains import RULES, arithmetic, bounded, join_float32, rounded_like, split_float32

NEVER = np.iinfo(np.int32).max  # a patience that never runs out
REASONS = ["running", *STOP_CRITERIA, "target", "diverged"]  # then the criteria from outside
_WHOLE = ("patience", "strips", "start_from_epoch", "min_epochs")
_LIMITS = ("baseline", "target", "divergence_threshold")
_LOWEST = {"patience": 0, "min_delta": 0.0, "alpha": 0.0, "strips": 1, "start_from_epoch": 0, "min_epochs": 0} | (
    dict.fromkeys(_LIMITS, -np.inf)
)
_TINY = float(np.finfo(np.float32).tiny)


class StopState(NamedTuple):
    """State of `EarlyStopping`; all arrays are scalars except `window` and `remainder`."""

    reference: Array  # float32: the value against which gains are measured
    best_value: Array  # float32: the best finite value so far (with keep="gain": the value of the last gain)
    best_step: Array  # int32: the evaluation of best_value; -1 before the first
    wait: Array  # int32: evaluations since the last gain
    count: Array  # type: ignore[assignment]  # int32: evaluations so far
    reason: Array  # int32: index into REASONS; 0 while running
    improved: Array  # bool: whether the last update set a new best_value
    window: Array  # float32[k]: the last k training losses, newest last (criterion pq)
    strip_value: Array  # float32: value at the end of the last strip (criterion up)
    rises: Array  # int32: successive strips at whose end the value had risen (criterion up)
    remainder: Array  # float32[3 + k, 2]: float64 digits that reference, best_value, strip_value and window lack
    criterion_state: PyTree = ()  # of a criterion from outside

    @property
    def should_stop(self) -> Array:
        """Whether training should stop; once true, it stays true."""
        return self.reason != 0

    @property
    def reason_name(self) -> str:
        """The name of the reason, one of `REASONS`; on the host only."""
        return REASONS[int(self.reason)]


@dataclasses.dataclass(frozen=True)
class EarlyStopping:
    """Decides from the validation value of each evaluation when training stops.

    With `v(t)` the value at evaluation `t` (negated when `mode="max"`), a gain is `reference - v(t) > min_delta`.
    With criterion `"patience"`, training stops at an evaluation without a gain when `wait >= patience`, where `wait`
    counts the evaluations since the last gain, this one included (as in Keras and Lightning). Prechelt's criteria are
    for losses > 0; `E_opt(t)` is the lowest validation loss so far:

    - `"gl"`: `GL(t) = 100 (v(t) / E_opt(t) - 1)`, stop when `GL > alpha`;
    - `"pq"`: `P_k(t) = 1000 (sum of the last k training losses / (k min of them) - 1)`, stop when `GL / P_k > alpha`,
      once there are k training losses (at every evaluation; in the paper at the end of a strip);
    - `"up"`: stop when the validation loss rose in `strips` successive strips of `k` evaluations.

    All numbers are data: inside a compiled program, `patience=NEVER` switches early stopping off.

    Attributes:
      patience: number of evaluations without a gain that are allowed, >= 0; for criterion `"patience"`.
      min_delta: >= 0; a gain must exceed it; a fraction of `|reference|` when `relative`.
      alpha: > 0, threshold of `"gl"` (percent) and `"pq"`.
      strips: >= 1, successive rising strips, for `"up"`.
      baseline: a gain resets `wait` only if it also beats this value; infinite or None: unset.
      start_from_epoch: before this evaluation, only divergence can stop the run.
      min_epochs: no stop before this many evaluations, except on divergence.
      target: stop as soon as the value is this good (better, with rule `"lightning"`); infinite or None: unset.
      divergence_threshold: stop as soon as the value is worse than this; infinite or None: unset.
      mode: `"min"` or `"max"`: which values are better.
      criterion: `"patience"`, `"gl"`, `"pq"` or `"up"`.
      k: length of a strip, in evaluations (5 in the paper).
      relative: whether `min_delta` is a fraction.
      rule: the library whose comparison decides what a gain is, including its rounding and its treatment of NaN and
        infinities: `"regjax"` (a gain is finite), `"keras"`, `"lightning"`, `"flax"` or `"sklearn"`. The last two
        allow one more evaluation; with `"sklearn"` every new best moves `reference`.
      keep: `"best"` keeps the weights of the true best, `"gain"` those of the last gain, which Keras restores. The two
        differ when `min_delta > 0`.
      nan: `"stop"`: a value that is not finite stops the run as diverged; `"ignore"`: the rule decides.

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

    patience: Numeric = 10
    min_delta: Numeric = 0.0
    alpha: Numeric = 5.0
    strips: Numeric = 3
    baseline: Numeric = np.inf
    start_from_epoch: Numeric = 0
    min_epochs: Numeric = 0
    target: Numeric = -np.inf
    divergence_threshold: Numeric = np.inf
    mode: str = dataclasses.field(default="min", metadata={"static": True})
    criterion: str = dataclasses.field(default="patience", metadata={"static": True})
    k: int = dataclasses.field(default=5, metadata={"static": True})
    relative: bool = dataclasses.field(default=False, metadata={"static": True})
    rule: str = dataclasses.field(default="regjax", metadata={"static": True})
    keep: str = dataclasses.field(default="best", metadata={"static": True})
    nan: str = dataclasses.field(default="stop", metadata={"static": True})

    def __post_init__(self) -> None:
        # JAX rebuilds pytrees with placeholder leaves, so arrays and None are checked in `init`.
        for name in _LOWEST:
            if isinstance(value := getattr(self, name), int | float | np.number | str):
                _check_number(name, value)
        if self.criterion in ("gl", "pq") and self.mode == "max":
            raise ValueError(f"EarlyStopping: criterion {self.criterion!r} is for losses, mode must be 'min'")
        check_choice("EarlyStopping: mode", self.mode, ("min", "max"))
        check_choice("EarlyStopping: criterion", self.criterion, STOP_CRITERIA)
        check_choice("EarlyStopping: rule", self.rule, RULES)
        check_choice("EarlyStopping: keep", self.keep, ("best", "gain"))
        if self.keep == "gain" and self.criterion in ("gl", "pq"):
            raise ValueError(f"EarlyStopping: criterion {self.criterion!r} needs the lowest loss, keep must be 'best'")
        for name, unset in (("min_delta", 0.0), ("baseline", np.inf)):
            value = getattr(self, name)
            unread = self.criterion != "patience" and (name == "baseline" or self.keep == "best")
            if unread and isinstance(value, int | float | np.number) and abs(value) != unset:
                raise ValueError(f"EarlyStopping: {name}={value!r} is not read by criterion {self.criterion!r}")
        check_choice("EarlyStopping: nan", self.nan, ("stop", "ignore"))
        if isinstance(self.k, bool) or not isinstance(self.k, int | np.integer):
            raise ValueError(f"EarlyStopping: k must be a whole number >= 1, got {self.k!r}")
        check_range("EarlyStopping: k", self.k, 1)
        if not isinstance(self.relative, bool | np.bool_):
            raise ValueError(f"EarlyStopping: relative must be True or False, got {self.relative!r}")

    def canonical(self) -> EarlyStopping:
        """The same rule with numbers of fixed dtypes, so that none causes a recompilation; of NumPy, if not traced."""
        numbers = {name: _check_number(name, getattr(self, name)) for name in _LOWEST}
        typed: dict[str, Numeric] = {
            n: (jnp if is_traced(v) else np).asarray(v, np.int32 if n in _WHOLE else float_dtype())
            for n, v in numbers.items()
        }
        return dataclasses.replace(self, **typed)

    def init(self) -> StopState:
        """The state before the first evaluation.

        Raises:
          ValueError: a concrete number out of range.
        """
        for name in _LOWEST:
            _check_number(name, getattr(self, name))
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
            remainder=jnp.zeros((3 + self.k, 2), jnp.float32),
            criterion_state=CRITERIA[self.criterion].init() if self.criterion in CRITERIA else (),
        )

    def update(self, state: StopState, value: ArrayLike, train_value: ArrayLike | None = None) -> StopState:
        """The state after one more evaluation.

        Args:
          state: from `init` or the last `update`.
          value: validation value; scalar, may be traced.
          train_value: training loss of the same evaluation; criterion `"pq"` needs it.

        Returns:
          The new state, with the dtypes of the old one. After a stop it no longer changes and `improved` is False, so
          that a loop which has to continue, under `scan` or `vmap`, ends with what it kept at the stop.

        Raises:
          ValueError: criterion `"pq"` without `train_value`, a value that is not a scalar, or a concrete value below 0
            with criterion `"gl"` or `"pq"`.
        """
        _check_scalar("value", value)
        if self.criterion == "pq" and train_value is None:
            raise ValueError("EarlyStopping: criterion 'pq' needs train_value in every update")
        if self.criterion in ("gl", "pq") and not is_traced(value) and np.asarray(value) < 0:
            raise ValueError(f"EarlyStopping: criterion {self.criterion!r} is for losses >= 0, got {value}")
        if train_value is not None:
            _check_scalar("train_value", train_value)
        with np.errstate(all="ignore"):
            return self._updated(state, value, train_value)

    def _updated(self, state: StopState, value: ArrayLike, train_value: ArrayLike | None) -> StopState:
        xp, wide = arithmetic(self, state, value, train_value)
        rule, sign = RULES[self.rule], 1.0 if self.mode == "min" else -1.0
        old = jax.tree.map(xp.asarray, state)
        floats = xp.concatenate([xp.stack([old.reference, old.best_value, old.strip_value]), old.window])
        floats = join_float32(xp, wide, floats, old.remainder)
        reference, best, strip_value, window = floats[0], sign * floats[1], floats[2], floats[3:]

        def bound(name: str) -> tuple[Numeric, Numeric]:
            """A limit with the sign and rounding of the values, and whether it is set."""
            limit_value = getattr(self, name)
            number = bounded(xp, rounded_like(xp.asarray(np.nan if limit_value is None else limit_value, wide), value))
            return sign * number, xp.isfinite(number)

        v = sign * bounded(xp, xp.asarray(value, wide))
        finite = xp.isfinite(v)
        watched = old.count >= self.start_from_epoch
        usable = watched if self.nan == "ignore" else watched & finite
        first = old.count == self.start_from_epoch

        gain = usable & rule.is_gain(v, reference, self._delta(xp, wide, reference), first)
        moves = gain if rule.moves is None else usable & rule.moves(v, reference)
        improved = moves if self.keep == "gain" else watched & finite & (v < best)
        baseline, has_baseline = bound("baseline")
        beats = rule.is_gain(v, baseline, self._delta(xp, wide, baseline), xp.asarray(False))
        counts = gain & (beats | ~has_baseline)
        wait = xp.where(watched, xp.where(counts, 0, old.wait + 1), old.wait)
        best = xp.where(improved, v, best)

        stop = xp.asarray(False)
        rises = old.rises
        if self.criterion == "patience":
            stop = ~gain & (wait > self.patience if rule.allows_one_more else wait >= self.patience)
        if self.criterion == "gl":
            stop = _loss_of_generalization(xp, v, best) > self.alpha
        if self.criterion == "pq":
            window = xp.append(window[1:], xp.asarray(train_value, wide))
            quotient = xp.sum(window) / (self.k * xp.maximum(xp.min(window), _TINY))
            progress = 1000.0 * xp.maximum(quotient - 1.0, 0.0)  # rounding could make it negative
            # GL / P > alpha, without dividing by P, which may be 0.
            exceeded = _loss_of_generalization(xp, v, best) > self.alpha * progress
            stop = xp.all(xp.isfinite(window)) & exceeded
        if self.criterion == "up":
            ends = watched & ((old.count + 1 - xp.asarray(self.start_from_epoch, np.int32)) % self.k == 0)
            rises = xp.where(ends, xp.where(v > strip_value, rises + 1, 0), rises)
            strip_value = xp.where(ends, v, strip_value)
            stop = rises >= self.strips
        criterion_state = old.criterion_state
        if self.criterion in CRITERIA:
            train = jnp.asarray(jnp.nan if train_value is None else train_value)
            criterion_state, stop = CRITERIA[self.criterion].update(
                state.criterion_state, jnp.asarray(value), jnp.asarray(sign * best), train
            )

        code = xp.where(stop & watched, REASONS.index(self.criterion), 0)
        # If patience ran out before any finite value was seen, the run diverged, whatever the policy for NaN.
        code = xp.where((code != 0) & ~xp.isfinite(best), REASONS.index("diverged"), code)
        target, has_target = bound("target")

        def as_compared(number: Numeric) -> Numeric:
            return number.astype(np.float32) if rule.passes_limits else number

        reached = as_compared(v) < as_compared(target) if rule.passes_limits else v <= target
        code = xp.where(watched & has_target & reached, REASONS.index("target"), code)
        code = xp.where(old.count + 1 < self.min_epochs, 0, code)
        limit, has_limit = bound("divergence_threshold")
        diverged = has_limit & (as_compared(v) > as_compared(limit))
        if self.nan == "stop":
            diverged = diverged | ~finite
        code = xp.where(diverged, REASONS.index("diverged"), code)

        floats = xp.stack([xp.where(moves, v, reference), sign * best, strip_value])
        rounded, remainder = split_float32(xp, xp.concatenate([floats, window]))
        new = StopState(
            reference=rounded[0],
            best_value=rounded[1],
            best_step=xp.where(improved, old.count, old.best_step),
            wait=wait,
            count=old.count + 1,
            reason=code,
            improved=improved,
            window=rounded[3:],
            strip_value=rounded[2],
            rises=rises,
            remainder=remainder,
            criterion_state=criterion_state,
        )
        had_stopped = old.reason != 0
        unchanged = old._replace(improved=xp.asarray(False))
        return jax.tree.map(lambda now, then: jnp.asarray(xp.where(had_stopped, then, now), then.dtype), new, unchanged)

    def _delta(self, xp: ModuleType, wide: DTypeLike, reference: Numeric) -> Numeric:
        delta = xp.asarray(self.min_delta, wide)
        return delta * xp.where(xp.isfinite(reference), abs(reference), 0.0) if self.relative else delta

    @classmethod
    def keras(cls, patience: int = 0, min_delta: float = 0.0, **options: Value) -> EarlyStopping:
        """Stops where `keras.callbacks.EarlyStopping` (Keras 3) stops; `keep="gain"` restores the same weights."""
        return cls(patience=patience, min_delta=min_delta, **{"rule": "keras", "nan": "ignore", **options})

    @classmethod
    def lightning(cls, patience: int = 3, min_delta: float = 0.0, **options: Value) -> EarlyStopping:
        """Stops where Lightning's `EarlyStopping` stops (also on values that are not finite)."""
        return cls(patience=patience, min_delta=min_delta, **{"rule": "lightning", "nan": "stop", **options})

    @classmethod
    def flax(cls, patience: int = 0, min_delta: float = 0.0, **options: Value) -> EarlyStopping:
        """Stops where `flax.training.early_stopping.EarlyStopping` stops: one evaluation later than Keras."""
        return cls(patience=patience, min_delta=min_delta, **{"rule": "flax", "nan": "ignore", **options})

    @classmethod
    def sklearn(cls, n_iter_no_change: int = 10, tol: float = 1e-4, **options: Value) -> EarlyStopping:
        """Stops where scikit-learn's MLP estimators stop; every new best moves their reference."""
        return cls(patience=n_iter_no_change, min_delta=tol, **{"rule": "sklearn", "nan": "ignore", **options})


jax.tree_util.register_dataclass(EarlyStopping)


def _check_number(name: str, value: Numeric) -> Numeric:
    """`value`, if it is traced or within the range of the field `name`; None, for an unset limit, becomes infinity."""
    if is_traced(value) or (value is None and name in _LIMITS):
        return np.inf if value is None else value
    if name in _WHOLE:
        array = np.asarray(value)
        is_whole = array.dtype.kind in "iu" or (
            array.dtype.kind == "f" and np.all(np.isfinite(array) & (array == np.floor(array)))
        )
        if not is_whole:
            raise ValueError(f"EarlyStopping: {name} must be a whole number >= 0, got {in_short(value)}")
        if np.any(array > NEVER):
            raise ValueError(f"EarlyStopping: {name} must be at most {NEVER}, got {in_short(value)}")
    check_range(f"EarlyStopping: {name}", value, _LOWEST[name], low_open=name == "alpha")
    return value


def _check_scalar(name: str, value: ArrayLike) -> None:
    """Refuse anything but a scalar; of a traced value only the shape is checked."""
    if is_traced(value) and np.shape(value) == ():
        return
    if np.shape(value) or np.asarray(value).dtype.kind not in "biufV":  # V: bfloat16 and its like
        description = f"an array of shape {np.shape(value)}" if np.shape(value) else in_short(value)
        raise ValueError(f"EarlyStopping: {name} must be one number (use jax.vmap for several runs), got {description}")


def _loss_of_generalization(xp: ModuleType, value: Numeric, best: Numeric) -> Numeric:
    return 100.0 * (value / xp.where(best == 0, _TINY, best) - 1.0)


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
