import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import regjax as rj

KEY = jax.random.key(0)
MODEL = rj.models.make_model("mlp", num_outputs=3, widths=(8,))
X = jax.random.normal(jax.random.key(1), (5, 4))
PARAMS = MODEL.init(jax.random.key(2), X)["params"]


def test_equals_a_loop_over_passes():
    rates = {"dropout": 0.5}
    found = jax.jit(lambda key: rj.mc_predict(MODEL.apply, PARAMS, X, key, 7, rates=rates))(KEY)
    p = np.stack(
        [
            jax.nn.softmax(
                MODEL.apply({"params": PARAMS}, X, rates=rates, rngs={"dropout": jax.random.fold_in(KEY, s)})
            )
            for s in range(7)
        ]
    ).astype(np.float64)
    mean = p.mean(0)
    entropy = -(mean * np.log(mean)).sum(1)
    np.testing.assert_allclose(found.mean, mean, rtol=1e-5)
    np.testing.assert_allclose(found.variance, p.var(0), rtol=1e-3, atol=1e-7)
    np.testing.assert_allclose(found.predictive_entropy, entropy, rtol=1e-4)
    expected = entropy + (p * np.log(p)).sum(2).mean(0)
    np.testing.assert_allclose(found.mutual_information, expected, rtol=1e-3, atol=1e-6)


def test_without_noise_the_passes_agree():
    found = rj.mc_predict(MODEL.apply, PARAMS, X, KEY, 3, rates={"dropout": 0.0})
    np.testing.assert_allclose(found.mean, jax.nn.softmax(MODEL.apply({"params": PARAMS}, X)), rtol=1e-5)
    np.testing.assert_allclose(found.mutual_information, 0.0, atol=1e-6)
    np.testing.assert_allclose(found.variance, 0.0, atol=1e-7)


def test_variance_of_a_linear_model_is_that_of_dropout():
    """Var sum_i m_i w_i x_i / q = sum (w_i x_i)^2 r / q; the sample variance of S passes within 4.9 standard errors."""
    w, samples, rate = jnp.array([0.5, -1.0, 2.0, 0.1]), 20_000, 0.25
    model = rj.models.make_model("linear", num_outputs=1, task="regression")
    params = {"output": {"kernel": w[:, None], "bias": jnp.zeros(1)}}
    found = rj.mc_predict(model.apply, params, X, KEY, samples, rates={"input_dropout": rate}, task="regression")
    expected = np.square(np.asarray(X) * np.asarray(w)).sum(1) * rate / (1 - rate)
    assert found.predictive_entropy is None
    assert found.mutual_information is None
    # Each output is a sum of 4 two-valued terms: its fourth moment is below 9 times the squared variance.
    assert np.all(np.abs(found.variance - expected) < 4.9 * expected * np.sqrt(8 / samples))
    np.testing.assert_allclose(found.mean, X @ w, atol=float(4.9 * np.sqrt(expected.max() / samples)))


def test_a_model_with_noise_of_its_own_and_noise_on_weights():
    class Own(nn.Module):
        @nn.compact
        def __call__(self, x, train=False):
            return nn.Dense(3)(nn.Dropout(0.5, deterministic=not train)(x))

    own = Own()
    params = own.init(KEY, X)["params"]
    assert float(rj.mc_predict(own.apply, params, X, KEY, 20).mutual_information.min()) > 0
    noisy = rj.mc_predict(own.apply, params, X, KEY, 20, rates={"weight_noise": 0.5})
    assert float(noisy.mutual_information.min()) > 0


def test_batch_statistics_are_those_of_evaluation():
    model = rj.models.make_model("mlp", num_outputs=3, widths=(8,), batch_norm=True)
    params, state = {**(v := model.init(KEY, X))}["params"], {"batch_stats": v["batch_stats"]}
    found = rj.mc_predict(model.apply, params, X, KEY, 4, rates={"dropout": 0.0}, model_state=state)
    np.testing.assert_allclose(found.mean, jax.nn.softmax(model.apply(v, X)), rtol=1e-5)


def test_batch_statistics_of_training_are_refused():
    """Or a prediction would depend on the other examples of the batch, and that of one alone would be of nothing."""

    class Own(nn.Module):
        @nn.compact
        def __call__(self, x, train=False):
            x = nn.BatchNorm(use_running_average=not train)(x)
            return nn.Dense(3)(nn.Dropout(0.5, deterministic=not train)(x))

    v = Own().init(KEY, X)
    state = {"batch_stats": v["batch_stats"]}
    with pytest.raises(ValueError, match="batch_stats"):
        rj.mc_predict(Own().apply, v["params"], X, KEY, 2, model_state=state)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"samples": 0}, "mc_predict: samples must be >= 1, got 0"),
        ({"samples": 2.5}, "mc_predict: samples must be a Python integer, got 2.5"),
        ({"task": "ranking"}, "task 'ranking' is not known"),
        ({"params": rj.Ensemble({}, 1)}, "takes the parameters of one model"),
        ({}, "the noise of this model acts through rates"),
        ({"rates": {"dropuot": 0.1}}, "rates has no 'dropuot'"),
    ],
)
def test_errors(options, message):
    with pytest.raises(ValueError, match=message):
        rj.mc_predict(MODEL.apply, **{"params": PARAMS, "x": X, "key": KEY, "samples": 2, **options})


@pytest.mark.slow
def test_of_logarithms_mean_and_variance_are_those_of_the_predictions():
    both = [rj.mc_predict(MODEL.apply, PARAMS, X, KEY, 9, rates={"dropout": 0.5}, task="regression", link=link)
            for link in ("log", "identity")]  # fmt: skip
    passes = np.stack([MODEL.apply({"params": PARAMS}, X, rates={"dropout": 0.5},
                                   rngs={"dropout": jax.random.fold_in(KEY, s)}) for s in range(9)])  # fmt: skip
    np.testing.assert_allclose(both[0].mean, np.exp(passes).mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(both[0].variance, np.exp(passes).var(axis=0), rtol=1e-3, atol=1e-7)
    np.testing.assert_allclose(both[1].mean, passes.mean(axis=0), rtol=1e-4, atol=1e-6)


def test_of_labels_mean_and_variance_are_those_of_probabilities():
    model = rj.models.make_model("mlp", num_outputs=3, widths=(8,), task="multilabel")
    x = jnp.ones((2, 4))
    params = model.init(jax.random.key(0), x)["params"]
    found = rj.mc_predict(model.apply, params, x, jax.random.key(1), 30, rates={"dropout": 0.5}, task="multilabel")
    assert ((found.mean > 0) & (found.mean < 1)).all()
    assert (found.variance <= found.mean * (1 - found.mean)).all()
    assert found.predictive_entropy is None
    assert float(jnp.abs(found.mean.sum(axis=1) - 1).min()) > 0.1  # no distribution over the labels
