"""Makes flags from options: parses and checks the command line, and prints `--help`. Does not import JAX."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Collection, Sequence
from typing import Any, TypeVar

from absl import flags

from regjax.cli.options import DataOptions
from regjax.core.options import SWITCH, TEXTS, Option, Options
from regjax.training.options import TrainingOptions

FLAGS = flags.FLAGS

# The headings of `--help`, in order.
GROUPS = (
    "data", "tables", "model", "training", "regularizers", "noise in training", "stopping", "compare", "sweep", "path",
    "claims", "predict", "export", "gallery", "run", "devices",
)  # fmt: skip

Config = TypeVar("Config", bound=Options)


class FlagError(Exception):
    """A flag cannot be used; the message is one line for stderr."""


class _Parser(flags.ArgumentParser[Any]):
    """An absl parser for an option."""

    def __init__(self, option: Option):
        self.option = option
        self.syntactic_help = option.kind.accepted

    def parse(self, argument: Any) -> Any:
        return self.option.kind.parse(argument)

    def flag_type(self) -> str:
        return self.option.kind.noun


def define(config: type[Options]) -> None:
    """Define a flag for each option."""
    defaults = config()
    for name, option in config.options().items():
        default = getattr(defaults, name)
        if option.kind is SWITCH:
            flags.DEFINE_boolean(name, default, option.help)
        elif option.kind is TEXTS:
            flags.DEFINE_multi_string(name, list(default), option.help)
        else:
            flags.DEFINE(_Parser(option), name, default, option.help, serializer=flags.ArgumentSerializer())
    flags.DEFINE_boolean("print_config", False, "print every flag with its value, as a file for --flagfile, and exit")


def parse(argv: Sequence[str], config: type[Config], description: str) -> Config:
    """Parse a command line into options; `--help` and `--print_config` print and exit.

    Raises:
      FlagError: names the flag, the value and what is accepted, in one line.
    """
    if any(argument in ("--help", "-help", "-h", "--helpfull", "--helpshort") for argument in argv[1:]):
        print(usage(config, description))
        sys.exit(0)
    try:
        remaining = FLAGS(list(argv))
    except flags.Error as error:
        raise FlagError(_one_line(str(error))) from None
    if len(remaining) > 1:
        raise FlagError(f"{remaining[1]!r} is not a flag; write --name=value")
    given = config(**{name: FLAGS[name].value for name in config.options()})
    if FLAGS["print_config"].value:
        print("\n".join(line for lines in arguments(given).values() for line in lines))
        sys.exit(0)
    return given


def arguments(config: Options) -> dict[str, list[str]]:
    """Return the flags that give these options, by name; options that are None have no flags."""
    lines: dict[str, list[str]] = {}
    for name, value in config.to_json().items():
        if isinstance(value, bool):
            lines[name] = [f"--{'' if value else 'no'}{name}"]
        elif config.options()[name].kind is TEXTS:
            lines[name] = [f"--{name}={one}" for one in value]
        else:
            text = ",".join(map(str, value)) if isinstance(value, list) else value
            lines[name] = [] if value is None else [f"--{name}={text}"]
    return lines


def usage(config: type[Options], description: str) -> str:
    """Return the text of `--help`."""
    lines = [description.strip(), "", "Flags (also from a file: --flagfile=FILE; --print_config prints such a file):"]
    options = config.options()
    for group in GROUPS:
        names = [name for name, option in options.items() if option.group == group]
        lines.extend(["", f"{group}:"] if names else [])
        for name in names:
            flag, kind = FLAGS[name], options[name].kind
            lines.append(f"  --[no]{name}" if kind is SWITCH else f"  --{name}={kind.noun}")
            detail = f"{flag.help} ({kind.accepted})" if kind.accepted else flag.help
            if flag.default not in (None, "", []):
                detail += f"; default {_shown(flag.default)}"
            lines.append(f"      {detail}")
    return "\n".join(lines)


def check(condition: bool, name: str, message: str) -> None:
    """Raise an error about the value of a flag unless the condition holds.

    Raises:
      FlagError: `--name=value: message`.
    """
    if not condition:
        raise FlagError(f"{_given(name)}: {message}")


def check_stopping(config: TrainingOptions, swept: Collection[str] = (), patience: int | None = None) -> None:
    """Check that every number of early stopping is used; `swept` are names, `patience` is the default."""
    for name in ("patience", "min_delta"):
        value = getattr(config, name)
        if name in swept or (value is not None and (name == "patience" or value > 0)):
            flag, what = ("sweep", f"{name} ") if name in swept else (name, "")
            check(config.stop_criterion == "patience", flag, what + "is read by --stop_criterion=patience alone")
            stops = "patience" in swept or (config.patience, patience) != (None, None)
            check(stops, flag, f"{what}is of no use without --patience, as no run stops early then")


def about(name: str, function: Callable[[], Any], value: Any = None) -> Any:
    """Call `function`, and convert a ValueError to a `FlagError` that names the flag and its value.

    Args:
      name: name of the flag.
      function: the function to call.
      value: the value to name; None is the value of the flag.

    Raises:
      FlagError: with the message of the ValueError.
    """
    try:
        return function()
    except ValueError as error:
        raise FlagError(_one_line(f"{_given(name, value)}: {as_flags(str(error))}")) from None


def as_flags(message: str) -> str:
    """Write options of the data that a message names, such as `ignore=city`, as the flags that they are here.

    Example:
      >>> as_flags("column 'city' is free text; leave it out with ignore=city")
      "column 'city' is free text; leave it out with --ignore=city"
    """
    names = [name for name, option in DataOptions.options().items() if option.group in ("data", "tables")]
    return re.sub(rf"(?<= )({'|'.join(names)})=", r"--\1=", message)


def _given(name: str, value: Any = None) -> str:
    """Return a flag with its value as given, or only its name if the value comes from the files of a run."""
    if value is None and name in FLAGS:
        value = FLAGS[name].value
    if name not in FLAGS:
        return name
    return f"--{name}" if value is None or value == [] else f"--{name}={_cut(value)}"


def _cut(value: Any) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return text if len(text) <= 200 else f"{text[:197]}..."


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _one_line(message: str) -> str:
    return " ".join(message.removeprefix("flag ").split())
