import json
import re
from types import SimpleNamespace

import numpy as np
import pytest

from regjax.cli.run_summary import _diagnosis, devices_of
from regjax.data import from_arrays, load, split


@pytest.mark.parametrize(("devices", "expected"), [([1, 2], [1, 2]), (None, []), ([1, "2"], []), ("12", [])])
def test_the_devices_of_a_run(tmp_path, devices, expected):
    content = {"experiment": "train", "flags": {}, "devices": devices}
    (tmp_path / "config.json").write_text(json.dumps(content))
    assert devices_of(tmp_path) == expected


@pytest.mark.slow
def test_a_run_with_another_loss_names_it_and_is_judged_by_its_own_constant(run, tmp_path):
    """Early stopping watches the loss, and a constant guess is the median: its loss is the mean deviation from it."""
    out = run("train", "--workdir=w", "--dataset=diabetes", "--loss=mae", "--epochs=3", "--model=linear")
    assert re.search(r"^test loss \(MAE\) 0\.\d+, test r2 ", out.stdout, re.M)
    summary = json.loads((tmp_path / "w/summary.json").read_text())
    lines = [json.loads(line) for line in (tmp_path / "w/metrics.jsonl").read_text().splitlines()]
    assert summary["best_val_loss"] == pytest.approx(min(line["val/loss"] for line in lines))
    assert all(line["val/loss"] ** 2 < line["val/mse"] for line in lines)  # by Jensen's inequality
    y = split(load("diabetes")).y_test
    assert summary["test/loss"] < np.abs(y - np.median(y)).mean() / y.std() * 1.2
    out = run("train", "--workdir=v", "--dataset=diabetes", "--loss=cross_entropy", code=2)
    assert "accepted: mse, mae" in out.stderr


@pytest.mark.slow
@pytest.mark.parametrize("weigh", [[], ["--class_weight=balanced"]])
def test_a_model_that_gives_the_shares_of_unequal_classes_has_learned_nothing(run, tmp_path, weigh):
    """Its loss is far below log 2, which would be that of a constant guess of equal classes."""
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "rare.npz", x=rng.normal(size=(400, 3)), y=(np.arange(400) % 14 == 0).astype(int))
    run("train", "--dataset=rare.npz", "--l2=10", "--epochs=60", "--learning_rate=0.01", "--workdir=w", *weigh)
    summary = json.loads((tmp_path / "w/summary.json").read_text())
    assert summary["fit"] == "underfit"
    assert summary["diagnosis"] == "underfit"


def test_the_examples_of_a_group_are_one_for_the_diagnosis():
    """A gap of 0.2 is shown by 80 examples, and by eight patients with ten each it is not."""
    epoch = np.arange(40)
    gained = 1 - np.exp(-epoch / 5)
    columns = {"train/data_loss": 0.69 - 0.55 * gained, "val/loss": 0.69 - 0.25 * gained}
    columns |= {"train/accuracy": 0.5 + 0.45 * gained, "val/accuracy": 0.5 + 0.25 * gained}
    x = np.random.default_rng(0).normal(size=(400, 2))
    found = []
    for patients in (400, 40):
        data = from_arrays(x, np.arange(400) // 10 % 2, groups=np.arange(400) // (400 // patients))
        splits = split(data, validation_fraction=0.4)
        prepared = SimpleNamespace(
            spec=SimpleNamespace(task="classification", num_classes=2, loss="cross_entropy", eval_train_examples=2048),
            hparams=SimpleNamespace(n_train=200, class_weights=None, loss_parameter=lambda name: None),
            loaded=SimpleNamespace(splits=splits, preprocessor=SimpleNamespace(target_transform=np.asarray)),
            arrays=SimpleNamespace(x_val=splits.x_stop),
        )
        result = SimpleNamespace(state=SimpleNamespace(history=columns))
        found.append(_diagnosis(result, prepared)["diagnosis"])
    assert found == ["overfit", "undecided"]
