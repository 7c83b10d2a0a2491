from types import SimpleNamespace

import numpy as np
import pytest

from regjax.cli import sweep_table
from regjax.cli.grid import Point
from regjax.cli.sweep_runs import SweepRun
from regjax.stopping import REASONS
from regjax.training.state import History


def test_the_table_has_the_epoch_whose_weights_are_kept():
    names = ("val/accuracy", "val/loss", "train/accuracy", "train/data_loss")
    history = History(np.array([[0.5, 1.0, 0.6, 0.9], [0.75, 0.5, 0.8, np.nan]]), np.ones(2, bool), names)
    ended = SimpleNamespace(history=history, end_epoch=1, best_epoch=1, epochs=2, reason=REASONS.index("diverged"))
    other = SimpleNamespace(**vars(ended) | {"end_epoch": 0, "reason": 0})

    runs = [SweepRun({"seed": seed}, seed, i, np.zeros(1)) for i, seed in enumerate((3, 4))]

    def score_of(part, row, loss):
        return row[f"{part}/accuracy"]

    first, second = sweep_table.rows_of([ended, other], [Point({"l2": 0.1}, False)], runs, [score_of] * 2, [1.0, 2.0])
    assert first == {
        "l2": 0.1, "seed": 3, "reference": False, "val_score": 0.75, "val_loss": 0.5, "train_score": 0.8,
        "train_loss": None, "epochs": 2, "best_epoch": 1, "val_score_last": 0.75, "status": "diverged",
    }  # fmt: skip
    assert (second["seed"], second["val_score"], second["val_loss"], second["status"]) == (4, 0.5, 2.0, "completed")
    assert second["val_score_last"] == 0.75  # of the last epoch, which was not chosen


def test_the_share_of_zeros_and_other_means_leave_out_what_is_not_known(tmp_path):
    assert sweep_table.mean_of([0.5, None, 1.0]) == 0.75
    assert sweep_table.mean_of([None]) is None
    sweep_table.write_csv(tmp_path / "t.csv", [{"a": 1, "b": None}, {"a": 2, "b": 0.5}])
    assert (tmp_path / "t.csv").read_text() == "a,b\n1,\n2,0.5\n"


def test_how_the_epochs_were_chosen_and_what_it_gained():
    """The mean over runs that have both scores; a stop that validation decided is a choice too."""
    lanes = [
        {"val_score": 0.9, "val_score_last": 0.8, "epochs": 5, "status": "completed"},
        {"val_score": 0.7, "val_score_last": 0.75, "epochs": 5, "status": "completed"},
        {"val_score": None, "val_score_last": None, "epochs": 2, "status": "diverged"},
    ]

    def choice(rows, restore_best):
        return sweep_table.epoch_choice(rows, epochs=5, restore_best=restore_best)

    assert choice(lanes, True) == {"epoch_chosen": "best", "over_last_epoch": pytest.approx(0.025)}
    assert choice(lanes, False) == {"epoch_chosen": None, "over_last_epoch": None}
    stopped = [*lanes, lanes[0] | {"epochs": 3}]
    assert choice(stopped, False) == {"epoch_chosen": "stopped", "over_last_epoch": None}
    assert choice(lanes[2:], True) == {"epoch_chosen": "best", "over_last_epoch": None}
