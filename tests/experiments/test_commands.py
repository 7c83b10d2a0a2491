"""What the commands of studies share."""

import json

import pytest

from experiments.commands import compact, exit_code, spread
from regjax.core.errors import InputError


def failing(error):
    def work():
        raise error

    return work


@pytest.mark.parametrize(
    ("work", "code", "said"),
    [
        (lambda: True, 0, ""),
        (lambda: False, 1, ""),
        (failing(InputError("--only: 'moons' is not known")), 2, "error: --only: 'moons' is not known\n"),
        (failing(KeyboardInterrupt()), 75, "interrupted; the same command goes on\n"),
    ],
)
def test_exit_codes(work, code, said, capsys):
    assert exit_code(work) == code
    assert capsys.readouterr().err == said


def test_names_are_shared_among_processes_and_one_failure_is_told(tmp_path, monkeypatch):
    text = "import sys, pathlib\npathlib.Path(sys.argv[-1].split('=')[1]).touch()\nsys.exit('bad' in sys.argv[-1])\n"
    (tmp_path / "told.py").write_text(text)
    monkeypatch.chdir(tmp_path)
    assert spread("told", ["a", "b", "c"], ["--x"], 2)
    assert {path.name for path in tmp_path.iterdir()} >= {"a,c", "b"}
    assert not spread("told", ["a", "bad"], [], 2)


def test_a_record_has_a_line_for_each_data_set(tmp_path):
    content = {"summary": {"a": 1}, "data_sets": [{"name": "x"}, {"name": "y"}]}
    compact(tmp_path / "a.json", content)
    text = (tmp_path / "a.json").read_text()
    assert json.loads(text) == content
    assert [line for line in text.splitlines() if '"name"' in line] == ['  {"name":"x"},', '  {"name":"y"}']
