import math

import pytest

from regjax.catalog import LOSSES, default_metric
from regjax.report.words import Measure, count, ends, finite, fixed, plain, slug, span


def test_finite():
    assert finite(0)
    assert not any(finite(v) for v in (None, math.nan, math.inf, "1", True, [1]))


def test_fixed_has_no_negative_zero():
    assert fixed(-0.0001, 2) == "0.00"
    assert fixed(-1.25, 1) == "−1.2"
    assert fixed(math.nan, 1) == "–"


def test_large_numbers_have_an_exponent():
    assert fixed(999_999.4, 1) == "999999.4"
    assert fixed(1e33, 3) == "1e+33"
    assert fixed(-1.25e9, 3) == "−1.25e+09"
    assert fixed(1.25e9, 0, signed=True) == "+1.25e+09"
    assert Measure.of({"metric": "r2", "task": "regression"}).value(-1e33) == "−1e+33"


def test_plain():
    assert plain(0.00012345) == "0.0001234"
    assert plain(1e-6) == "1e-06"
    assert plain(None) == "–"
    assert plain("<b>") == "<b>"


def test_span_and_ends():
    assert span([-0.012, 0.5], 100, 1, signed=True) == "−1.2 to +50.0"
    assert span(None) == span([None, 1.0]) == ""
    assert ends([math.nan, 1]) is None


def test_measure():
    accuracy, r2 = Measure.of({"metric": "accuracy"}), Measure.of({"metric": "r2", "task": "regression"})
    assert (accuracy.value(0.8127), accuracy.change(0.01), accuracy.loss) == ("81.3", "+1.0", "loss")
    assert (r2.name, r2.value(0.4567), r2.change(-0.01), r2.loss) == ("R²", "0.457", "−0.010", "MSE")
    assert accuracy.value(None) == "–"
    assert Measure.of({"metric": "own"}).name == "own"


def test_count():
    assert count(1000, "run") == "1,000 runs"


def test_slugs_are_safe_and_differ():
    names = ["l2", "l-2", "l 2", 'x"><script>', "ä", "a", "more_data"]
    slugs = [slug(name) for name in names]
    assert len(set(slugs)) == len(names)
    assert all(c.isascii() and (c.isalnum() or c in "-_") for s in slugs for c in s)


@pytest.mark.parametrize("loss", LOSSES)
def test_the_loss_has_its_own_name(loss):
    task = LOSSES[loss].task
    results = {"task": task, "metric": default_metric(task, loss), "settings": {"loss": {"name": loss}}}
    assert Measure.of(results).loss == Measure.of_training(results).loss == LOSSES[loss].title
    assert Measure.of({"task": task, "loss": {"name": loss}}).loss == LOSSES[loss].title


def test_results_without_a_loss_have_that_of_their_task():
    assert Measure.of({"metric": "r2"}).loss == "MSE"
    assert Measure.of({"task": "classification", "metric": "roc_auc"}).loss == "loss"
