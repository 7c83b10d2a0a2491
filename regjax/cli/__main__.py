"""The command `regjax`, which runs one of the commands below with its flags."""

from __future__ import annotations

import difflib
import importlib
import os
import sys
from typing import NoReturn

import regjax
from regjax.core.errors import InputError

COMMANDS = {
    "train": "one run, with checkpoints",
    "predict": "what a trained run says about new inputs",
    "compare": "which technique helps on a data set, over seeds",
    "sweep": "hyperparameters over seeds, compiled once",
    "path": "one net after another along the strengths of a regularizer",
    "claims": "statements about regularization, measured",
    "export": "a trained model as files that need no regjax",
    "gallery": "what augmentation does to examples",
}
PLAIN = {
    "list": ("listing", "methods by name, as in `regjax list penalties`"),
    "doctor": ("doctor", "versions, devices, caches, what is missing, and a self-test"),
    "completion": ("completion", "of commands and flags in bash, zsh or fish"),
}
"""Commands without flags: the module and the description of each."""


def run(name: str) -> None:
    """Run a command with the flags of `sys.argv` and exit with its code."""
    _load_plugins()
    from regjax.cli import app

    module = importlib.import_module(f"regjax.cli.{name}")
    app.run(name, module.main, module.Config, module.__doc__ or "")


def run_plain(name: str, arguments: list[str]) -> NoReturn:
    """Run a command without flags and exit with its code."""
    _load_plugins()
    try:
        code = importlib.import_module(f"regjax.cli.{PLAIN[name][0]}").main(arguments)
        sys.stdout.flush()
        sys.exit(code)
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except InputError as error:
        _refuse(str(error))


def _load_plugins() -> None:
    """Import the plugins in `REGJAX_PLUGINS`. They come first, because options are made from the catalogue."""
    if not os.environ.get("REGJAX_PLUGINS"):
        return
    from regjax.plugins import load_plugins

    try:
        load_plugins()
    except InputError as error:
        _refuse(" ".join(str(error).split()))


def _refuse(message: str) -> NoReturn:
    from regjax.cli import app

    print(f"error: {message}", file=sys.stderr)
    sys.exit(app.BAD_INPUT)


def main() -> None:
    """Run `regjax COMMAND --flag=value ...`."""
    first = sys.argv[1] if len(sys.argv) > 1 else "--help"
    if first in ("-h", "-help", "--help", "help"):
        print("Which regularizer helps on your data.\n\n  regjax COMMAND --flag=value ...\n")
        described = COMMANDS | {name: text for name, (_, text) in PLAIN.items()}
        print("\n".join(f"  {name:11}{text}" for name, text in described.items()))
        print("\nregjax COMMAND --help lists the flags of a command.")
        sys.exit(0)
    if first == "--version":
        print(f"regjax {regjax.__version__}")
        sys.exit(0)
    if first in PLAIN:
        run_plain(first, sys.argv[2:])
    if first not in COMMANDS:
        accepted = [*COMMANDS, *PLAIN]
        near = difflib.get_close_matches(first, accepted, 1)
        hint = f" (did you mean {near[0]!r}?)" if near else ""
        _refuse(f"{first!r} is not a command{hint}; accepted: {', '.join(accepted)}")
    del sys.argv[1]
    run(first)


if __name__ == "__main__":
    main()
