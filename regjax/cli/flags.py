"""The flags that experiments share, their checks, and `--help`. Importing this imports no JAX."""

from __future__ import annotations

import difflib
import math
import sys
from collections.abc import Callable, Collection, Sequence
from typing import Any

from absl import flags

from regjax import catalog

FLAGS = flags.FLAGS


_LARGEST = 3.4e38  # beyond it float32 is infinite
UNBOUNDED = 2**31 - 2  # the largest whole number that a flag takes: JAX counts in int32

_groups: dict[str, list[str]] = {}


class FlagError(Exception):
    """A flag cannot be used; the text is one line for stderr."""


class _Number(flags.ArgumentParser):
    """A number in an interval; NaN is never in one."""

    def __init__(self, kind: type, low: float, high: float, low_open: bool, high_open: bool):
        self.kind, self.low, self.high, self.low_open, self.high_open = kind, low, high, low_open, high_open
        self.syntactic_help = self.accepted()

    def accepted(self) -> str:
        """The accepted numbers, in words."""
        noun = "a whole number" if self.kind is int else "a number"
        if self.high >= UNBOUNDED:
            return f"{noun} {'>' if self.low_open else '>='} {self.low:g}"
        ends = f"{'(' if self.low_open else '['}{self.low:g}, {self.high:g}{')' if self.high_open else ']'}"
        return f"{noun} in {ends}"

    def parse(self, argument: Any) -> Any:
        try:
            value = self.kind(argument)
        except (ValueError, TypeError):
            raise ValueError(f"must be {self.accepted()}") from None
        below = value <= self.low if self.low_open else value < self.low
        above = value >= self.high if self.high_open else value > self.high
        if below or above or value != value or abs(value) > _LARGEST:
            raise ValueError(f"must be {self.accepted()}")
        return value

    def flag_type(self) -> str:
        return self.kind.__name__


class _Choice(flags.ArgumentParser):
    """One of some names; the nearest is suggested."""

    def __init__(self, choices: Sequence[str]):
        self.choices = choices
        self.syntactic_help = "|".join(choices)

    def parse(self, argument: Any) -> str:
        if argument not in self.choices:
            near = difflib.get_close_matches(str(argument), self.choices, n=1, cutoff=0.4)
            hint = f" (did you mean {near[0]!r}?)" if near else ""
            raise ValueError(f"is not known{hint}; accepted: {', '.join(self.choices)}")
        return argument

    def flag_type(self) -> str:
        return "name"


class _Widths(flags.ArgumentParser):
    """Positive whole numbers separated by commas."""

    syntactic_help = "whole numbers >= 1, separated by commas"

    def parse(self, argument: Any) -> tuple[int, ...]:
        try:
            widths = tuple(int(part) for part in argument.split(",")) if isinstance(argument, str) else tuple(argument)
        except ValueError:
            widths = (0,)
        if any(width < 1 for width in widths):
            raise ValueError(f"must be {self.syntactic_help}")
        return widths

    def flag_type(self) -> str:
        return "widths"


def _define(group: str, name: str, parser: flags.ArgumentParser, default: Any, text: str) -> None:
    _groups.setdefault(group, []).append(name)
    flags.DEFINE(parser, name, default, text, serializer=flags.ArgumentSerializer())


def number(
    group: str,
    name: str,
    default: float | None,
    text: str,
    *,
    low: float = 0.0,
    high: float = math.inf,
    low_open: bool = False,
    high_open: bool = False,
) -> None:
    """Define a flag that takes a finite number in an interval."""
    _define(group, name, _Number(float, low, high, low_open, high_open), default, text)


def whole(group: str, name: str, default: int | None, text: str, *, low: int = 1) -> None:
    """Define a flag that takes a whole number >= low."""
    _define(group, name, _Number(int, low, UNBOUNDED, False, False), default, text)


def choice(group: str, name: str, default: str, choices: Sequence[str], text: str) -> None:
    """Define a flag that takes one of some names."""
    _define(group, name, _Choice(choices), default, text)


def text(group: str, name: str, default: str | None, help_text: str) -> None:
    """Define a flag that takes any text."""
    _groups.setdefault(group, []).append(name)
    flags.DEFINE_string(name, default, help_text)


def switch(group: str, name: str, default: bool | None, help_text: str) -> None:
    """Define a flag that is on or off."""
    _groups.setdefault(group, []).append(name)
    flags.DEFINE_boolean(name, default, help_text)


def repeated(group: str, name: str, help_text: str) -> None:
    """Define a flag that may be given several times."""
    _groups.setdefault(group, []).append(name)
    flags.DEFINE_multi_string(name, [], help_text)


def _method(method: catalog.Method) -> None:
    number("regularizers", method.name, 0.0, method.help, high=method.high, high_open=method.high_open)


def define_data(workdir: str) -> None:
    """Flags about data and files."""
    text("data", "dataset", "digits", f"{', '.join(catalog.DATASETS)}; a TFDS name; "
         "or a path: .npz with x and y, .csv, a folder of class folders of images")  # fmt: skip
    text(
        "data",
        "data_dir",
        None,
        "where prepared TFDS sets are; default $TFDS_DATA_DIR or ~/tensorflow_datasets",
    )
    text("data", "target", None, "target column of a .csv; default 'target'")
    whole("data", "train_examples", None, "training examples used; default all; of compare on digits 128")
    number(
        "data",
        "label_noise",
        None,
        "fraction of training labels replaced by another class; default 0, of compare on digits 0.1",
        high=1.0,
        high_open=True,
    )
    text("data", "workdir", workdir, "where the results go")
    switch("data", "overwrite", False, "replace a run that is in --workdir")


def define_training(epochs: str) -> None:
    """Flags about the model, the optimizer and the regularizers."""
    text("model", "model", "mlp", f'{", ".join(catalog.MODELS)}; with fields as "mlp(widths=(64, 64), skip=True)"')
    _define(
        "model",
        "widths",
        _Widths(),
        None,
        "units of hidden layers (mlp) or channels (cnn, resnet); default 256, 32,64 or 32,64,128",
    )
    whole("training", "seed", 0, "root of all randomness", low=0)
    whole("training", "epochs", None, f"passes over the training examples at most; default {epochs}")
    whole("training", "batch_size", 32, "examples in an update")
    choice("training", "optimizer", "adam", catalog.OPTIMIZERS, "optimizer")
    number("training", "learning_rate", 3e-3, "base learning rate", low_open=True)
    choice("training", "schedule", "constant", catalog.SCHEDULES, "shape of the learning rate over all updates")
    choice(
        "training",
        "precision",
        "float32",
        catalog.PRECISIONS,
        "of the model's arithmetic in updates; weights, statistics and evaluations are float32",
    )
    number(
        "regularizers",
        "l1",
        0.0,
        "strength of L1: s * sum |w|; exact zeros only with --penalty_mode=proximal",
    )
    number("regularizers", "l2", 0.0, "strength of L2: s * sum w^2; weight decay wd of torch is s = wd / 2")
    text(
        "regularizers",
        "penalty",
        "",
        "a sum such as \"group_lasso(1e-3, axis=0) + mcp(1e-4, where='dense')\"; penalties: "
        + ", ".join(catalog.PENALTIES),
    )
    choice("regularizers", "penalty_mode", "loss", catalog.ROUTES, "how --l1, --l2 and --penalty enter the training")
    text(
        "regularizers",
        "constraint",
        "",
        "holds after every update: max_norm(2), unit_norm(), non_negative() or box(-1, 1)",
    )
    text(
        "regularizers",
        "average",
        "",
        "weights to evaluate and keep: ema(0.999), swa(start=100, every=10), lookahead(5, 0.5) or snapshots(size=5, "
        "period=100), which cycles the learning rate and keeps an ensemble; counted in updates",
    )
    _method(catalog.NUMBERS["sam"])
    _method(catalog.NUMBERS["gradient_noise"])
    text(
        "regularizers",
        "output_penalty",
        "",
        f'a sum such as "confidence(0.1) + jacobian(0.01)"; penalties: {", ".join(catalog.OUTPUT_PENALTIES)}',
    )
    text(
        "regularizers",
        "augment",
        "",
        "as pad_crop=4,flip=0.5,cutout=4 or rand_augment(9, layers=2); 'default' depends on the data; names: "
        + ", ".join(catalog.AUGMENTATIONS),
    )
    _method(catalog.NUMBERS["label_smoothing"])
    choice(
        "regularizers",
        "smoothing",
        "uniform",
        catalog.SMOOTHINGS,
        "spread e over all classes, or over the others alone",
    )
    _method(catalog.NUMBERS["mixup"])
    _method(catalog.NUMBERS["cutmix"])
    for name, noise in catalog.NOISES.items():
        number("noise in training", name, 0.0, noise.help, high=min(noise.high, UNBOUNDED), high_open=noise.high_open)
    choice(
        "noise in training",
        "rate_schedule",
        "constant",
        catalog.RATE_SCHEDULES,
        "shape of all of these over all updates",
    )


def define_stopping() -> None:
    """Flags about early stopping."""
    whole(
        "stopping",
        "patience",
        None,
        "epochs without a gain on validation before stopping; default: never",
        low=0,
    )
    number("stopping", "min_delta", 0.0, "what a gain has to exceed")
    choice("stopping", "stop_criterion", "patience", catalog.STOP_CRITERIA, "patience, or Prechelt's GL, PQ, UP")


def parse(argv: Sequence[str], description: str) -> None:
    """Parse the command line; `--help` prints and exits.

    Raises:
      FlagError: one line that names the flag, the value and what is accepted.
    """
    if any(argument in ("--help", "-help", "-h", "--helpfull", "--helpshort") for argument in argv[1:]):
        print(usage(description))
        sys.exit(0)
    try:
        rest = FLAGS(list(argv))
    except flags.Error as error:
        raise FlagError(_one_line(str(error))) from None
    if len(rest) > 1:
        raise FlagError(f"{rest[1]!r} is not a flag; write --name=value")


def usage(description: str) -> str:
    """What `--help` prints."""
    lines = [description.strip(), "", "Flags (also from a file: --flagfile=FILE):"]
    for group, names in _groups.items():
        lines.extend(["", f"{group}:"])
        for name in names:
            flag = FLAGS[name]
            accepted = getattr(flag.parser, "syntactic_help", "")
            kind = {"boolean": "", "string": "=TEXT", "multi_string": "=TEXT"}.get(
                flag.flag_type(), f"={flag.flag_type()}"
            )
            lines.append(f"  --{'[no]' if flag.boolean else ''}{name}{kind}")
            detail = flag.help if not accepted or flag.boolean else f"{flag.help} ({accepted})"
            if flag.default not in (None, "", []):
                detail += f"; default {_shown(flag.default)}"
            lines.append(f"      {detail}")
    return "\n".join(lines)


def values() -> dict[str, Any]:
    """Every flag of the experiment by name."""
    return {name: FLAGS[name].value for names in _groups.values() for name in names}


def check(condition: bool, name: str, message: str) -> None:
    """Refuse the value of a flag.

    Raises:
      FlagError: `--name=value: message`.
    """
    if not condition:
        raise FlagError(f"{_given(name)}: {message}")


def check_stopping(values: dict[str, Any], swept: Collection[str] = (), patience: int | None = None) -> None:
    """Refuse numbers of early stopping that nothing reads; `swept` are names, `patience` is the default."""
    for name in ("patience", "min_delta"):
        if name in swept or (values[name] is not None and (name == "patience" or values[name] > 0)):
            flag, what = ("sweep", f"{name} ") if name in swept else (name, "")
            check(values["stop_criterion"] == "patience", flag, what + "is read by --stop_criterion=patience alone")
            stops = "patience" in swept or (values["patience"], patience) != (None, None)
            check(stops, flag, f"{what}is of no use without --patience, as no run stops early then")


def about(name: str, function: Callable[[], Any], value: Any = None) -> Any:
    """Call `function`; a ValueError becomes a `FlagError` that names the flag and its value.

    Args:
      name: of the flag.
      function: what to call.
      value: of the flag; None is the whole of it.

    Raises:
      FlagError: with the message of the ValueError.
    """
    try:
        return function()
    except ValueError as error:
        raise FlagError(_one_line(f"{_given(name, value)}: {error}")) from None


def _given(name: str, value: Any = None) -> str:
    """A flag with its value, as it was given; the name alone of one that comes from the files of a run."""
    if value is None and name in FLAGS:
        value = FLAGS[name].value
    if name not in FLAGS:
        return name
    return f"--{name}" if value == [] else f"--{name}={_cut(value)}"


def _cut(value: Any) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return text if len(text) <= 200 else f"{text[:197]}..."


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _one_line(message: str) -> str:
    return " ".join(message.removeprefix("flag ").split())
