"""Options as fields of frozen dataclasses, each with its type, default, range and help.

Flags, `--help`, checks and the files of a run are made from these fields, so that an option is defined once. JAX is not
imported here, because `--help` must not wait for it.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from regjax.core.errors import InputError

if TYPE_CHECKING:
    from regjax.core.typing import Json, Value

UNBOUNDED = 2**31 - 2  # the largest whole number that an option takes: JAX counts in int32
_LARGEST = 3.4e38  # beyond it float32 is infinite

Config = TypeVar("Config", bound="Options")


@dataclasses.dataclass(frozen=True)
class Kind:
    """What an option accepts.

    Attributes:
      noun: what `--help` shows after the name, as "int".
      accepted: the accepted values in words; empty if the help of the option says it.
      parse: from text, or from a value, to the checked value; raises a ValueError that says what is accepted.
    """

    noun: str
    accepted: str
    parse: Callable[[Value], Value]


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("must be a text")
    return value


def _switch(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("must be true or false")
    return value


def _texts(value: object) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
        raise ValueError("must be a list of texts")
    return tuple(value)


TEXT, SWITCH, TEXTS = Kind("TEXT", "", _text), Kind("", "", _switch), Kind("TEXT", "", _texts)


def _numbers(kind: type, low: float, high: float = math.inf, low_open: bool = False, high_open: bool = False) -> Kind:
    """A finite number in an interval; NaN is never in one."""
    noun = "a whole number" if kind is int else "a number"
    accepted = f"{noun} {'>' if low_open else '>='} {low:g}"
    if high < UNBOUNDED:
        accepted = f"{noun} in {'(' if low_open else '['}{low:g}, {high:g}{')' if high_open else ']'}"

    def parse(value: Value) -> Value:
        try:
            number = kind(value)
        except (ValueError, TypeError, OverflowError):
            raise ValueError(f"must be {accepted}") from None
        below = number <= low if low_open else number < low
        above = number >= high if high_open else number > high
        is_inexact = isinstance(value, bool) or (not isinstance(value, str) and number != value)
        if below or above or is_inexact or number != number or abs(number) > _LARGEST:
            raise ValueError(f"must be {accepted}")
        return number

    return Kind(kind.__name__, accepted, parse)


def _choices(names: Sequence[str]) -> Kind:
    """One of several names; an error suggests the closest."""

    def parse(value: Value) -> Value:
        if value not in names:
            near = difflib.get_close_matches(str(value), names, n=1, cutoff=0.4)
            hint = f" (did you mean {near[0]!r}?)" if near else ""
            raise ValueError(f"is not known{hint}; accepted: {', '.join(names)}")
        return value

    return Kind("name", "|".join(names), parse)


def _widths(value: Value) -> tuple[int, ...]:
    try:
        widths = tuple(int(text) for text in (value.split(",") if isinstance(value, str) else value))
    except (ValueError, TypeError):
        widths = (0,)
    if any(width < 1 for width in widths):
        raise ValueError(f"must be {WIDTHS.accepted}")
    return widths


WIDTHS = Kind("widths", "whole numbers >= 1, separated by commas", _widths)


def _sizes(value: Value) -> tuple[int, ...]:
    try:
        found = _widths(value)
    except ValueError:
        found = ()
    if len(found) not in (1, 2):
        raise ValueError(f"must be {SIZES.accepted}")
    return found


SIZES = Kind("sizes", "one or two whole numbers >= 1, separated by a comma", _sizes)


class Option(NamedTuple):
    """Metadata of an option, beside its name, type and default.

    Attributes:
      group: heading in `--help`.
      help: its meaning, in a few words.
      kind: what it accepts.
      fixed: whether it determines the run, so that it must not change when the run is resumed.
    """

    group: str
    help: str
    kind: Kind
    fixed: bool = True


class Options:
    """Base of frozen dataclasses of options, which check every value on construction."""

    def __post_init__(self) -> None:
        optional = {field.name: field.default is None for field in dataclasses.fields(self)}  # type: ignore[arg-type]
        for name, option in self.options().items():
            value = getattr(self, name)
            if value is None and optional[name]:
                continue
            try:
                object.__setattr__(self, name, option.kind.parse(value))
            except ValueError as error:
                says = str(error)
                must = says.startswith("must")
                raise InputError(f"{name} {says}, got {value!r}" if must else f"{name} {value!r} {says}") from None

    @classmethod
    def options(cls) -> dict[str, Option]:
        """The options by name, in order."""
        fields: Sequence[dataclasses.Field[Value]] = dataclasses.fields(cls)  # type: ignore[arg-type]
        return {field.name: field.metadata["option"] for field in fields if "option" in field.metadata}

    def to_json(self) -> dict[str, Json]:
        """The options by name, as in `config.json`."""
        return {name: _plain(getattr(self, name)) for name in self.options()}

    @classmethod
    def from_json(cls: type[Config], values: Mapping[str, Json]) -> Config:
        """Options from the content of a `config.json`; missing ones have their defaults.

        Raises:
          InputError: an unknown option, or a value that is not accepted.
        """
        unknown = sorted(set(values) - set(cls.options()))
        if unknown:
            raise InputError(f"{unknown[0]!r} is not an option")
        return cls(**values)


def _plain(value: Value) -> Json:
    return list(value) if isinstance(value, tuple) else value


def _field(default: Value, option: Option) -> Value:
    return dataclasses.field(default=default, metadata={"option": option})


def number(
    group: str,
    default: float | None,
    help_text: str,
    *,
    low: float = 0.0,
    high: float = math.inf,
    low_open: bool = False,
    high_open: bool = False,
    fixed: bool = True,
) -> Value:
    """A field for a finite number in an interval."""
    return _field(default, Option(group, help_text, _numbers(float, low, high, low_open, high_open), fixed))


def whole(group: str, default: int | None, help_text: str, *, low: int = 1, fixed: bool = True) -> Value:
    """A field for a whole number >= low."""
    return _field(default, Option(group, help_text, _numbers(int, low, UNBOUNDED), fixed))


def choice(group: str, default: str | None, choices: Sequence[str], help_text: str, *, fixed: bool = True) -> Value:
    """A field for one of several names."""
    return _field(default, Option(group, help_text, _choices(choices), fixed))


def text(group: str, default: str | None, help_text: str, *, fixed: bool = True) -> Value:
    """A field for any text."""
    return _field(default, Option(group, help_text, TEXT, fixed))


def switch(group: str, default: bool, help_text: str, *, fixed: bool = True) -> Value:
    """A field for True or False."""
    return _field(default, Option(group, help_text, SWITCH, fixed))


def texts(group: str, help_text: str) -> Value:
    """A field for a list of texts."""
    return _field((), Option(group, help_text, TEXTS))


def widths(group: str, help_text: str) -> Value:
    """A field for positive whole numbers separated by commas."""
    return _field(None, Option(group, help_text, WIDTHS))


def sizes(group: str, help_text: str) -> Value:
    """A field for one positive whole number, or two separated by a comma."""
    return _field(None, Option(group, help_text, SIZES))
