import re
from pathlib import Path

import jax
import numpy as np

from regjax.core import rng
from regjax.core.rng import stream


def bits(key):
    return tuple(np.asarray(jax.random.key_data(key)).tolist())


def test_streams_and_steps_give_different_keys():
    key = jax.random.key(0)
    keys = [stream(key, name, step) for name in ("a", "b", "dropout") for step in (None, 0, 1)]
    assert len({bits(k) for k in [key, *keys]}) == 10


def test_a_key_depends_on_nothing_but_its_arguments():
    """Folds in the CRC-32 of the name (a published checksum: that of "123456789" is 0xCBF43926), then the step."""
    key = jax.random.key(7)
    expected = jax.random.fold_in(jax.random.fold_in(key, 0xCBF43926), 5)
    assert bits(stream(key, "123456789", 5)) == bits(expected)


def test_step_may_be_traced():
    key = jax.random.key(1)
    assert bits(jax.jit(lambda s: stream(key, "x", s))(3)) == bits(stream(key, "x", 3))


def test_streams_are_named_by_constants_in_one_place():
    """A name that is spelt twice could be spelt in two ways; two names that are alike would share their draws."""
    sources = [path for path in Path(rng.__file__).parents[1].rglob("*.py") if path.name != "rng.py"]
    literal = re.compile(r"""\bstream\([^()]*,\s*f?["']""")
    assert not [path.name for path in sources if literal.search(path.read_text())]
    names = [value for name, value in vars(rng).items() if name.isupper() and isinstance(value, str)]
    assert len(names) == len(set(names)) > 15
