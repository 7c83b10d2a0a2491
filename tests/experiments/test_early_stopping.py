"""The study of early stopping: on curves that are known, and its record."""

import json
from pathlib import Path

import numpy as np
import pytest

import regjax as rj
from experiments.studies import early_stopping
from regjax.core.rng import run_key

pytestmark = pytest.mark.slow

RECORDS = Path(__file__).resolve().parents[2] / "experiments/records"


def test_what_is_kept_on_a_known_curve_of_early_stopping():
    """Validation falls to epoch 20, rises, and falls deeper from epoch 50 on; the test loss is twice as high."""
    epochs = np.arange(200.0)
    validation = np.where(epochs < 50, 1 + np.abs(epochs - 20) / 100, np.maximum(1.3 - (epochs - 50) / 100, 0.5))
    of = {"train": np.full((1, 200), 0.1), "validation": validation[None], "test": 2 * validation[None]}
    found = early_stopping.outcomes(of)["patience"]
    for patience, stop in (("1", 22), ("20", 41)):
        count, kept, stopped = (float(part[0]) for part in found[patience])
        assert (count, stopped) == (stop, 1)
        assert kept == pytest.approx(2.0)
    count, kept, stopped = (float(part[0]) for part in found["100"])
    assert (count, stopped) == (200, 0)
    assert kept == pytest.approx(1.0)
    told = early_stopping.summary(of)
    assert told["criteria"]["patience"]["1"] == {"epochs": 22.0, "loss": 2.0, "kept_on": 0.0}
    assert told["slopes"]["all"] < -0.2  # here it pays to stop late


def test_curves_are_thinned_to_epochs_and_are_over_the_lowest_of_their_run():
    """One run falls from 4 to 1, one from 9 to 1: their geometric mean begins at 6."""
    losses = np.array([np.linspace(4, 1, 50), np.linspace(9, 1, 50)])
    found = early_stopping.thinned({"validation": losses, "test": 2 * losses}, points=5)
    assert (found["epochs"][0], found["epochs"][-1]) == (1, 50)
    assert (found["test"][0], found["test"][-1]) == (6.0, 1.0)
    assert found["test"] == found["validation"]


def test_the_record_is_drawn(tmp_path):
    early_stopping.draw(json.loads((RECORDS / "early_stopping.json").read_text()), str(tmp_path / "a.png"))
    assert (tmp_path / "a.png").stat().st_size > 10_000


def test_the_trade_is_that_of_four_times_the_epochs():
    """Loss = epochs^-0.1: four times the epochs divide it by 4^0.1."""
    epochs = np.array([[10, 10], [40, 10], [160, 10]])
    slopes = early_stopping.slope(epochs, epochs**-0.1)
    assert slopes == pytest.approx([-0.1])  # the second run stops at the same epoch by every criterion
    assert early_stopping.trade([-0.1, -0.1, None]) == {
        "percent": pytest.approx(100 * (4**-0.1 - 1), abs=0.01), "ci95": [pytest.approx(-12.94, abs=0.01)] * 2,
        "data_sets": 2,
    }  # fmt: skip


def test_the_net_of_an_early_stopping_curve_is_the_same_on_both_parts():
    """Three epochs of two splits; the losses of the second are those of its parts, cut by hand."""
    found = early_stopping.curves("wine", 16, splits=2, epochs=3)
    assert {part: own.shape for part, own in found.items()} == dict.fromkeys(("train", "validation", "test"), (2, 3))
    data = rj.data.load("wine")
    part = rj.data.split(data, seed=1)
    own = rj.data.Preprocessor.for_splits(part)
    order = rj.data.nested_order(part.y_train, [1], data.task)[0]
    model = rj.models.make_model("mlp", num_outputs=3, widths=(16,))
    steps = -(-len(part.y_train) // early_stopping.BATCH)
    spec = rj.Spec(model, num_classes=3, batch_size=early_stopping.BATCH, steps_per_epoch=steps, epochs=3)
    hparams = rj.make_hparams(learning_rate=early_stopping.LEARNING_RATE, n_train=len(part.y_train))
    x_train = own.transform(part.x_train[order])
    arrays = (x_train, part.y_train[order], np.arange(len(order)), own.transform(part.x_test), part.y_test)
    [run] = rj.run_lanes([rj.Lane(rj.make_run(spec), hparams, run_key(1), 0)], rj.TrainData(*arrays))
    np.testing.assert_allclose(found["test"][1], run.history.values["val/loss"], rtol=1e-3)
    np.testing.assert_allclose(found["train"][1], run.history.values["train/data_loss"], rtol=1e-3)


def test_the_record_of_early_stopping_hangs_together():
    record = json.loads((RECORDS / "early_stopping.json").read_text())
    for group in ("all", *early_stopping.CRITERIA):
        slopes = [one["slopes"][group] for one in record["data"].values()]
        assert early_stopping.trade(slopes) == (record["trade"] if group == "all" else record["families"][group])
    assert list(record["data"]) == list(early_stopping.DATA)
    for one in record["data"].values():
        for family, stoppers in one["criteria"].items():
            assert list(stoppers) == [parameter for parameter, _ in early_stopping.CRITERIA[family]]
            assert all(outcome["loss"] >= 1 for outcome in stoppers.values())
        for family in ("patience", "gl"):  # a slower parameter never stops earlier
            times = [outcome["epochs"] for outcome in one["criteria"][family].values()]
            assert times == sorted(times), family
