import re

import numpy as np
import pytest
from scipy import stats

import regjax as rj
from experiments.studies.diagnosis import FAMILIES, FITS, history
from regjax.analysis.gaps import gap_interval

NAN = float("nan")
T = np.linspace(0.0, 1.0, 60)
FALLING = 0.02 + 2.2 * np.exp(-9 * T)
PLATEAU = 0.6 + 1.7 * np.exp(-25 * T)
R2 = {"train/r2": np.full(60, 0.9), "val/r2": np.full(60, 0.7)}


def columns(train, val, **metrics):
    return {"train/data_loss": train, "val/loss": val, **metrics}


def accuracies(train, val, epochs=60):
    return {"train/accuracy": np.full(epochs, train), "val/accuracy": np.full(epochs, val)}


def test_a_rise_by_hand():
    """Lowest 0.6 from epoch 10 to 29, then up by 0.01 an epoch to 0.9."""
    val = np.concatenate([np.linspace(2.6, 0.7, 10), np.full(20, 0.6), 0.6 + 0.01 * np.arange(1, 31)])
    found = rj.diagnose(columns(FALLING, val), chance_loss=2.3)
    assert (found.verdict, found.fit, found.generalization) == ("overfit", "adequate", "overfit")
    assert 10 <= found.onset_epoch <= 30
    assert found.onset_interval[0] <= found.onset_epoch <= found.onset_interval[1] < 33
    # The mean of the last six epochs is 0.875, 46% above 0.6.
    assert found.generalization_loss == pytest.approx(100 * (0.875 / 0.6 - 1), rel=0.1)
    low, high = found.rise_interval
    assert low < found.generalization_loss < high
    assert found.generalization_gap == pytest.approx(0.875 - 0.02, abs=0.03)


@pytest.mark.parametrize("noise", [0.02, 0.05, 0.1, 0.2])
@pytest.mark.slow
def test_a_correct_fit_is_seldom_called_overfit(noise):
    """300 runs at a rate of at most 5%: more have a probability below 1e-4."""
    rng = np.random.default_rng(0)
    wrong = sum(
        rj.diagnose(history("correct fit", 60, noise, rng), chance_loss=2.3).verdict == "overfit" for _ in range(300)
    )
    assert wrong <= stats.binom.ppf(1 - 1e-4, 300, 0.05)


@pytest.mark.parametrize("correlation", [0.5, 0.8])
@pytest.mark.parametrize("noise", [0.05, 0.2])
@pytest.mark.slow
def test_correlated_noise_is_seldom_taken_for_a_rise(noise, correlation):
    """200 runs at a rate of at most 7%: more have a probability below 1e-4."""
    rng = np.random.default_rng(2)
    runs = (history("correct fit", 100, noise, rng, correlation) for _ in range(200))
    wrong = sum(rj.diagnose(run, chance_loss=2.3).verdict == "overfit" for run in runs)
    assert wrong <= stats.binom.ppf(1 - 1e-4, 200, 0.07)


@pytest.mark.parametrize(("noise", "power"), [(0.02, 0.95), (0.05, 0.95), (0.1, 0.8)])
@pytest.mark.parametrize("family", ["overfit from 30%", "overfit from 60%", "overfit from 85%"])
@pytest.mark.slow
def test_a_rise_of_30_percent_is_found(family, noise, power):
    """300 runs at a rate of at least `power`: fewer have a probability below 1e-4."""
    rng = np.random.default_rng(1)
    right = sum(rj.diagnose(history(family, 60, noise, rng), chance_loss=2.3).verdict == "overfit" for _ in range(300))
    assert right >= stats.binom.ppf(1e-4, 300, power)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("epochs", [50, 1000])
def test_without_noise_every_family_is_what_it_is(family, epochs):
    found = rj.diagnose(history(family, epochs, 0.0, np.random.default_rng(0)), chance_loss=2.3)
    assert found.verdict == FAMILIES[family][0]


def test_the_last_value_alone_decides_nothing():
    """A spike of training at the end hides no overfitting, and one of validation makes none."""
    risen = PLATEAU + np.clip(T - 0.3, 0, None) * 2
    spiked = FALLING.copy()
    spiked[-1] = 0.5
    assert rj.diagnose(columns(spiked, risen), chance_loss=2.3).verdict == "overfit"
    flat = PLATEAU.copy()
    flat[-1] = 5.0
    assert rj.diagnose(columns(0.4 + FALLING, flat), chance_loss=2.3).verdict == "correct_fit"


@pytest.mark.parametrize("chance_loss", [2.3, None])
@pytest.mark.parametrize("noise", [0.0, 0.01, 0.1])
def test_memorized_examples_are_overfitting_without_an_accuracy(chance_loss, noise):
    val = 2.25 * (1 + noise * np.random.default_rng(0).normal(size=60))
    found = rj.diagnose(columns(1e-4 + FALLING, val), chance_loss=chance_loss)
    assert (found.verdict, found.onset_epoch) == ("overfit", None)
    assert any("carries over" in line for line in found.evidence)


def test_without_the_loss_of_a_constant_guess_a_gain_on_validation_is_no_memorizing():
    """Of 2.2 that training gains in the run, 0.75 is 34%, and may be more of all that it ever gained."""
    val = 1.5 + 0.75 * np.exp(-9 * T)
    assert rj.diagnose(columns(1e-4 + FALLING, val)).verdict == "correct_fit"
    assert rj.diagnose(columns(1e-4 + FALLING, val), chance_loss=2.3).verdict == "overfit"
    slow = columns(1.5 + FALLING / 4, np.full(60, 2.25))  # training did not gain half of its loss
    assert rj.diagnose(slow).verdict == "underfit"


def test_a_gap_of_accuracy_counts_if_its_interval_says_so():
    curves = columns(FALLING, PLATEAU, **accuracies(0.96, 0.9))
    assert rj.diagnose(curves, n_val=20).verdict == "undecided"
    found = rj.diagnose(curves, n_val=2000)
    assert (found.verdict, found.onset_epoch) == ("overfit", None)
    assert found.metric_gap == pytest.approx(0.06)
    assert found.metric_gap_interval == pytest.approx(gap_interval("accuracy", 0.96, 0.9, 2000, 2000))
    assert rj.diagnose(columns(FALLING, PLATEAU, **accuracies(0.94, 0.9)), n_val=2000).verdict == "correct_fit"


def test_a_gap_over_an_unknown_number_of_examples_shows_nothing():
    for metrics in (accuracies(0.9, 0.7), R2):
        found = rj.diagnose(columns(FALLING, PLATEAU, **metrics))
        assert (found.verdict, found.metric_gap_interval) == ("undecided", None)


def test_no_right_answer_out_of_three_is_no_certain_gap():
    found = rj.diagnose(columns(FALLING, PLATEAU, **accuracies(0.6, 0.0)), n_val=3)
    assert found.verdict == "undecided"
    assert found.metric_gap_interval[0] < 0.6 < found.metric_gap_interval[1]


@pytest.mark.parametrize("n_val", [10, 45, 200])
@pytest.mark.parametrize("family", [name for name, (truth, _) in FITS.items() if truth == "correct_fit"])
@pytest.mark.slow
def test_a_right_model_is_seldom_called_overfit(family, n_val):
    """100 runs at a rate of at most 6%: more have a probability below 1e-4."""
    rng = np.random.default_rng(n_val)
    wrong = sum(
        rj.diagnose(run, chance_loss=chance, n_val=n_val).verdict == "overfit"
        for run, chance in (FITS[family][1](n_val, rng) for _ in range(100))
    )
    assert wrong <= stats.binom.ppf(1 - 1e-4, 100, 0.06)


@pytest.mark.parametrize(
    ("train", "val"),
    [
        (np.append(FALLING[:50], [NAN] * 10), np.append(PLATEAU[:50], [NAN] * 10)),
        (np.linspace(0.5, 10, 60), np.linspace(0.5, 10, 60)),
        ([NAN], [NAN]),
        ([1.0, np.inf], [1.0, 1.0]),
    ],
)
def test_divergence_has_a_verdict(train, val):
    found = rj.diagnose(columns(train, val), chance_loss=2.3)
    assert (found.verdict, found.course) == ("diverged", "diverged")
    assert found.onset_epoch is None


def test_an_epoch_that_is_not_finite_in_the_middle_is_left_out():
    val = PLATEAU.copy()
    val[20] = NAN
    assert rj.diagnose(columns(0.4 + FALLING, val), chance_loss=2.3).verdict == "correct_fit"


def test_overfit_and_underfit_at_once_can_be_said():
    """Half of the examples memorized is still far from fitted."""
    found = rj.diagnose(columns(1.3 + FALLING / 2, PLATEAU + 1.2 + np.clip(T - 0.3, 0, None)), chance_loss=2.3)
    assert (found.fit, found.generalization, found.verdict) == ("underfit", "overfit", "overfit")


def test_few_epochs_decide_little():
    one = rj.diagnose(columns([0.5], [0.6]), chance_loss=2.3)
    assert (one.verdict, one.course, one.noise, one.rise_interval) == ("undecided", "too_short", None, None)
    assert rj.diagnose(columns([2.3], [2.3]), chance_loss=2.3).verdict == "underfit"
    for short in ([1.0], [1.0, 0.5, 0.4]):  # of which nothing says what a constant guess achieves
        found = rj.diagnose(columns(short, short))
        assert (found.verdict, found.fit) == ("undecided", "undecided")
    three = columns([2, 0.5, 0.3], [2, 0.6, 0.35], **accuracies(0.9, 0.88, epochs=3))
    assert rj.diagnose(three, chance_loss=2.3, n_val=200).verdict == "correct_fit"


def test_courses():
    noisy = PLATEAU * (1 + 0.1 * np.random.default_rng(0).normal(size=60))
    assert rj.diagnose(columns(0.4 + FALLING, noisy)).course == "noisy"
    assert rj.diagnose(columns(0.4 + FALLING, PLATEAU)).course == "stable"
    falling = 2.3 - 1.5 * T
    assert rj.diagnose(columns(falling, falling)).course == "too_short"


def test_losses_at_and_below_zero():
    """Negative log densities: the same curves, moved; and validation that reaches 0."""
    risen = PLATEAU + np.clip(T - 0.3, 0, None) * 0.6
    moved = rj.diagnose(columns(FALLING - 3, risen - 3), chance_loss=-0.5)
    assert moved.verdict == "overfit"
    assert abs(moved.generalization_loss) < 1000
    assert rj.diagnose(columns(FALLING - 2.6, PLATEAU - 3), chance_loss=-0.5).verdict == "correct_fit"
    to_zero = rj.diagnose(columns(FALLING, np.maximum(1 - 1.2 * T, 0.0)), chance_loss=1.0)
    assert to_zero.verdict == "correct_fit"
    assert abs(to_zero.generalization_loss) < 1


def test_regression_is_judged_by_r2():
    curves = columns(FALLING, PLATEAU, **R2)
    assert rj.diagnose(curves, n_val=10).verdict == "undecided"
    found = rj.diagnose(curves, n_val=200)
    assert found.verdict == "overfit"
    assert found.metric_gap_interval == pytest.approx(gap_interval("r2", 0.9, 0.7, 200, 200))


def test_a_rise_over_few_examples_is_undecided():
    """By 0.24 from 0.6: twice the log-likelihood of 4 examples is 1.9 less, and of 100 examples 48."""
    curves = columns(FALLING, 0.6 + 1.7 * np.exp(-25 * T) + 0.24 * np.clip((T - 0.3) / 0.7, 0, None))
    few = rj.diagnose({**curves, **accuracies(0.9, 0.9)}, n_val=4)
    assert (few.verdict, few.onset_epoch) == ("undecided", None)
    assert rj.diagnose({**curves, **accuracies(0.9, 0.9)}, n_val=100).verdict == "overfit"


def test_evidence_has_no_interval_of_one_number_and_no_long_number():
    risen = 0.6 + 1.7 * np.exp(-25 * T) + 0.2 * np.clip(T - 0.3, 0, None)
    exact = " ".join(rj.diagnose(columns(FALLING, risen), chance_loss=2.3).evidence)
    noise = np.random.default_rng(0).normal(size=60)
    noisy = " ".join(rj.diagnose(columns(FALLING, risen * (1 + 0.0005 * noise)), chance_loss=2.3).evidence)
    ends = re.search(r"interval ([\d.]+) to ([\d.]+)%", noisy)
    assert "interval" not in exact
    assert ends[1] != ends[2]
    huge = " ".join(rj.diagnose(columns(FALLING, np.where(T < 0.5, risen, 1e33)), chance_loss=2.3).evidence)
    assert not re.search(r"\d{7}", huge)


@pytest.mark.slow
def test_reads_the_history_of_a_run(spec, blobs):
    import jax

    hparams = rj.make_hparams(learning_rate=0.05, n_train=80)
    state = rj.fit(spec, hparams, jax.random.key(0), blobs.for_seed(0)).state
    assert rj.diagnose(state.history).verdict in ("underfit", "correct_fit", "overfit", "undecided")


def test_errors_name_the_column():
    with pytest.raises(rj.InputError, match="no column 'val/loss'; there are train/data_loss"):
        rj.diagnose({"train/data_loss": [1.0]})
    with pytest.raises(rj.InputError, match="has 1 epochs and val/loss 2"):
        rj.diagnose(columns([1.0], [1.0, 2.0]))


@pytest.mark.parametrize(("train", "val"), [(30, 200), (20, 400)])
@pytest.mark.slow
def test_the_true_function_is_not_called_overfit_for_few_training_examples(train, val):
    """Of 0 to 2.6% of draws it is; that more than 6% of 200 are has a probability of less than 1%."""
    rng, epochs = np.random.default_rng(1), np.exp(-np.arange(60) / 5)

    def part(examples):
        logits = 4.0 * rng.normal(size=examples)
        y = rng.random(examples) < 1 / (1 + np.exp(-logits))
        return np.mean(np.logaddexp(0, np.where(y, -logits, logits))), np.mean((logits > 0) == y)

    found = []
    for _ in range(200):
        (loss, accuracy), (val_loss, val_accuracy) = part(train), part(val)
        history = {
            "train/data_loss": loss + (np.log(2) - loss) * epochs,
            "val/loss": (val_loss + (np.log(2) - val_loss) * epochs) * (1 + 0.005 * rng.normal(size=60)),
            "train/accuracy": accuracy - (accuracy - 0.5) * epochs,
            "val/accuracy": val_accuracy - (val_accuracy - 0.5) * epochs,
        }
        found.append(rj.diagnose(history, chance_loss=np.log(2), n_val=val, n_train=train).verdict)
    assert found.count("overfit") <= 12
