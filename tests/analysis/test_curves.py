import math

import numpy as np
import pytest
from scipy import signal, stats

from experiments.studies.diagnosis import correlated
from regjax.analysis.curves import level_at_end, noise_correlation, relative_noise, rise_at_end, without_spikes


@pytest.mark.parametrize("noise", [0.01, 0.1])
def test_noise_is_seen_through_a_trend_and_spikes(noise):
    """Of 600 second differences the median has a relative error of 5%; 5 of those."""
    rng, t = np.random.default_rng(0), np.linspace(0, 1, 1000)
    curve = (0.5 + 2 * np.exp(-5 * t)) * (1 + noise * rng.normal(size=1000))
    curve[500::97] *= 8
    assert relative_noise(curve) == pytest.approx(noise, rel=0.25)
    assert math.isnan(relative_noise(curve[:4]))


def test_spikes_are_cut_and_nothing_else():
    rng = np.random.default_rng(0)
    curve = 1 + 0.02 * rng.normal(size=200)
    spiked = curve.copy()
    spiked[100] = 9.0
    cut = without_spikes(spiked)
    assert cut[100] < 1.3
    assert np.abs(np.delete(cut, 100) - np.delete(curve, 100)).max() < 0.03


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.8])
def test_the_noise_of_the_study_is_an_autoregression(rho):
    """Against SciPy's filter of the same numbers."""
    drawn = np.random.default_rng(3).normal(size=40)
    scaled = np.concatenate([drawn[:1], math.sqrt(1 - rho**2) * drawn[1:]])
    expected = signal.lfilter([1.0], [1.0, -rho], scaled)
    np.testing.assert_allclose(correlated(40, rho, np.random.default_rng(3)), expected)


@pytest.mark.parametrize("epochs", [60, 200])
def test_independent_noise_seldom_has_a_correlation(epochs):
    """500 curves at a rate of at most 8%: more have a probability below 1e-4."""
    rng, t = np.random.default_rng(0), np.linspace(0, 1, epochs)
    curve = 0.6 + 1.7 * np.exp(-8 * t) + 0.3 * np.clip(t - 0.5, 0, None)
    found = sum(noise_correlation(curve * (1 + 0.1 * rng.normal(size=epochs))) > 0 for _ in range(500))
    assert found <= stats.binom.ppf(1 - 1e-4, 500, 0.08)


@pytest.mark.parametrize("rho", [0.5, 0.8])
def test_the_correlation_of_noise_is_seen_through_a_trend(rho):
    """Of 3,000 epochs the standard error is about 0.03 at 0.5 and 0.04 at 0.8."""
    t = np.linspace(0, 1, 3000)
    curve = (0.6 + 1.7 * np.exp(-8 * t)) * (1 + 0.05 * correlated(3000, rho, np.random.default_rng(4)))
    assert noise_correlation(curve) == pytest.approx(rho, abs=0.15)
    assert noise_correlation(curve[:39]) == 0.0  # too short
    assert noise_correlation(np.ones(100)) == 0.0


@pytest.mark.parametrize("rho", [0.0, 0.8])
@pytest.mark.slow
def test_the_error_of_the_level_knows_of_correlation(rho):
    """The end of 400 epochs, over 400 curves: the median of the errors is the deviation of the levels within 25%."""
    rng = np.random.default_rng(5)
    found = [level_at_end(1 + 0.05 * correlated(400, rho, rng)) for _ in range(400)]
    levels, errors = np.array(found).T
    assert np.median(errors) == pytest.approx(np.std(levels), rel=0.25)


def test_a_spike_of_the_last_epoch_is_cut():
    curve = 1 + 0.02 * np.random.default_rng(0).normal(size=60)
    curve[-1] = 9.0
    assert without_spikes(curve)[-1] < 1.3
    assert rise_at_end(curve).size < 0.05


@pytest.mark.slow
def test_the_level_at_the_end_is_a_median_with_its_error():
    """1,000 curves: the deviation of the medians is their standard error, within 4.9 of its own errors."""
    rng = np.random.default_rng(0)
    found = [level_at_end(2 * (1 + 0.05 * rng.normal(size=100))) for _ in range(1000)]
    levels, errors = np.array(found).T
    assert np.mean(levels) == pytest.approx(2, abs=0.01)
    assert np.std(levels) == pytest.approx(np.mean(errors), rel=0.2)
    assert level_at_end(np.array([3.0, 1.0])) == (2.0, 0.0)


@pytest.mark.slow
def test_the_rise_of_a_flat_curve_is_0_on_average():
    """The lowest of 60 values is too low by two deviations; the estimate has no such bias: 4.9 standard errors."""
    rng = np.random.default_rng(0)
    sizes = [rise_at_end(1 + 0.1 * rng.normal(size=60)).size for _ in range(400)]
    assert abs(np.mean(sizes)) < 4.9 * np.std(sizes) / np.sqrt(400) + 0.01


@pytest.mark.slow
def test_the_interval_of_a_rise_covers_it():
    """The curve rises by 0.3 from epoch 30 on; the last tenth of 100 epochs lies 0.281 above the lowest point."""
    rng, t = np.random.default_rng(1), np.arange(100)
    curve = 1 + 0.3 * np.clip((t - 30) / 69, 0, None) + np.exp(-t / 3)
    true = curve[-10:].mean() - 1
    rises = [rise_at_end(curve * (1 + 0.05 * rng.normal(size=100))) for _ in range(300)]
    # At least 95%; near the onset the window of the lowest point takes in some of the rise.
    assert np.mean([rise.low < true < rise.high for rise in rises]) > 0.9
    assert np.mean([rise.onset_low <= 30 <= rise.onset_high for rise in rises]) > 0.9


@pytest.mark.parametrize(("rho", "rate"), [(0.0, 0.05), (0.5, 0.06), (0.8, 0.14)])
@pytest.mark.slow
def test_a_flat_curve_seldom_has_a_rise(rho, rate):
    """300 curves of 150 epochs: more rises have a probability below 1e-4."""
    rng = np.random.default_rng(6)
    found = sum(rise_at_end(1 + 0.1 * correlated(150, rho, rng)).low > 0 for _ in range(300))
    assert found <= stats.binom.ppf(1 - 1e-4, 300, rate)


@pytest.mark.parametrize("scale", [1e-8, 1.0, 1e8])
def test_units_do_not_matter(scale):
    rng = np.random.default_rng(2)
    curve = 1 + 0.05 * rng.normal(size=50)
    one, other = rise_at_end(curve), rise_at_end(scale * curve)
    np.testing.assert_allclose(np.array(other[:5]), scale * np.array(one[:5]), rtol=1e-6)
    assert other[5:] == one[5:]


def test_short_curves_have_no_rise():
    assert rise_at_end(np.ones(4)) is None
    assert rise_at_end(np.ones(5)).size == 0
