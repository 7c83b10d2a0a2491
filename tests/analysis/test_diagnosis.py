import numpy as np
import pytest

import regjax as rj


def history(train, val, **metrics):
    return {"train/data_loss": train, "val/loss": val, **metrics}


def test_overfit_by_rising_validation_loss():
    found = rj.diagnose(history([2, 1, 0.5, 0.1], [2, 1, 1.1, 1.3]), chance_loss=2.3)
    assert (found.verdict, found.onset_epoch) == ("overfit", 1)
    assert found.generalization_loss == pytest.approx(30)
    assert found.generalization_gap == pytest.approx(1.2)
    assert "30% above" in found.evidence[1]


def test_overfit_by_the_gap_alone_has_no_onset():
    found = rj.diagnose(
        history([1, 0.1], [1, 0.9], **{"train/accuracy": [0.6, 1.0], "val/accuracy": [0.6, 0.7]}), n_val=100
    )
    assert (found.verdict, found.onset_epoch) == ("overfit", None)
    assert found.metric_gap == pytest.approx(0.3)
    low, high = found.metric_gap_interval
    assert (high - low) / 2 == pytest.approx(1.96 * np.sqrt(0.7 * 0.3 / 100))


def test_correct_fit_and_underfit():
    good = history(
        [2, 0.5, 0.3], [2, 0.6, 0.35], **{"train/accuracy": [0.3, 0.8, 0.9], "val/accuracy": [0.3, 0.8, 0.88]}
    )
    assert rj.diagnose(good, chance_loss=2.3).verdict == "correct_fit"
    flat = history([2.3, 2.2, 2.1], [2.3, 2.2, 2.15])
    found = rj.diagnose(flat, chance_loss=2.3)
    assert (found.verdict, found.onset_epoch) == ("underfit", None)
    assert "constant guess" in found.evidence[-1]


def test_validation_that_rises_with_training_is_not_overfitting():
    assert rj.diagnose(history([0.1, 0.5], [0.2, 0.6]), chance_loss=2.3).verdict == "correct_fit"


def test_epochs_that_are_not_finite_are_left_out():
    nan = float("nan")
    assert rj.diagnose(history([1, 0.5, nan], [1, 0.6, nan]), chance_loss=2.0).generalization_gap == pytest.approx(0.1)
    with pytest.raises(rj.InputError, match="no epoch has a finite"):
        rj.diagnose(history([nan], [nan]))


def test_reads_the_history_of_a_run(spec, blobs):
    state = rj.fit(
        spec,
        rj.make_hparams(learning_rate=0.05, n_train=80),
        __import__("jax").random.key(0),
        blobs.for_seed(0),
    ).state
    assert rj.diagnose(state.history).verdict in ("underfit", "correct_fit", "overfit")


def test_errors_name_the_column():
    with pytest.raises(rj.InputError, match="no column 'val/loss'; there are train/data_loss"):
        rj.diagnose({"train/data_loss": [1.0]})
    with pytest.raises(rj.InputError, match="has 1 epochs and val/loss 2"):
        rj.diagnose(history([1.0], [1.0, 2.0]))
