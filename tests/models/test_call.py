"""What a model is given in a call, and what comes back beside the outputs."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import regjax as rj
from regjax.core.errors import InputError
from regjax.models import make_model
from regjax.models.call import call_in_dtype, call_model, call_with_noise, takes_rates
from regjax.noise.linen import PENALTIES, record_activation

KEY = jax.random.key(0)
X = jnp.array([[1.0, 2.0], [3.0, 4.0]])
PARAMS = {"w": jnp.array([[1.0], [10.0]])}


def product(variables, x):
    return x @ variables["params"]["w"]


class Sowing(nn.Module):
    """Two layers that sow a term of one name, and one that records its input."""

    grows: bool = False

    @nn.compact
    def __call__(self, x, train=False):
        for i in range(2):
            Term(float(i + 1), name=f"layer_{i}")(x)
        if self.grows:
            self.sow("statistics", "seen", x)
        return record_activation(self, "seen", x)


class Term(nn.Module):
    value: float

    @nn.compact
    def __call__(self, x):
        self.sow(PENALTIES, "term", jnp.float32(self.value))


def test_a_function_gets_its_variables_and_returns_its_state_unchanged():
    state = {"statistics": {"mean": jnp.ones(1)}}
    called = call_model(product, PARAMS, state, X, train=True, key=KEY)
    np.testing.assert_array_equal(called.outputs, [[21.0], [43.0]])
    assert called.model_state is state
    assert (called.penalties, called.activations) == ({}, {})
    assert call_model(product, PARAMS, None, X, train=False).model_state == {}


def test_rates_need_a_model_that_takes_them():
    assert takes_rates(make_model("linear", num_outputs=1).apply)
    assert not takes_rates(product)
    with pytest.raises(ValueError, match=r"no argument 'rates', but rates for \['dropout'\] were given"):
        call_model(product, PARAMS, None, X, train=True, rates={"dropout": 0.5}, key=KEY)


def test_noise_acts_in_evaluation_if_rates_are_given():
    model = make_model("linear", num_outputs=1)
    params = model.init(KEY, X)["params"]
    call = lambda **options: call_model(model.apply, params, None, X, train=False, **options).outputs  # noqa: E731
    assert not np.array_equal(call(rates={"input_dropout": 0.5}, key=KEY), call(key=KEY))
    np.testing.assert_array_equal(call(key=KEY), call())


def test_terms_of_one_name_are_summed_and_activations_kept_on_request():
    called = call_model(Sowing().apply, {}, None, X, train=True, recorded=True)
    assert {name: float(value) for name, value in called.penalties.items()} == {"term": 3.0}
    assert [leaf.shape for leaf in called.activations.values()] == [X.shape]
    plain = call_model(Sowing().apply, {}, None, X, train=True)
    assert plain.activations == {}
    assert plain.model_state == {}
    with pytest.raises(ValueError, match="need a Flax Linen module"):
        call_model(product, PARAMS, None, X, train=True, recorded=True)


def test_a_collection_that_grows_is_refused():
    state = {"statistics": {"seen": (X,)}}
    with pytest.raises(InputError, match=r"collection 'statistics' .* grows"):
        call_model(Sowing(grows=True).apply, {}, state, X, train=True)


def test_noise_on_weights_reaches_the_parameters_and_not_the_model():
    call = lambda rates, key: call_with_noise(product, PARAMS, None, X, train=True, rates=rates, key=key)  # noqa: E731
    assert not np.array_equal(call({"weight_noise": 0.5}, KEY).outputs, product({"params": PARAMS}, X))
    np.testing.assert_array_equal(call({"weight_noise": None}, KEY).outputs, product({"params": PARAMS}, X))
    with pytest.raises(ValueError, match=r"weight_noise: .* pass a key"):
        call({"weight_noise": 0.5}, None)


def test_a_narrow_dtype_is_for_the_call_alone():
    seen = {}

    def apply(variables, x):
        seen.update(params=variables["params"]["w"].dtype, x=x.dtype, state=variables["statistics"]["mean"].dtype)
        return product(variables, x)

    state = {"statistics": {"mean": jnp.ones(1)}}
    called = call_in_dtype(jnp.bfloat16, apply, PARAMS, state, X, train=True, rates={}, key=KEY)
    assert seen == {"params": jnp.bfloat16, "x": jnp.bfloat16, "state": jnp.float32}
    assert called.outputs.dtype == called.model_state["statistics"]["mean"].dtype == jnp.float32
    wide = call_in_dtype(None, product, PARAMS, None, X.astype(jnp.float16), train=False, rates={}, key=None)
    assert wide.outputs.dtype == jnp.float32


def test_batch_statistics_are_not_rounded_to_the_dtype_of_the_call():
    model = make_model("mlp", num_outputs=2, widths=(4,), batch_norm=True)
    variables = model.init(KEY, X)
    state = {"batch_stats": jax.tree.map(lambda leaf: leaf + 2.0**-12, variables["batch_stats"])}
    options = {"train": False, "rates": {}, "key": None}
    called = call_in_dtype(jnp.bfloat16, model.apply, variables["params"], state, X, **options)
    jax.tree.map(np.testing.assert_array_equal, called.model_state, state)


def test_statistics_among_the_parameters_are_no_parameters():
    with pytest.raises(rj.InputError, match="batch_stats"):
        call_model(product, {"batch_stats": PARAMS, **PARAMS}, None, X, train=True)
