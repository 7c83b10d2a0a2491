"""The lines of metrics.jsonl, also after a resume and where the file is damaged."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from regjax.cli.metrics import Metrics
from regjax.training.state import History


def measured(*losses):
    """What a state tells of its epochs."""
    return SimpleNamespace(history=History(np.array(losses)[:, None], np.ones(len(losses), bool), ("val/loss",)))


def lines_of(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "metrics.jsonl"


def test_a_line_an_epoch_with_its_step_and_null_for_what_is_not_finite(path):
    metrics = Metrics(path, steps_per_epoch=5)
    metrics.open(0, measured(1.0))
    for epoch, loss in enumerate((0.5, float("nan"), float("inf"))):
        metrics.write(epoch, {"val/loss": loss})
    lines = lines_of(path)
    assert [line.pop("seconds") >= 0 for line in lines] == [True] * 3
    assert lines == [{"epoch": i, "step": 5 * (i + 1), "val/loss": v} for i, v in enumerate((0.5, None, None))]


def test_epochs_that_will_be_trained_again_are_dropped(path):
    metrics = Metrics(path, 5)
    for epoch, loss in enumerate((0.5, 0.4, 0.3)):
        metrics.write(epoch, {"val/loss": loss})
    before = lines_of(path)
    Metrics(path, 5).open(2, measured(0.5, 0.4, 9.0))
    assert lines_of(path) == before[:2]  # seconds included
    Metrics(path, 5).open(0, measured(0.5))
    assert path.read_text() == ""


@pytest.mark.parametrize(
    "damage",
    [
        lambda lines: lines[:1],
        lambda lines: [lines[0], "{broken"],
        lambda lines: [lines[0], "[" * 100_000],
        lambda lines: [lines[0], "3"],
        lambda lines: [lines[0], lines[1].replace("0.4", "0.1")],
        lambda lines: [lines[0], lines[1].replace('"seconds": ', '"seconds": "x" , "other": ')],
    ],
    ids=["missing", "broken", "deep", "number", "other value", "other seconds"],
)
def test_damaged_lines_are_written_anew_from_what_was_measured(path, damage):
    metrics = Metrics(path, 5)
    for epoch, loss in enumerate((0.5, 0.4)):
        metrics.write(epoch, {"val/loss": loss})
    first, second = path.read_text().splitlines()
    path.write_text("\n".join(damage([first, second])) + "\n")
    with pytest.warns(UserWarning, match="1 of 2 lines"):
        Metrics(path, 5).open(2, measured(0.5, 0.4))
    assert path.read_text().splitlines()[0] == first
    assert lines_of(path)[1] == {"epoch": 1, "step": 10, "val/loss": 0.4, "seconds": None}
