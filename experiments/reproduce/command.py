"""The command line of a repetition: the directories that it needs, and the record that it prints."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from regjax.cli import app
from regjax.core.errors import InputError

PACKAGES = {"packages": "directory with the archive of ISLP 0.4.0"}
MNIST = {"data_dir": "directory of prepared TFDS sets with mnist"}
STORE = {"store": "directory that keeps each run; with it, an interrupted command goes on"}


def command(
    make: Callable[..., Mapping[str, Any]],
    text: str | None,
    needed: Mapping[str, str] | None = None,
    optional: Mapping[str, str] | None = None,
    arguments: list[str] | None = None,
) -> int:
    """Make a record and print it; returns the exit code.

    Args:
      make: returns the record, with a directory for each name, or None.
      text: the docstring of the module, which is the help.
      needed: directories by name, with their help.
      optional: directories that may be left out.
      arguments: of the command line; None is that of this process.
    """
    program = f"python -m experiments.reproduce.{Path(sys.argv[0]).stem}"
    parser = argparse.ArgumentParser(program, description=text, allow_abbrev=False)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    for names, required in ((needed or {}, True), (optional or {}, False)):
        for name, meaning in names.items():
            parser.add_argument(f"--{name}", type=Path, required=required, metavar="DIR", help=meaning)
    given = vars(parser.parse_args(arguments))
    try:
        content = make(**given)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return app.BAD_INPUT
    print(json.dumps(without_directories(content, given), indent=2, ensure_ascii=False))
    return app.DONE


def without_directories(content: Mapping[str, Any], given: Mapping[str, Path | None]) -> dict[str, Any]:
    """A record whose command names no directory of one machine, and no store, which is empty at the first start."""
    words, kept = iter(shlex.split(content["reproduce"]["command"])), []
    for word in words:
        name, equals, _ = word.removeprefix("--").partition("=")
        if not word.startswith("--") or name not in given:
            kept.append(word)
            continue
        if not equals:
            next(words)  # its value is the next word
        if name != "store":
            kept.append(f"--{name}=DIR")
    return {**content, "reproduce": {**content["reproduce"], "command": shlex.join(kept)}}
