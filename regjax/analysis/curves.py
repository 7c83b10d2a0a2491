"""What a noisy learning curve shows: its noise, its level at the end, and how far it rose above its lowest point.

Estimates are for noise whose size is proportional to the level, as that of a loss on a fixed validation set is nearly.
Noise that is correlated between epochs looks like a trend; in curves of 40 epochs or more the correlation is estimated,
as that of an autoregression, and intervals are wider for it. They are not quite wide enough: of flat curves, 2.5%
should show a rise, and about 10% do with a correlation of 0.8.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from regjax.core.typing import Numeric

FEWEST_EPOCHS = 5
"""A shorter curve has no noise that could be estimated."""
SPIKE = 4.0  # deviations from the running median beyond which a value is cut
_FEWEST_CORRELATED = 30  # of fewer epochs, the correlation cannot be told from a trend
_LAG = 4  # beyond it little is left of most correlations, and within it most curves are nearly straight
_MOST_CORRELATED = 0.9


class Rise(NamedTuple):
    """How far the end of a curve lies above its lowest point.

    Attributes:
      size: the rise, in the units of the curve.
      error: its standard error.
      low: the lower end of its 95% interval, and `high` the upper one.
      high: see `low`.
      lowest: the level at the lowest point.
      lowest_epoch: where the smoothed curve is lowest.
      window: how many epochs count as the end.
      onset: the epoch from which on it rose, counted from 0: the bend of a level line that goes over into a rising one,
        fitted to the curve from its lowest level on.
      onset_low: the first epoch that may be the onset, by a likelihood ratio at 95%, and `onset_high` the last one.
      onset_high: see `onset_low`.
    """

    size: float
    error: float
    low: float
    high: float
    lowest: float
    lowest_epoch: int
    window: int
    onset: int
    onset_low: int
    onset_high: int


def relative_noise(curve: np.ndarray) -> float:
    """Standard deviation of the noise, as a share of the level: from second differences, by a quantile of their size.

      s = Q_68% |y_{t-1} - 2 y_t + y_{t+1}| / (sqrt(6) level_t)

    68% of normal numbers are within one standard deviation. Neither a trend nor a few spikes change it. The first
    quarter does not count, because curves bend there.

    Example:
      >>> y = 1 + 0.1 * np.random.default_rng(0).normal(size=1000)
      >>> bool(0.09 < relative_noise(y) < 0.11)
      True
    """
    if len(curve) < FEWEST_EPOCHS:
        return math.nan
    later = curve[min(len(curve) // 4, len(curve) - FEWEST_EPOCHS) :]
    bends = np.abs(_second_differences(later)) / math.sqrt(6)
    return float(np.quantile(bends / _levels(later)[1:-1], 0.6827))


def noise_correlation(curve: np.ndarray) -> float:
    """Correlation of the noise of neighbouring epochs: from second differences over 4 epochs and over 1.

      mean (y_{t-k} - 2 y_t + y_{t+k})^2 ~ 6 - 8 rho^k + 2 rho^{2k}

    for the noise of an autoregression, while a trend that is nearly straight over 8 epochs adds little. Like the noise,
    it is that of the last three quarters of the curve.

    Returns:
      A correlation from 0 to 0.9; 0 for curves of fewer than 40 epochs, and where independent noise explains it (less
      than `2 / sqrt(epochs)`, which independent noise exceeds in about 5% of all curves).

    Example:
      >>> white = np.random.default_rng(0).normal(size=1000)
      >>> noise_correlation(white), noise_correlation(white.cumsum())
      (0.0, 0.9)
    """
    later = curve[len(curve) // 4 :]
    if len(later) < _FEWEST_CORRELATED:
        return 0.0
    near, far = (float(np.mean(np.square(_second_differences(later, lag)))) for lag in (1, _LAG))
    if near <= 0:
        return 0.0
    possible = np.linspace(0.0, _MOST_CORRELATED, 181)
    expected = _of_second_differences(possible, _LAG) / _of_second_differences(possible, 1)
    found = float(possible[np.argmin(np.abs(expected - far / near))])
    return found if found > 2.0 / math.sqrt(len(later)) else 0.0


def _second_differences(curve: np.ndarray, lag: int = 1) -> np.ndarray:
    differences: np.ndarray = curve[: -2 * lag] - 2 * curve[lag:-lag] + curve[2 * lag :]
    return differences


def _of_second_differences(correlation: Numeric, lag: int) -> Numeric:
    """The variance of second differences, over that of the noise."""
    return 6 - 8 * correlation**lag + 2 * correlation ** (2 * lag)


def _variance_of_mean(window: int, correlation: float) -> float:
    """The variance of a mean of `window` epochs, over the square of `relative_noise`."""
    if correlation == 0:
        return 1.0 / window
    lags = np.arange(1, window)
    pairs = window + 2 * float(np.sum((window - lags) * correlation**lags))
    # `relative_noise` divides second differences by sqrt(6), which is right for independent noise.
    return pairs / window**2 * 6.0 / _of_second_differences(correlation, 1)


def without_spikes(curve: np.ndarray) -> np.ndarray:
    """The curve, where single values far from their neighbours are brought to the edge of the noise."""
    if len(curve) < FEWEST_EPOCHS:
        return curve
    middle = _running_median(curve)
    reach = SPIKE * max(relative_noise(curve), 1e-6) * _levels(middle)
    return np.clip(curve, middle - reach, middle + reach)


def end_window(epochs: int) -> int:
    """How many of the last epochs are the end of a curve: a tenth, at least 3."""
    return min(max(3, epochs // 10), epochs)


def level_at_end(curve: np.ndarray) -> tuple[float, float]:
    """The median of the last tenth of a curve, and its standard error (0 if the curve is too short for one)."""
    window = end_window(len(curve))
    level, noise = float(np.median(curve[-window:])), relative_noise(curve)
    if math.isnan(noise):
        return level, 0.0
    return level, 1.25 * noise * abs(level) * math.sqrt(_variance_of_mean(window, noise_correlation(curve)))


def rise_at_end(curve: np.ndarray, noise: float | None = None) -> Rise | None:
    """How far the end of a curve lies above its lowest point, with an interval.

    The lowest point of a noisy curve is too low, because it is the one with the luckiest noise. Here every other epoch
    says where the lowest point is, and the epochs between say how high the curve is there and at the end; then the
    roles are changed. So the estimate has no such bias: on average it is 0 if the curve is flat, and less than 0 while
    it falls. The end is the last tenth of the curve, and the lowest point is as wide. If that shows no rise, the lowest
    point is taken three times as wide, which can only be higher but is less noisy, and then both again with the last
    fifth as the end; the interval is that of two tries, because these are much alike.

    Args:
      curve: finite values, one per epoch.
      noise: `relative_noise`; None estimates it.

    Returns:
      A `Rise`; None for fewer than `FEWEST_EPOCHS` epochs.

    Example:
      >>> t = np.arange(60)
      >>> y = np.where(t < 30, 1 + np.exp(-t / 4), 1 + (t - 30) / 60)
      >>> rise = rise_at_end(y + 0.02 * np.random.default_rng(0).normal(size=60))
      >>> rise.low > 0.2, 10 < rise.onset < 36
      (True, True)
    """
    epochs = len(curve)
    if epochs < FEWEST_EPOCHS:
        return None
    noise = relative_noise(curve) if noise is None else noise
    curve = without_spikes(curve)
    correlation, deviations = noise_correlation(curve), max(noise, 1e-9) * _levels(curve)
    sizes = [
        _size(curve, window, wide * window, deviations, correlation)
        for window in (max(2, epochs // 10), max(2, epochs // 5))
        for wide in (1, 3)
    ]
    found = next((size for size in sizes if size.low > 0), sizes[0])
    smoothed = _smoothed(curve, max(3, found.window))
    first = int(np.flatnonzero(smoothed <= smoothed.min() + 2.0 * found.error)[0])
    deviation = found.deviation * math.sqrt(found.window * _variance_of_mean(found.window, correlation))
    onset, onset_low, onset_high = (first + place for place in _bend(curve[first:], deviation))
    return Rise(
        found.size,
        found.error,
        found.low,
        found.high,
        found.lowest,
        int(np.argmin(smoothed)),
        found.window,
        onset,
        onset_low,
        onset_high,
    )


class _Size(NamedTuple):
    """A rise without its onset, and the standard deviation of its epochs."""

    size: float
    error: float
    low: float
    high: float
    lowest: float
    window: int
    deviation: float


def _size(curve: np.ndarray, window: int, width: int, deviations: np.ndarray, correlation: float) -> _Size:
    """The rise of the last `window` epochs above the lowest point, where the curve is averaged over `width` epochs."""
    epochs = len(curve)
    index = np.arange(epochs)
    at_end = index >= epochs - window
    sizes, bottoms = [], []
    for parity in (0, 1):
        mine = index % 2 == parity
        others = index[~mine]
        place = others[int(np.argmin(_smoothed(curve[others], max(width // 2, 1))))]
        near = mine & (np.abs(index - place) <= width // 2)
        near = near if near.any() else np.abs(index - place) <= 1
        end = mine & at_end if (mine & at_end).any() else at_end
        bottoms.append(float(curve[near].mean()))
        sizes.append(float(curve[end].mean()) - bottoms[-1])
    size = float(np.mean(sizes))
    deviation = float(deviations[-window:].mean())
    error = deviation * math.sqrt(_variance_of_mean(window, correlation) + _variance_of_mean(width, correlation))
    # Normal, of two tries; wider for short curves, whose noise is estimated badly. Epochs whose noise is correlated
    # share their luck, so that the lowest point is too low, and the correlation itself is uncertain.
    reach = error * (2.24 + 8.0 / epochs + (1.0 if correlation else 0.0))
    return _Size(size, error, size - reach, size + reach, float(np.mean(bottoms)), window, deviation)


def _bend(curve: np.ndarray, deviation: float, most: int = 200) -> tuple[int, int, int]:
    """The bend of `a + b max(t - bend, 0)`, fitted by least squares, and the ends of its interval.

    Of correlated noise, `deviation` is the one that independent noise with equal errors of means would have.
    """
    epochs = len(curve)
    if epochs < 3:
        return 0, 0, epochs - 1
    bends = np.unique(np.linspace(0, epochs - 2, min(epochs - 1, most)).astype(int))
    ramps = np.clip(np.arange(epochs)[None] - bends[:, None], 0, None).astype(np.float64)
    ramps -= ramps.mean(axis=1, keepdims=True)
    centred = curve - curve.mean()
    # What is left of the squares; a bend into a falling line explains nothing.
    explained = np.square(np.clip(ramps @ centred, 0, None)) / np.square(ramps).sum(axis=1)
    left = np.square(centred).sum() - explained
    best = int(np.argmin(left))
    possible = bends[left <= left[best] + 3.84 * deviation**2]
    return int(bends[best]), int(possible[0]), int(possible[-1])


def _smoothed(curve: np.ndarray, window: int) -> np.ndarray:
    """Means over `window` epochs around each, fewer at the ends."""
    sums, index = np.concatenate([[0.0], np.cumsum(curve)]), np.arange(len(curve))
    first = np.maximum(index - window // 2, 0)
    last = np.minimum(index - window // 2 + window, len(curve))
    means: np.ndarray = (sums[last] - sums[first]) / (last - first)
    return means


def _running_median(curve: np.ndarray, reach: int = 2) -> np.ndarray:
    # Mirrored at the end, where a repeated last value would be its own median and no spike would be seen.
    padded = np.concatenate([np.repeat(curve[:1], reach), curve, curve[-2 : -2 - reach : -1]])
    medians: np.ndarray = np.median(np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1), axis=1)
    return medians


def _levels(curve: np.ndarray) -> np.ndarray:
    """The size of the values around each epoch, above 0 also where a curve passes 0 or is negative."""
    around = np.abs(_running_median(curve))
    spread = float(np.quantile(curve, 0.9) - np.quantile(curve, 0.1))
    floor = max(0.05 * spread, 1e-12)
    levels: np.ndarray = np.maximum(around, floor)
    return levels
