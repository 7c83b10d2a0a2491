import numpy as np
import pytest

from regjax.cli.decisions import half_width_of, threshold_of
from regjax.cli.flags import FlagError
from regjax.cli.held_out import HeldOut
from regjax.cli.predict import Config
from regjax.cli.predictor import TrainedModel
from regjax.data import Preprocessor

ROWS = np.ones((2, 1), np.float32)
CLASSES = TrainedModel(None, None, Preprocessor.fit(ROWS, "table", class_names=("no", "yes")), None)
THREE = TrainedModel(None, None, Preprocessor.fit(ROWS, "table", class_names=("a", "b", "c")), None)
P = np.array([0.1, 0.3, 0.5, 0.7, 0.9])
HELD = HeldOut(np.log(np.stack([1 - P, P], axis=1)).astype(np.float32), np.array([0, 1, 0, 1, 1]))


def test_the_threshold_is_said_with_what_it_gives(capsys):
    assert threshold_of(Config(), CLASSES, None) is None
    assert threshold_of(Config(threshold=0.7), CLASSES, None) == 0.7
    assert threshold_of(Config(precision=0.75), CLASSES, HELD) == pytest.approx(0.2)
    assert "precision 0.750, recall 1.000 on 5 validation examples; 3 of them" in capsys.readouterr().out
    assert threshold_of(Config(cost="1:5"), CLASSES, HELD) == pytest.approx(0.6)
    # One of three is missed. One half also accepts the third example, which is none.
    assert "cost 0.2 an example, 1.2 with threshold 0.5" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "model", "held", "message"),
    [
        ({"precision": 0.9, "threshold": 0.5}, CLASSES, HELD, "threshold.*and --precision exclude each other"),
        ({"precision": 0.9, "cost": "1:1"}, CLASSES, HELD, "precision.*and --cost exclude each other"),
        ({"precision": 0.9}, THREE, HELD, "precision.*is for models of two classes"),
        ({"precision": 0.9}, CLASSES, None, "precision.*keeps no predictions"),
        ({"precision": 0.9, "mc_samples": 2}, CLASSES, HELD, "precision.*and --mc_samples exclude"),
        ({"precision": 0.9}, CLASSES, HELD._replace(targets=1 - HELD.targets), "no threshold has a precision of 0.9"),
        ({"cost": "5"}, CLASSES, HELD, "cost=5: accepted: FALSE_NEGATIVE:FALSE_POSITIVE"),
        ({"cost": "5:0"}, CLASSES, HELD, "cost.*two numbers above 0"),
    ],
)
def test_what_cannot_be_chosen_is_refused(options, model, held, message):
    with pytest.raises(FlagError, match=message):
        threshold_of(Config(**options), model, held)


def test_intervals_are_in_the_units_of_the_targets_and_a_reason_is_given_without_one(capsys):
    y = np.array([[10.0, 1.0], [30.0, 3.0]], np.float32)
    made = Preprocessor.fit(ROWS, "table", y_train=y, task="regression")  # means 20 and 2, deviations 10 and 1
    model = CLASSES._replace(preprocessor=made)
    targets = np.array([[20.0, 2.0]] * 9) + np.arange(9.0)[:, None] * [10, -1]
    held = HeldOut(np.zeros((9, 2), np.float32), targets)
    np.testing.assert_allclose(half_width_of(Config(), model, held), [80, 8])
    np.testing.assert_allclose(half_width_of(Config(interval=0.5), model, held), [40, 4])
    assert half_width_of(Config(interval=0), model, None) is None
    assert half_width_of(Config(), CLASSES, None) is None
    assert capsys.readouterr().err == ""
    for config, kept, reason in (
        (Config(), None, "keeps no predictions"),
        (Config(interval=0.95), held, "0.95 needs 19 validation examples, there are 9"),
        (Config(mc_samples=5), held, "without noise"),
    ):
        assert half_width_of(config, model, kept) is None
        assert reason in capsys.readouterr().err
