"""Options: what they accept, what they say of what they do not, and how they are written down and read back."""

import dataclasses
import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regjax.core.errors import InputError
from regjax.core.options import UNBOUNDED, Options, choice, number, sizes, switch, text, texts, whole, widths


@dataclasses.dataclass(frozen=True)
class Small(Options):
    rate: float = number("a", 0.5, "a rate", high=1.0, high_open=True)
    step: float | None = number("a", None, "a step", low_open=True)
    size: int = whole("a", 3, "a size")
    name: str = choice("b", "one", ("one", "two"), "a name")
    note: str | None = text("b", None, "a note", fixed=False)
    on: bool = switch("b", False, "a switch")
    items: tuple[str, ...] = texts("b", "items")
    layers: tuple[int, ...] | None = widths("b", "layers")
    shape: tuple[int, ...] | None = sizes("b", "shape")
    derived: float = 0.0  # no option


@dataclasses.dataclass(frozen=True)
class Larger(Small):
    size: int = whole("a", 7, "a size")
    more: int = whole("a", 0, "more", low=0)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"rate": 1.0}, r"rate must be a number in \[0, 1\), got 1.0"),
        ({"rate": math.nan}, r"rate must be a number in \[0, 1\), got nan"),
        ({"rate": "x"}, "rate must be a number"),
        ({"rate": True}, "rate must be a number"),
        ({"rate": [0.1]}, "rate must be a number"),
        ({"step": 0}, "step must be a number > 0, got 0"),
        ({"step": math.inf}, "step must be a number > 0, got inf"),
        ({"step": 1e39}, "step must be a number > 0"),
        ({"size": 0}, "size must be a whole number >= 1, got 0"),
        ({"size": 2.5}, "size must be a whole number >= 1, got 2.5"),
        ({"size": math.inf}, "size must be a whole number >= 1, got inf"),
        ({"size": UNBOUNDED + 1}, "size must be a whole number >= 1"),
        ({"name": "tow"}, r"name 'tow' is not known \(did you mean 'two'\?\); accepted: one, two"),
        ({"name": 3}, "name 3 is not known; accepted: one, two"),
        ({"note": 3}, "note must be a text, got 3"),
        ({"on": 1}, "on must be true or false, got 1"),
        ({"items": "ab"}, "items must be a list of texts"),
        ({"items": 3}, "items must be a list of texts"),
        ({"items": ["a", 3]}, "items must be a list of texts"),
        ({"rate": None}, r"rate must be a number in \[0, 1\), got None"),
        ({"name": None}, "name None is not known"),
        ({"on": None}, "on must be true or false"),
        ({"layers": (3, 0)}, "layers must be whole numbers >= 1, separated by commas"),
        ({"layers": 3}, "layers must be whole numbers >= 1, separated by commas"),
        ({"shape": "3,4,5"}, "shape must be one or two whole numbers >= 1, separated by a comma, got '3,4,5'"),
        ({"shape": (0, 4)}, "shape must be one or two whole numbers"),
        ({"shape": "3x4"}, "shape must be one or two whole numbers"),
        ({"layers": "3,x"}, "layers must be whole numbers >= 1, separated by commas"),
    ],
)
def test_what_is_not_accepted_is_named_with_what_is(given, message):
    with pytest.raises(InputError, match=message):
        Small(**given)


def test_values_have_the_type_of_their_option():
    made = Small(rate=0, size=4.0, layers=[8, 4], items=["a"])
    assert (made.rate, type(made.rate), type(made.size)) == (0.0, float, int)
    assert (made.layers, made.items) == ((8, 4), ("a",))
    assert Small(layers="8,4", rate="0.25", size="9") == Small(layers=(8, 4), rate=0.25, size=9)


OPTIONS = st.builds(
    Small,
    rate=st.floats(0, 1, exclude_max=True),
    step=st.none() | st.floats(1e-30, 1e30),
    size=st.integers(1, UNBOUNDED),
    name=st.sampled_from(["one", "two"]),
    note=st.none() | st.text(),
    on=st.booleans(),
    items=st.lists(st.text()).map(tuple),
    layers=st.none() | st.lists(st.integers(1, 99), min_size=1).map(tuple),
)


@given(OPTIONS)
def test_what_is_written_is_read_back(made):
    assert Small.from_json(json.loads(json.dumps(made.to_json()))) == made


def test_a_file_of_an_earlier_version_has_the_defaults_of_what_it_lacks():
    assert Larger.from_json({"rate": 0.1}) == Larger(rate=0.1)
    with pytest.raises(InputError, match="'other' is not an option"):
        Small.from_json({"other": 1})
    with pytest.raises(InputError, match="'derived' is not an option"):
        Small.from_json({"derived": 1.0})


def test_a_subclass_changes_a_default_and_keeps_the_order():
    assert list(Larger.options()) == [*Small.options(), "more"]
    assert Larger().size == 7
    assert {name for name, option in Larger.options().items() if not option.fixed} == {"note"}
