"""Models as pairs `(init, apply)` of functions, also of Haiku: their key and their flag of training by any name."""

import inspect

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import regjax as rj
from regjax.models.interface import FLAGS, as_model
from tests.models.shared import KEYS, X, Y, loss_of

pytestmark = pytest.mark.slow


def with_dropout(params, x, key):
    return (x if key is None else rj.noise.dropout(key, x, 0.5)) @ params


PAIRS = {
    "rngs": lambda params, x, rngs: with_dropout(params, x, rngs.get("dropout")),
    "rngs, by default": lambda params, x, rngs=None: with_dropout(params, x, (rngs or {}).get("dropout")),
    "key": lambda params, x, key: with_dropout(params, x, key),
    "key, by default": lambda params, x, key=None: with_dropout(params, x, key),
    "key, as in Equinox": lambda p, x, *, key=None, inference=False: with_dropout(p, x, None if inference else key),
    "rng": lambda params, rng, x: with_dropout(params, x, rng),
    "rng, last": lambda params, x, train=False, rng=None: with_dropout(params, x, rng if train else None),
}


@pytest.mark.parametrize("name", PAIRS)
def test_a_pair_gets_its_key_by_the_name_that_it_has(name):
    loss, _ = loss_of((lambda key, x: jax.random.normal(key, (4, 2)), PAIRS[name]))
    assert len({float(loss(key, True)[0]) for key in KEYS}) == 3
    assert len({float(loss(key, False)[0]) for key in (*KEYS, None)}) == 1


def test_a_key_that_is_something_else_stays_what_it_is():
    loss, _ = loss_of((lambda key, x: {"out": jnp.ones((4, 2))}, lambda params, x, key="out": x @ params[key]))
    assert np.isfinite(loss(KEYS[0], True)[0])


@pytest.mark.parametrize("flag", FLAGS)
def test_a_pair_is_told_by_any_of_the_flags(flag):
    seen = []

    def apply(params, x, **options):
        seen.append(options[flag])
        return x @ params

    apply.__signature__ = inspect.signature(lambda params, x: None).replace(
        parameters=[inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD) for name in ("params", "x", flag)]
    )
    model = as_model((lambda key, x: jnp.ones((4, 2)), apply))
    loss_fn = rj.build_loss(model.apply, "cross_entropy")
    for train in (True, False):
        loss_fn(jnp.ones((4, 2)), rj.Batch(X, Y), KEYS[0], train=train)
    assert seen == [FLAGS[flag], not FLAGS[flag]]


def haiku_net(x, is_training=False):
    x = hk.Linear(8)(x)
    x = hk.dropout(hk.next_rng_key(), 0.5, x) if is_training else x
    return hk.Linear(2)(x)


def test_a_haiku_pair_gets_its_rng():
    loss, _ = loss_of(hk.transform(haiku_net))
    assert len({float(loss(key, True)[0]) for key in KEYS}) == 3
    assert len({float(loss(key, False)[0]) for key in KEYS}) == 1
    assert loss(None, False)
    required = loss_of(hk.transform(lambda x, is_training: haiku_net(x, is_training)))[0]
    assert required(KEYS[0], True)[0] != required(KEYS[0], False)[0]
    without = hk.without_apply_rng(hk.transform(lambda x: hk.Linear(2)(x)))
    assert np.isfinite(loss_of(without)[0](KEYS[0], True)[0])
    with pytest.raises(ValueError, match="state"):
        as_model(hk.transform_with_state(haiku_net))


def test_a_haiku_pair_is_compared():
    pair = hk.transform(haiku_net)
    x, y = X.repeat(4, 0), Y.repeat(4)
    assert rj.compare(pair, (x, y), {"l2": [0.01]}, seeds=1, epochs=1).techniques["l2"].test.mean >= 0
