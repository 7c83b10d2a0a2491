import inspect

import pytest

from regjax import catalog
from regjax.augment.registry import AUGMENTATIONS, Kind


def shaken(key, x, magnitude, probability=1.0, fill=0.0, *, layers=2):
    return x


def test_what_a_function_takes_is_read_from_its_parameters():
    kind = Kind(shaken, 1.0)
    assert kind.images
    assert kind.options == {"probability": 1.0, "fill": 0.0, "layers": 2}
    plain = Kind(lambda key, x, magnitude: x, 1.0, takes="rows")
    assert (plain.images, plain.options) == (False, {})


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_an_entry_agrees_with_its_function_and_its_record(name):
    kind, record = AUGMENTATIONS[name], catalog.AUGMENTATIONS[name]
    parameters = inspect.signature(kind.apply).parameters
    assert list(parameters)[:2] == ["key", "x"]
    assert kind.takes in ("images", "rows", "any")
    assert kind.standardized or kind.images  # rows have no pixels
    assert all(isinstance(default, str | int | float) for default in kind.options.values())
    assert 0 < kind.typical <= record.high
    if kind.per_side:
        assert kind.typical < 1
