"""Completion: bash answers as a user would see it; the scripts of the other shells are read by them where they are."""

import shutil
import subprocess

import pytest

from regjax.catalog import OPTIMIZERS, SCHEDULES
from regjax.cli import completion
from regjax.cli.__main__ import COMMANDS, PLAIN
from regjax.core.errors import InputError

pytestmark = pytest.mark.slow


def script(shell, capsys):
    assert completion.main([shell]) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("regjax", ""), {*COMMANDS, *PLAIN}),
        (("regjax", "tr"), {"train"}),
        (("regjax", "train", "--optim"), {"--optimizer="}),
        (("regjax", "train", "--optimizer", "=", "ada"), {name for name in OPTIMIZERS if name.startswith("ada")}),
        (("regjax", "train", "--schedule", "="), {"constant", "cosine", "linear"}),
        (("regjax", "train", "--resu"), {"--resume"}),
        (("regjax", "list", "pen"), {"penalties"}),
        (("regjax", "completion", "z"), {"zsh"}),
        (("regjax", "doctor", ""), set()),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_bash_offers_what_fits(words, expected, capsys):
    quoted = " ".join(f"'{word}'" for word in words)
    asked = f"{script('bash', capsys)}\nCOMP_WORDS=({quoted})\nCOMP_CWORD={len(words) - 1}\n_regjax\n"
    done = subprocess.run(
        ["bash", "-u", "-c", asked + 'printf "%s\\n" "${COMPREPLY[@]}"'], capture_output=True, text=True, timeout=60
    )
    assert done.stderr == ""
    offered = set(done.stdout.split())
    assert offered == expected


def test_fish_offers_what_fits(capsys, tmp_path):
    if shutil.which("fish") is None:
        pytest.skip("fish is not installed")
    (tmp_path / "script").write_text(script("fish", capsys))
    asked = f"source {tmp_path}/script; complete -C 'regjax train --schedule='; complete -C 'regjax list pen'"
    done = subprocess.run(["fish", "--no-config", "-c", asked], capture_output=True, text=True, timeout=60)
    assert done.stderr == ""
    expected = [*(f"--schedule={name}" for name in SCHEDULES), "penalties"]
    assert [line.split("\t")[0] for line in done.stdout.splitlines()] == expected


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_the_other_shells_can_read_their_script(shell, capsys, tmp_path):
    path = tmp_path / "script"
    path.write_text(script(shell, capsys))
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    done = subprocess.run([shell, "-n", str(path)], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_script_knows_every_flag(shell, capsys):
    out = script(shell, capsys)
    for command in COMMANDS:
        assert all(flag.name in out for flag in completion.flags_of(command))


def test_another_shell_is_refused():
    with pytest.raises(InputError, match="accepted is one of bash, zsh, fish"):
        completion.main(["tcsh"])
