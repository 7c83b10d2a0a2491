"""What each loss is for, on simulated data with a known answer; the false-alarm rates are of normal errors."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import regjax as rj
from regjax.models import make_model

pytestmark = pytest.mark.slow

TRAIN, TEST, RUNS = 320, 4000, 12
WEIGHTS = np.array([1.0, -0.7, 0.4, 0.0])


@functools.cache
def trained(loss, epochs=100):
    """A compiled function from data to the test outputs of a linear model, one run for each entry of the first axis."""
    spec = rj.Spec(
        make_model("linear", num_outputs=1, task="regression"), task="regression", batch_size=32,
        steps_per_epoch=TRAIN // 32, epochs=epochs, loss=loss, schedule="linear",
    )  # fmt: skip
    run, apply = rj.make_run(spec), spec.model.apply

    def one(hparams, key, x, y, x_test):
        data = rj.TrainData(x, y, jnp.arange(TRAIN), x[:32], y[:32])
        return rj.predict(apply, *run.result(hparams, key, data).weights, x_test, task="regression")

    return jax.jit(jax.vmap(one, in_axes=(None, 0, 0, 0, 0)))


def outputs_of(loss, x, y, x_test, **numbers):
    hparams = rj.make_hparams(n_train=TRAIN, learning_rate=0.03, **numbers)
    keys = jax.random.split(jax.random.key(0), len(x))
    return np.asarray(trained(loss)(hparams, keys, *(np.float32(a) for a in (x, y, x_test))), np.float64)


def inputs(seed):
    rng = np.random.default_rng(seed)
    return rng, *(rng.normal(size=(RUNS, size, 4)) for size in (TRAIN, TEST))


def shown(differences):
    """The mean over its standard error, one per data set: above 4.4, normal noise is once in 2,000 (t, 11 degrees)."""
    return differences.mean() / (differences.std(ddof=1) / np.sqrt(len(differences)))


@pytest.mark.parametrize(("loss", "numbers"), [("mae", {}), ("huber", {"huber_delta": 1.0})])
def test_gross_outliers_pull_less(loss, numbers):
    """Of 10% of the training targets the error is ten times as large; the test targets are clean. Also see `shown`."""
    rng, x, x_test = inputs(1)
    noise = rng.normal(size=(RUNS, TRAIN)) * np.where(rng.random((RUNS, TRAIN)) < 0.1, 10.0, 0.5)
    y, truth = x @ WEIGHTS + noise, x_test @ WEIGHTS
    error = {name: np.mean((outputs_of(name, x, y, x_test, **(numbers if name == loss else {})) - truth) ** 2, axis=1)
             for name in ("mse", loss)}  # fmt: skip
    assert shown(error["mse"] - error[loss]) > 4.4
    assert error[loss].mean() < 0.5 * error["mse"].mean()


@pytest.mark.parametrize("quantile", [0.1, 0.9])
def test_a_quantile_covers_its_share(quantile):
    """Of a linear model with errors that are not symmetric; 4.4 standard errors are a false alarm of 1e-5.

    The coverage of an exact quantile regression is off by at most 5/320 on the training examples, one for each weight,
    and varies between data sets by 1.7 points (binomial), half a point for the mean of 12; of the mean regression of
    the same targets it is far off.
    """
    rng, x, x_test = inputs(2)
    y, y_test = (x_ @ WEIGHTS + rng.gamma(2.0, size=x_.shape[:2]) for x_ in (x, x_test))
    covered = (y_test <= outputs_of("quantile", x, y, x_test, quantile=quantile)).mean(axis=1)
    assert abs(covered.mean() - quantile) < 5 / TRAIN + 4.4 * np.sqrt(0.09 / TRAIN / RUNS)
    mean = (y_test <= outputs_of("mse", x, y, x_test)).mean(axis=1)
    assert abs(mean.mean() - quantile) > 0.2


def test_counts_with_a_log_linear_rate_are_predicted_better_by_the_poisson_loss():
    """In deviance, where a prediction of the linear model below 0.01 counts as 0.01; false alarms as in `shown`."""
    rng, x, x_test = inputs(3)
    y, y_test = (rng.poisson(np.exp(0.5 + 0.7 * x_ @ WEIGHTS)) for x_ in (x, x_test))

    def deviance(rates):
        log = np.log(np.where(y_test > 0, y_test, 1) / rates)
        return 2 * np.mean(rates - y_test + y_test * log, axis=1)

    linear = np.maximum(outputs_of("mse", x, y, x_test), 0.01)
    rates = np.exp(outputs_of("poisson", x, y, x_test))
    assert shown(deviance(linear) - deviance(rates)) > 4.4
    best = deviance(np.exp(0.5 + 0.7 * x_test @ WEIGHTS))
    assert deviance(rates).mean() < 1.1 * best.mean()


def test_a_number_of_the_loss_is_data_of_the_program():
    """One compiled program serves all quantiles."""
    _, x, x_test = inputs(4)
    low, high = (outputs_of("quantile", x, x @ WEIGHTS + x[..., 3], x_test, quantile=q) for q in (0.1, 0.9))
    assert (low < high).mean() > 0.9
    assert trained("quantile")._cache_size() == 1
