"""The presets of early stopping against the classes of the libraries, on sequences of every kind.

Flax and scikit-learn always run; Keras and Lightning where the bench extra is installed.
"""

import os
import warnings

import jax
import numpy as np
import pytest
from flax.training.early_stopping import EarlyStopping as FlaxStopping
from sklearn.neural_network import MLPClassifier

from regjax.stopping import EarlyStopping

os.environ.setdefault("KERAS_BACKEND", "jax")

DELTAS = (0.0, 0.0, 1e-3, 0.1, 0.25)


def sequence(seed):
    """`(values, patience, min_delta)`: falling with noise, with plateaus, on a grid, near ties or large numbers, and
    in half of the cases with NaN and infinities strewn in, the first place included."""
    rng = np.random.default_rng(seed)
    length = int(rng.integers(1, 30))
    kind = seed % 5
    falling = 2.0 * 0.9 ** np.arange(length) + 0.1 * rng.standard_normal(length)
    values = {
        0: falling,
        1: np.repeat(falling, 3)[:length],
        2: rng.integers(1, 12, length) / 10,  # sums and differences that tie in decimals, not in binary
        3: 1.0 - np.cumsum(rng.choice([0.0, 0.1, 0.1 + 1e-12, 0.1 - 1e-12, 1e-9], length)),
        4: 2e6 - 0.005 * np.arange(length) + rng.choice([0.0, 0.0, 0.02], length),
    }[kind]
    if rng.random() < 0.5:
        bad = rng.random(length) < 0.2
        bad[0] |= rng.random() < 0.3
        values = np.where(bad, rng.choice([np.nan, np.inf, -np.inf], length), values)
    return [float(v) for v in values], int(rng.integers(0, 5)), float(rng.choice(DELTAS))


SEQUENCES = [sequence(seed) for seed in range(500)]


def ours(stopper, values):
    """(epoch of the stop or None, epoch whose weights are kept), as a plain Python object."""
    state = stopper.init()
    for epoch, value in enumerate(values):
        state = stopper.update(state, value)
        if state.should_stop:
            return epoch, int(state.best_step)
    return None, int(state.best_step)


def flax(values, patience, min_delta, mode):
    stopper, kept = FlaxStopping(min_delta=min_delta, patience=patience), -1
    for epoch, value in enumerate(values):
        stopper = stopper.update(value if mode == "min" else -value)
        kept = epoch if stopper.has_improved else kept
        if stopper.should_stop:
            return epoch, kept
    return None, kept


class Scored(MLPClassifier):
    """The estimator, with validation scores from outside."""

    def _score(self, X, y, sample_weight=None):
        return self.scores[len(self.validation_scores_)]


def sklearn(values, patience, min_delta, mode):
    """The loss of training in mode "min", the validation score in mode "max"."""
    validated = mode == "max"
    model = Scored(n_iter_no_change=patience, tol=min_delta, early_stopping=validated)
    model._no_improvement_count, model.best_loss_, model.best_validation_score_ = 0, np.inf, -np.inf
    model.loss_curve_, model.validation_scores_, model.scores = [], [], values
    model.intercepts_, model._best_coefs = [], [np.asarray(-1)]
    for epoch, value in enumerate(values):
        model.coefs_ = [np.asarray(epoch)]
        model.loss_curve_.append(value)
        model._update_no_improvement_count(validated, None, None, None)
        if model._no_improvement_count > patience:
            return epoch, int(model._best_coefs[0])
    return None, int(model._best_coefs[0])


def keras(values, patience, min_delta, mode):
    """The callback on a model whose weight is the epoch, so that the restored one says which it was."""
    keras = pytest.importorskip("keras")
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
    callback = keras.callbacks.EarlyStopping(
        "val_loss", min_delta=min_delta, patience=patience, mode=mode, restore_best_weights=True
    )
    callback.set_model(model)
    model.stop_training = False
    callback.on_train_begin()
    stopped = None
    for epoch, value in enumerate(values):
        model.set_weights([np.full((1, 1), epoch)])
        callback.on_epoch_end(epoch, {"val_loss": value})
        if model.stop_training:
            stopped = epoch
            break
    callback.on_train_end()
    return stopped, int(model.get_weights()[0][0, 0])


def lightning(values, patience, min_delta, mode):
    torch = pytest.importorskip("torch")
    callbacks = pytest.importorskip("lightning.pytorch.callbacks")
    callback = callbacks.EarlyStopping("val_loss", min_delta=min_delta, patience=patience, mode=mode)
    kept = -1
    for epoch, value in enumerate(values):
        current = torch.tensor(value)  # float32, as its loggers make of a number
        should_stop, _ = callback._evaluate_stopping_criteria(current)
        kept = epoch if callback.best_score is current else kept
        if should_stop:
            return epoch, kept
    return None, kept


PEERS = {"flax": flax, "sklearn": sklearn, "keras": keras, "lightning": lightning}


@pytest.mark.parametrize("mode", ["min", "max"])
@pytest.mark.parametrize("name", PEERS)
@pytest.mark.slow
def test_presets_stop_where_their_libraries_stop(name, mode):
    """And keep the weights that they keep, which is with keep="gain"; scikit-learn keeps those of the best score."""
    sign = 1.0 if mode == "min" else -1.0
    wrong = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what a library warns of when it is given infinities
        for seed, (values, patience, delta) in enumerate(SEQUENCES):
            values = [sign * v for v in values]
            stop, kept = PEERS[name](values, patience, delta, mode)
            found = ours(getattr(EarlyStopping, name)(patience, delta, mode=mode, keep="gain"), values)
            if found != (stop, found[1] if name == "sklearn" else kept):
                wrong.append(seed)
    assert wrong == []


def test_losses_below_the_resolution_of_float32_are_told_apart():
    """2e6 - 0.005 e, as Python floats: Flax never stops; in float32 they look like a plateau."""
    values = [2e6 - 0.005 * e for e in range(60)]
    assert ours(EarlyStopping.flax(3), values) == flax(values, 3, 0.0, "min") == (None, 59)
    assert ours(EarlyStopping(patience=3), values) == (None, 59)


NAN, INF = float("nan"), float("inf")
RECORDED = [  # values, patience, min_delta, then (stop, restored) of Keras 3.15.1 and the stop of Lightning 2.6.6
    ([4.0, 3.0, 3.0, 3.0, 2.0, 2.0, 2.0, 2.0, 1.0, 1.0], 2, 0.001, (3, 1), 3),
    ([NAN, 1.0, 0.9, 0.8], 2, 0.0, (2, 0), 0),
    ([1.0, NAN, NAN, 0.5, 0.6, 0.7], 3, 0.0, (None, 3), 1),
    ([INF, 1.0, 2.0, 3.0], 2, 0.0, (3, 1), 0),
    ([1.0, -INF, 0.5, 0.4, 0.3], 2, 0.0, (3, 1), 1),
    ([1.0, 0.95, 0.5, 0.45, 0.6, 0.7], 3, 0.1, (5, 2), 5),
    ([0.7, 0.6, 0.5, 0.4, 0.3], 1, 0.1, (1, 0), 1),
    ([1.1, 1.0, 0.9, 0.8], 1, 0.1, (1, 0), 1),
    ([2.0, 1.0], 0, 0.0, (None, 1), None),
    ([1.0, 1.0, 1.0], 0, 0.0, (1, 0), 1),
    ([2000000.0, 1999999.995, 1999999.99, 1999999.985], 2, 0.0, (2, 0), 2),
]


@pytest.mark.parametrize(("values", "patience", "delta", "by_keras", "by_lightning"), RECORDED)
def test_presets_stop_where_keras_and_lightning_were_seen_to_stop(values, patience, delta, by_keras, by_lightning):
    assert ours(EarlyStopping.keras(patience, delta, keep="gain"), values) == by_keras
    assert ours(EarlyStopping.lightning(patience, delta), values)[0] == by_lightning


@pytest.mark.parametrize("mode", ["min", "max"])
@pytest.mark.parametrize(
    ("values", "target", "limit", "stop"),  # the stop of Lightning 2.6.6, with patience 9
    [
        ([1.0, 0.5, 0.4], 0.5, INF, 2),
        ([1.0, 0.1, 0.05], 0.1, INF, 2),
        ([1.0, 0.1, 0.1], 0.1, INF, None),
        ([1.0, 1.1, 1.2], -INF, 1.1, 2),
        ([1.0, 1.1 + 1e-12, 1.2], -INF, 1.1, 2),
    ],
)
def test_thresholds_of_lightning_are_to_be_passed_in_float32(values, target, limit, stop, mode):
    sign = 1.0 if mode == "min" else -1.0
    stopper = EarlyStopping.lightning(9, mode=mode, target=sign * target, divergence_threshold=sign * limit)
    assert ours(stopper, [sign * v for v in values])[0] == stop


@pytest.mark.parametrize("name", ["flax", "sklearn"])
def test_compiled_presets_stop_where_the_library_stops_on_the_same_numbers(name):
    """Values and thresholds of 1/8 are the same numbers in float32 and float64."""
    update = jax.jit(lambda stopper, state, value: stopper.update(state, value))
    for seed in range(60):
        rng = np.random.default_rng(seed)
        values = rng.integers(1, 24, 20) / 8
        values = np.where(rng.random(20) < 0.1, rng.choice([np.nan, np.inf, -np.inf], 20), values)
        patience, delta = int(rng.integers(0, 5)), float(rng.choice([0.0, 0.125, 0.25]))
        stopper = getattr(EarlyStopping, name)(patience, delta).canonical()
        state, epoch = stopper.init(), None
        for i, value in enumerate(values):
            state = update(stopper, state, value)
            if state.should_stop:
                epoch = i
                break
        assert epoch == PEERS[name]([float(v) for v in values], patience, delta, "min")[0], seed
