"""A final run: on training and validation examples, without anything held out but the test."""

import json

import numpy as np
import pytest

from regjax.cli import train
from regjax.cli.final import final_options, with_validation, without_validation
from regjax.cli.flags import FlagError
from regjax.cli.setup import Loaded
from regjax.cli.train import Config as TrainConfig
from regjax.data import Dataset, Preprocessor, split


def test_validation_examples_are_trained_on_and_test_examples_are_not():
    x = np.arange(60, dtype=np.float32).reshape(30, 2)
    splits = split(Dataset("toy", "classification", x, np.arange(30, dtype=np.int32) % 2))
    made = with_validation(Loaded(None, splits, Preprocessor.for_splits(splits))).splits
    assert len(made.y_train) == sum(splits.sizes[part] for part in ("train", "stop", "select"))
    rows = {tuple(row) for row in made.x_train.tolist()}
    assert rows.isdisjoint(map(tuple, splits.x_test.tolist()))
    assert len(rows) == len(made.y_train)
    label = {tuple(row): int(y) for row, y in zip(x.tolist(), np.arange(30) % 2, strict=True)}
    assert [label[tuple(row)] for row in made.x_train.tolist()] == made.y_train.tolist()


def test_its_options_hold_nothing_out():
    run = TrainConfig(
        dataset="wine", train_examples=90, l2=0.1, patience=7, min_delta=0.1, epochs=60, validation="stop",
        restore_best=True, steps_per_epoch=9, workdir="w",
    )  # fmt: skip
    assert final_options(run, [9, 4, 30]) == {
        "dataset": "wine", "l2": 0.1, "final": True, "epochs": 9, "steps_per_epoch": 9
    }  # fmt: skip
    assert not TrainConfig(**final_options(run, [9])).restore_best
    assert without_validation({"train/loss": 1.0, "val/loss": 2.0}) == {"train/loss": 1.0}


@pytest.mark.slow
def test_a_final_run_reports_nothing_of_what_it_trained_on(run, tmp_path):
    run("train", "--dataset=wine", "--final", "--epochs=3", "--widths=8", "--workdir=final")
    lines = [json.loads(line) for line in (tmp_path / "final/metrics.jsonl").read_text().splitlines()]
    assert len(lines) == 3
    assert not [name for name in lines[0] if name.startswith("val/")]
    summary = json.loads((tmp_path / "final/summary.json").read_text())
    assert (summary["final"], summary["weights"], summary["train_examples"]) == (True, "last", 142)
    assert not [name for name in summary if name.startswith("test/") or name in ("diagnosis", "best_val_loss")]
    run("predict", "--workdir=final", "--input=test", "--output=predictions.csv")
    assert len((tmp_path / "predictions.csv").read_text().splitlines()) == 1 + 36


@pytest.mark.parametrize(
    ("options", "words"),
    [({"patience": 3}, "no validation examples"), ({"train_examples": 40}, "leave out --train_examples")],
)
def test_what_needs_held_out_examples_is_refused(options, words):
    with pytest.raises(FlagError, match=words):
        train._check_flags(TrainConfig(dataset="wine", final=True, **options))
