import jax
import numpy as np

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
