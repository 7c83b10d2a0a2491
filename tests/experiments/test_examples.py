"""Each example runs by the command that it names, prints what it says, and is short."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = sorted(path for path in (ROOT / "experiments/examples").glob("*.py") if path.name != "__init__.py")
MOST_LINES = 80


def described(path: Path) -> tuple[str, list[str]]:
    """The command and the output in the docstring of an example, the two indented blocks of it."""
    text = ast.get_docstring(ast.parse(path.read_text())) or ""
    title, command, says, *printed = text.split("\n\n")
    assert "\n" not in title
    assert says == "prints"
    return command.strip(), [line.strip() for line in "\n".join(printed).splitlines()]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_is_short_and_says_how_to_run_it(path):
    command, printed = described(path)
    assert command.split(" [")[0] == f"python -m experiments.examples.{path.stem}"
    assert printed
    assert len(path.read_text().splitlines()) < MOST_LINES


@pytest.mark.slow
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_prints_what_it_says(path, tmp_path):
    command, printed = described(path)
    pictures = [str(tmp_path / "picture.png")] if "PICTURE" in command else []
    arguments = [sys.executable, *command.split(" [")[0].split()[1:], *pictures]
    done = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == printed
    for picture in pictures:
        assert Path(picture).read_bytes().startswith(b"\x89PNG")
