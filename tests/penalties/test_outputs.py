"""Penalties on what a model computes: by hand, against full Jacobians, and as part of a loss."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import regjax as rj
from regjax.penalties.outputs import OUTPUT_PENALTIES
from regjax.training.accumulate import loss_and_grads

KEY = jax.random.key(0)
MODEL = rj.models.make_model("mlp", num_outputs=3, widths=(8, 6))
X = jax.random.normal(jax.random.key(1), (12, 4))
BATCH = rj.Batch(X, jnp.arange(12, dtype=jnp.int32) % 3)
PARAMS = MODEL.init(jax.random.key(2), X)["params"]
MADE = {
    "activity_l1": rj.activity_l1,
    "activity_l2": rj.activity_l2,
    "confidence": rj.confidence,
    "fgsm": lambda s: rj.fgsm(0.1, s),
    "jacobian": rj.jacobian,
    "r_drop": rj.r_drop,
}
each = pytest.mark.parametrize("name", MADE)


def parts(penalty, rates=None, params=PARAMS, model=MODEL, batch=BATCH, key=KEY):
    loss_fn = rj.build_loss(model.apply, "cross_entropy", output_penalties=(penalty,), rates=rates)
    loss, aux = loss_fn(params, batch, key)
    np.testing.assert_allclose(loss, sum(aux.parts.values()), rtol=1e-6)
    return aux.parts


def hidden():
    first = nn.relu(X @ PARAMS["hidden_0"]["kernel"] + PARAMS["hidden_0"]["bias"])
    return first, nn.relu(first @ PARAMS["hidden_1"]["kernel"] + PARAMS["hidden_1"]["bias"])


@each
def test_strength_is_a_factor_and_data(name):
    assert MADE.keys() == OUTPUT_PENALTIES.keys()
    traces = []

    @jax.jit
    def value(strength):
        traces.append(1)
        rates = {"dropout": 0.5}
        return rj.build_loss(
            MODEL.apply, "cross_entropy", output_penalties=(MADE[name](strength),), rates=rates
        )(PARAMS, BATCH, KEY)[1].parts[name]  # fmt: skip

    offset = float(value(jnp.float32(0.0)))  # that of R-Drop is half the difference of the data losses
    one, half = float(value(jnp.float32(1.0))), float(value(jnp.float32(0.5)))
    assert one != offset
    assert half - offset == pytest.approx((one - offset) / 2, rel=1e-4)
    assert len(traces) == 1
    assert MADE[name](0.5).scaled(2.0).strength == 1.0


@each
def test_it_acts_in_training_only(name):
    loss_fn = rj.build_loss(MODEL.apply, "cross_entropy", output_penalties=(MADE[name](1.0),))
    assert set(loss_fn(PARAMS, BATCH, train=False)[1].parts) == {"data_loss"}


@each
@pytest.mark.slow
def test_micro_batches_give_the_same(name):
    loss_fn = rj.build_loss(MODEL.apply, "cross_entropy", output_penalties=(MADE[name](0.3),))
    if name == "jacobian":  # with one output a projection is exact, so its random sign does not matter
        model = rj.models.make_model("mlp", num_outputs=1, widths=(8,))
        loss_fn = rj.build_loss(model.apply, lambda f, y: f[:, 0] * y, output_penalties=(rj.jacobian(0.3),))
        params = model.init(KEY, X)["params"]
    else:
        params = PARAMS
    (loss, aux), grads = loss_and_grads(loss_fn, params, BATCH, KEY)
    (loss_4, aux_4), grads_4 = loss_and_grads(loss_fn, params, BATCH, KEY, micro_batch=4)
    np.testing.assert_allclose(loss_4, loss, rtol=1e-5)
    assert set(aux.parts) == set(aux_4.parts) == {"data_loss", name}
    np.testing.assert_allclose(aux_4.parts[name], aux.parts[name], rtol=1e-4, atol=1e-7)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-6), grads, grads_4)


def test_activity_by_hand():
    first, second = hidden()
    assert float(parts(rj.activity_l1(0.1))["activity_l1"]) == pytest.approx(
        0.1 * float(jnp.abs(first).sum() + jnp.abs(second).sum()) / 12, rel=1e-5
    )
    only = parts(rj.activity_l2(0.1, where="activation_1"))["activity_l2"]
    assert float(only) == pytest.approx(0.1 * float(jnp.square(second).sum()) / 12, rel=1e-5)
    with pytest.raises(ValueError, match=r"where 'conv' matches no recorded activation \(activation_0/0, activation_1"):
        parts(rj.activity_l1(0.1, where="conv"))
    with pytest.raises(ValueError, match="none: the model records none"):
        parts(rj.activity_l1(0.1), model=nn.Dense(3), params=nn.Dense(3).init(KEY, X)["params"])
    with pytest.raises(ValueError, match="activity penalties need a Flax Linen module"):
        rj.build_loss(lambda v, x: x, "mse", output_penalties=(rj.activity_l1(1.0),))({}, rj.Batch(X, X), KEY)


@pytest.mark.slow
def test_activity_makes_activations_sparse():
    loss_fn = rj.build_loss(MODEL.apply, "cross_entropy", output_penalties=(rj.activity_l1(0.2),))
    params = PARAMS
    for _ in range(50):
        params = jax.tree.map(lambda w, g: w - 0.1 * g, params, jax.grad(lambda p: loss_fn(p, BATCH, KEY)[0])(params))
    before, after = (parts(rj.activity_l1(1.0), params=p)["activity_l1"] for p in (PARAMS, params))
    assert after < 0.7 * before


def test_confidence_by_hand():
    p = np.asarray(jax.nn.softmax(MODEL.apply({"params": PARAMS}, X)), np.float64)
    entropy = -(p * np.log(p)).sum(1).mean()
    assert float(parts(rj.confidence(0.7))["confidence"]) == pytest.approx(-0.7 * entropy, rel=1e-5)
    one = rj.models.make_model("mlp", num_outputs=1, widths=(4,))
    with pytest.raises(ValueError, match=r"\(12, 1\)"):
        parts(rj.confidence(1.0), model=one, params=one.init(KEY, X)["params"], batch=rj.Batch(X, jnp.zeros(12, int)))


def test_r_drop_by_hand():
    """Two passes whose noises differ, as `Forward.again` draws them."""
    from regjax.core.rng import stream

    rates = {"dropout": 0.5}
    found = parts(rj.r_drop(2.0), rates)
    p, q = (
        jax.nn.log_softmax(
            MODEL.apply({"params": PARAMS}, X, train=True, rates=rates, rngs={"dropout": stream(KEY, n)})
        )
        for n in ("dropout", "r_drop")
    )
    rows = np.arange(12)
    losses = [float(-z[rows, BATCH.y].mean()) for z in (p, q)]
    kl = float(((jnp.exp(p) * (p - q)).sum(1) + (jnp.exp(q) * (q - p)).sum(1)).mean()) / 2
    assert losses[0] != losses[1]
    assert float(found["data_loss"]) == pytest.approx(losses[0], rel=1e-5)
    assert float(found["r_drop"]) == pytest.approx(2 * kl + (losses[1] - losses[0]) / 2, rel=1e-4)
    assert float(parts(rj.r_drop(2.0))["r_drop"]) == pytest.approx(0.0, abs=1e-6)  # no noise, no difference


@pytest.mark.slow
def test_jacobian_is_unbiased():
    """The mean over keys against the full Jacobian; 4.9 standard errors: false alarm 1e-6."""
    full = jax.vmap(jax.jacrev(lambda x: MODEL.apply({"params": PARAMS}, x[None])[0]))(X)
    expected = float(jnp.square(full).sum((1, 2)).mean())
    loss_fn = rj.build_loss(MODEL.apply, "cross_entropy", output_penalties=(rj.jacobian(1.0, probes=2),))
    draws = jax.vmap(lambda k: loss_fn(PARAMS, BATCH, k)[1].parts["jacobian"])(jax.random.split(KEY, 2000))
    assert abs(draws.mean() - expected) < 4.9 * draws.std() / np.sqrt(2000)


@pytest.mark.slow
def test_jacobian_gradient_is_exact_for_one_output():
    model = nn.Dense(1)
    params = model.init(KEY, X)["params"]
    loss_fn = rj.build_loss(model.apply, lambda f, y: 0.0 * f[:, 0], output_penalties=(rj.jacobian(0.5),))
    loss, grads = jax.value_and_grad(lambda p: loss_fn(p, BATCH, KEY)[0])(params)
    assert float(loss) == pytest.approx(0.5 * float(jnp.square(params["kernel"]).sum()), rel=1e-5)
    np.testing.assert_allclose(grads["kernel"], params["kernel"], rtol=1e-5)


def test_fgsm_of_a_linear_model_by_hand():
    """The worst change of a linear score is epsilon * ||w||_1 against the label."""
    w, y = jnp.array([[0.5], [-2.0], [0.0], [1.0]]), jnp.where(jnp.arange(12) % 2 == 0, 1.0, -1.0)
    loss_fn = rj.build_loss(
        lambda v, x: x @ v["params"],
        lambda f, y: jnp.logaddexp(0.0, -y * f[:, 0]),
        output_penalties=(rj.fgsm(0.1, 0.25),),
    )
    loss, aux = loss_fn(w, rj.Batch(X, y), KEY)
    margin = y * (X @ w)[:, 0]
    clean, worst = (jnp.logaddexp(0.0, -m).mean() for m in (margin, margin - 0.1 * 3.5))
    assert float(aux.parts["fgsm"]) == pytest.approx(0.25 * float(worst - clean), rel=1e-4)
    assert float(loss) == pytest.approx(float(0.75 * clean + 0.25 * worst), rel=1e-5)


def test_sown_penalties_join_the_loss():
    class Sows(nn.Module):
        @nn.compact
        def __call__(self, x, train=False):
            if train:
                self.sow("penalties", "mine", jnp.float32(0.25))
                self.sow("penalties", "mine", jnp.float32(0.5))
            return nn.Dense(3)(x)

    model = Sows()
    params = model.init(KEY, X)["params"]
    loss, aux = rj.build_loss(model.apply, "cross_entropy")(params, BATCH, KEY)
    assert float(aux.parts["mine"]) == 0.75
    assert aux.model_state == {}
    np.testing.assert_allclose(loss, sum(aux.parts.values()), rtol=1e-6)


def test_noise_on_weights_of_any_model_and_schedules_of_rates():
    def apply(variables, x):
        return x @ variables["params"]["kernel"]

    params = {"kernel": jnp.ones((4, 3))}
    loss_fn = rj.build_loss(apply, "cross_entropy", rates={"drop_connect": lambda step: jnp.minimum(step / 2, 1.0)})
    clean = rj.build_loss(apply, "cross_entropy")(params, BATCH, KEY)[0]
    assert loss_fn(params, BATCH, KEY, step=0)[0] == clean
    assert loss_fn(params, BATCH, KEY, step=1)[0] != clean
    np.testing.assert_allclose(loss_fn(params, BATCH, KEY, step=2)[0], np.log(3), rtol=1e-6)  # every weight is dropped
    assert loss_fn(params, BATCH, train=False, step=2)[0] == clean


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: rj.confidence(-1.0), "confidence: strength must be .*, got -1.0"),
        (lambda: rj.jacobian(1.0, probes=0), "jacobian: probes must be >= 1, got 0"),
        (lambda: rj.jacobian(1.0, probes=1.5), "jacobian: probes must be a Python integer, got 1.5"),
        (lambda: rj.fgsm(np.nan), "fgsm: epsilon must be .*, got nan"),
        (lambda: rj.fgsm(0.1, 2.0), r"fgsm: weight must be in \[0, 1\], got 2.0"),
        (lambda: rj.parse_output_penalties("r_drp(1)"), "did you mean 'r_drop'"),
    ],
)
def test_errors_name_argument_and_value(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@each
@pytest.mark.slow
def test_padding_does_not_count_and_micro_batches_agree_under_weights(name):
    weight = jnp.arange(12) < 7
    loss_fn = rj.build_loss(
        MODEL.apply,
        "cross_entropy",
        output_penalties=(MADE[name](1.0),),
        rates={"dropout": 0.5} if name == "r_drop" else None,
    )
    padded = [rj.Batch(X.at[7:].set(fill), BATCH.y, weight) for fill in (0.0, 100.0)]
    one, other = (loss_fn(PARAMS, batch, KEY)[1].parts[name] for batch in padded)
    np.testing.assert_allclose(one, other, rtol=1e-5)
    if name not in ("jacobian", "r_drop"):  # these draw other numbers in micro-batches
        whole = loss_and_grads(loss_fn, PARAMS, padded[0], KEY)[0][0]
        np.testing.assert_allclose(
            loss_and_grads(loss_fn, PARAMS, padded[0], KEY, micro_batch=4)[0][0], whole, rtol=1e-5
        )
