"""The command line of a repetition: what it needs, what it prints, and that no directory is in it."""

import json
import sys
import time
from pathlib import Path

import pytest

from experiments.reproduce.command import MNIST, STORE, command, without_directories
from experiments.reproduce.published import Publication, around, record
from regjax.core.errors import InputError

ABOUT = Publication("A", "doi:1", "%", "theirs.", "ours.", (around("a", 1, 1, "x"),))


def test_a_record_is_printed_without_directories(capsys, monkeypatch, tmp_path):
    given = [f"--data_dir={tmp_path}/with a blank", "--store", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", ["x", *given])
    seen = {}

    def make(**directories):
        seen.update(directories)
        return record("name", ABOUT, {"a": 1.0}, time.time())

    assert command(make, "Help.", MNIST, STORE) == 0
    assert seen == {"data_dir": tmp_path / "with a blank", "store": tmp_path}
    content = json.loads(capsys.readouterr().out)
    assert content["reproduce"]["command"] == "python -m experiments.reproduce.name --data_dir=DIR"
    assert content["rows"][0]["repeated"]


def test_other_flags_stay_in_the_command():
    content = {"reproduce": {"command": "python -m x --seeds=3 --data_dir=/a --store=/b", "seconds": 1.0}, "rows": []}
    found = without_directories(content, {"data_dir": Path("/a"), "store": None})
    assert found == {"reproduce": {"command": "python -m x --seeds=3 --data_dir=DIR", "seconds": 1.0}, "rows": []}


def test_what_is_needed_is_asked_for_and_what_cannot_be_read_is_said(capsys, tmp_path):
    with pytest.raises(SystemExit) as stopped:
        command(lambda **_: {}, "Help.", MNIST, STORE, [])
    assert stopped.value.code == 2
    assert "--data_dir" in capsys.readouterr().err

    def make(data_dir, store):
        raise InputError(f"{data_dir}: no mnist")

    assert command(make, "Help.", MNIST, STORE, [f"--data_dir={tmp_path}"]) == 2
    assert capsys.readouterr().err == f"error: {tmp_path}: no mnist\n"
