"""Constants against each library's own solution. torch and Keras are in the bench extra and skipped where absent."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from sklearn.linear_model import ElasticNet, Lasso, LogisticRegression, MultiTaskLasso, Ridge
from sklearn.neural_network import MLPClassifier, MLPRegressor

import regjax as rj

RNG = np.random.default_rng(0)
N, P = 120, 8
X = RNG.normal(size=(N, P))
Y = X[:, :3] @ np.array([1.0, -2.0, 0.5]) + 0.5 * RNG.normal(size=N)
LABELS = (X[:, 0] - X[:, 1] + 0.5 * RNG.normal(size=N) > 0).astype(np.int32)


def solve(loss, penalty, shape, steps=4000, rate=0.05):
    """Proximal gradient descent from zero: exact for every penalty here."""
    tx = rj.make_optimizer("sgd", rate, penalty=penalty, mode="proximal")

    def body(carry, _):
        params, state = carry
        updates, state = tx.update(jax.grad(loss)(params), state, params)
        return (optax.apply_updates(params, updates), state), None

    start = {"kernel": jnp.zeros(shape)}
    return np.asarray(jax.jit(lambda p: jax.lax.scan(body, (p, tx.init(p)), None, length=steps)[0][0])(start)["kernel"])


def mse(y):
    x, y = jnp.asarray(X, jnp.float32), jnp.asarray(y, jnp.float32).reshape(N, -1)
    return lambda p: jnp.mean(jnp.square(y - x @ p["kernel"]))


def log_loss(params):
    z = (jnp.asarray(X, jnp.float32) @ params["kernel"])[:, 0]
    return jnp.mean(optax.sigmoid_binary_cross_entropy(z, jnp.asarray(LABELS, jnp.float32)))


@pytest.mark.parametrize(
    ("name", "model", "arguments"),
    [
        ("ridge", Ridge(alpha=30.0, fit_intercept=False), {"alpha": 30.0, "n": N}),
        ("lasso", Lasso(alpha=0.2, fit_intercept=False, tol=1e-8), {"alpha": 0.2}),
        (
            "elastic_net",
            ElasticNet(alpha=0.3, l1_ratio=0.4, fit_intercept=False, tol=1e-8),
            {"alpha": 0.3, "l1_ratio": 0.4},
        ),
    ],
)
def test_linear_estimators_of_sklearn(name, model, arguments):
    w = solve(mse(Y), rj.from_sklearn(name, **arguments), (P, 1))[:, 0]
    np.testing.assert_allclose(w, model.fit(X, Y).coef_, atol=1e-5)


@pytest.mark.parametrize("outputs", [1, 3])
def test_several_outputs(outputs):
    y = np.stack([Y, 2 * Y + X[:, 4], X[:, 5]], 1)[:, :outputs]
    ridge = Ridge(alpha=30.0, fit_intercept=False).fit(X, y).coef_.reshape(outputs, P).T
    w = solve(mse(y), rj.from_sklearn("ridge", alpha=30.0, n=N, outputs=outputs), (P, outputs), rate=0.1)
    np.testing.assert_allclose(w, ridge, atol=1e-5)
    if outputs > 1:
        rows = MultiTaskLasso(alpha=0.3, fit_intercept=False, tol=1e-8).fit(X, y).coef_.T
        w = solve(mse(y), rj.from_sklearn("multitask_lasso", alpha=0.3, outputs=outputs), (P, outputs), rate=0.1)
        np.testing.assert_allclose(w, rows, atol=2e-5)
        np.testing.assert_array_equal(np.all(w == 0, 1), np.all(rows == 0, 1))


@pytest.mark.parametrize("l1_ratio", [0.0, 0.3, 1.0])
def test_logistic_regression_of_sklearn(l1_ratio):
    model = LogisticRegression(
        C=0.2, l1_ratio=l1_ratio, solver="saga", fit_intercept=False, tol=1e-8, max_iter=50_000, random_state=0
    )
    w = solve(log_loss, rj.from_sklearn("logistic", C=0.2, l1_ratio=l1_ratio, n=N), (P, 1), rate=0.5)[:, 0]
    np.testing.assert_allclose(w, model.fit(X, LABELS).coef_[0], atol=2e-5)


@pytest.mark.parametrize(("kind", "model"), [("mlp_classifier", MLPClassifier), ("mlp_regressor", MLPRegressor)])
@pytest.mark.slow
def test_one_update_of_sklearns_mlp(kind, model):
    """One full-batch SGD update of scikit-learn's net is one of ours with the converted penalty (biases aside)."""
    target = LABELS if kind == "mlp_classifier" else Y

    def fitted(rate):
        net = model(
            hidden_layer_sizes=(5,), activation="tanh", solver="sgd", alpha=7.0, batch_size=N, learning_rate_init=rate,
            momentum=0.0, nesterovs_momentum=False, max_iter=1, shuffle=False, random_state=0,
        )  # fmt: skip
        with pytest.warns(UserWarning, match="Maximum iterations"):
            return net.fit(X, target)

    after, fresh = fitted(0.1).coefs_, fitted(1e-30)
    before = {
        f"layer_{i}": {"kernel": jnp.asarray(w, jnp.float32), "bias": jnp.asarray(b, jnp.float32)}
        for i, (w, b) in enumerate(zip(fresh.coefs_, fresh.intercepts_, strict=True))
    }

    def loss(p):
        h = jnp.tanh(jnp.asarray(X, jnp.float32) @ p["layer_0"]["kernel"] + p["layer_0"]["bias"])
        out = (h @ p["layer_1"]["kernel"] + p["layer_1"]["bias"])[:, 0]
        if kind == "mlp_classifier":
            return jnp.mean(optax.sigmoid_binary_cross_entropy(out, jnp.asarray(LABELS, jnp.float32)))
        return jnp.mean(jnp.square(out - jnp.asarray(Y, jnp.float32)))

    penalty = rj.from_sklearn(kind, alpha=7.0, n=N)
    grads = jax.grad(lambda p: loss(p) + penalty.value(p))(before)
    # The regressor minimizes half of the mean squared error, so its gradient is half of ours.
    factor = 0.05 if kind == "mlp_regressor" else 0.1
    for i, w in enumerate(after):
        layer = f"layer_{i}"
        np.testing.assert_allclose(before[layer]["kernel"] - factor * grads[layer]["kernel"], w, atol=2e-6)


def test_glmnet_is_elastic_net_of_sklearn_on_scaled_targets():
    """Glmnet's algorithm is scikit-learn's ElasticNet with `alpha = lambda / std(y)` on `y / std(y)`, scaled back.

    `tests/experiments/reproduce/test_glmnet_vignette.py` has numbers that glmnet printed.
    """
    scale = float(Y.std())
    model = ElasticNet(alpha=0.3 / scale, l1_ratio=0.4, fit_intercept=False, tol=1e-8).fit(X, Y / scale)
    w = solve(mse(Y), rj.from_glmnet(0.3, 0.4, y_std=scale), (P, 1))[:, 0]
    np.testing.assert_allclose(w, scale * model.coef_, atol=1e-5)
    assert abs(scale - 1) > 0.2  # so that the scale is seen
    lasso = ElasticNet(alpha=0.3, l1_ratio=1.0, fit_intercept=False, tol=1e-8).fit(X, Y)
    np.testing.assert_allclose(solve(mse(Y), rj.from_glmnet(0.3), (P, 1))[:, 0], lasso.coef_, atol=1e-5)
    # Binomial: -(1/n) log-likelihood + lambda alpha |b|, so C = 1 / (n lambda).
    logistic = LogisticRegression(C=1 / (N * 0.05), l1_ratio=1.0, solver="saga", fit_intercept=False, tol=1e-8,
                                  max_iter=50_000, random_state=0).fit(X, LABELS)  # fmt: skip
    w = solve(log_loss, rj.from_glmnet(0.05, family="binomial"), (P, 1), rate=0.5)[:, 0]
    np.testing.assert_allclose(w, logistic.coef_[0], atol=2e-5)


@pytest.mark.parametrize("optimizer", ["SGD", "Adam", "AdamW"])
def test_a_hundred_updates_of_torch(optimizer):
    torch = pytest.importorskip("torch")
    start = RNG.normal(size=(P, 1)).astype(np.float32)
    w = torch.tensor(start, requires_grad=True)
    options = {"SGD": {"momentum": 0.9}, "Adam": {}, "AdamW": {}}[optimizer]
    tx = getattr(torch.optim, optimizer)([w], lr=0.01, weight_decay=0.3, **options)
    x, y = torch.tensor(X, dtype=torch.float32), torch.tensor(Y, dtype=torch.float32)[:, None]
    for _ in range(100):
        tx.zero_grad()
        torch.mean((y - x @ w) ** 2).backward()
        tx.step()
    name, mode = {"SGD": ("momentum", "coupled"), "Adam": ("adam", "coupled"), "AdamW": ("adam", "decoupled")}[
        optimizer
    ]
    ours = rj.make_optimizer(name, 0.01, penalty=rj.from_torch_weight_decay(0.3), mode=mode)
    params = {"kernel": jnp.asarray(start)}
    state = ours.init(params)
    for _ in range(100):
        updates, state = ours.update(jax.grad(mse(Y))(params), state, params)
        params = optax.apply_updates(params, updates)
    np.testing.assert_allclose(params["kernel"], w.detach().numpy(), rtol=1e-5, atol=1e-5)


def test_the_regularizer_of_keras(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    keras = pytest.importorskip("keras")
    w = RNG.normal(size=(4, 3)).astype(np.float32)
    theirs = float(keras.regularizers.L1L2(0.1, 0.2)(keras.ops.convert_to_tensor(w)))
    assert float(rj.from_keras(0.1, 0.2).value({"kernel": w})) == pytest.approx(theirs, rel=1e-6)


def test_there_and_back():
    assert rj.to_torch_weight_decay(rj.from_torch_weight_decay(0.01)) == pytest.approx(0.01)
    assert rj.to_keras(rj.from_keras(0.1, 0.2)) == pytest.approx({"l1": 0.1, "l2": 0.2})
    for name, arguments, estimator in (
        ("lasso", {"alpha": 0.2}, "Lasso"),
        ("ridge", {"alpha": 3.0, "n": N}, "Ridge"),
        ("elastic_net", {"alpha": 0.3, "l1_ratio": 0.4}, "ElasticNet"),
    ):
        back = rj.to_sklearn(rj.from_sklearn(name, **arguments), n=N)
        assert back[0] == estimator
        assert back[1] == pytest.approx({k: v for k, v in arguments.items() if k != "n"})
    back = rj.to_sklearn(rj.from_sklearn("logistic", C=0.2, l1_ratio=0.3, n=N), n=N, loss="cross_entropy")
    assert back[1] == pytest.approx({"C": 0.2, "l1_ratio": 0.3})
    for family in ("gaussian", "binomial"):
        back = rj.to_glmnet(rj.from_glmnet(0.3, 0.4, family=family, y_std=3.0), family=family, y_std=3.0)
        assert back == pytest.approx({"lambda": 0.3, "alpha": 0.4})
    assert rj.to_keras(rj.elastic_net(2.0, 0.25)) == pytest.approx({"l1": 0.5, "l2": 1.5})


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: rj.from_torch_weight_decay(-1.0), "weight_decay must be >= 0, got -1.0"),
        (lambda: rj.from_sklearn("lassoo", alpha=1.0), "did you mean 'lasso'"),
        (lambda: rj.from_sklearn("ridge", alpha=1.0), "ridge needs n="),
        (lambda: rj.from_sklearn("lasso", C=1.0, alpha=1.0), "lasso has no C; accepted: alpha"),
        (lambda: rj.from_sklearn("logistic", n=3), "logistic needs C="),
        (lambda: rj.from_sklearn("logistic", n=3, C=0.0), "C must be > 0, got 0.0"),
        (lambda: rj.from_glmnet(1.0, 1.5), r"alpha must be in \[0, 1\], got 1.5"),
        (lambda: rj.from_glmnet(1.0, 0.5), "by the standard deviation of y; give it as y_std="),
        (lambda: rj.from_glmnet(1.0, 0.5, y_std=0.0), "y_std must be > 0, got 0.0"),
        (lambda: rj.to_glmnet(rj.l2(1.0)), "to_glmnet: glmnet divides the ridge term"),
        (lambda: rj.from_glmnet(1.0, family="poisson"), "accepted: binomial, gaussian, multinomial"),
        (lambda: rj.to_torch_weight_decay(rj.l1(1.0)), "no equivalent for torch weight_decay; accepted: l2"),
        (lambda: rj.to_keras(rj.mcp(1.0)), r"mcp\(1, 3\) has no equivalent for keras"),
        (lambda: rj.to_sklearn(rj.l2(lambda step: 1.0), n=2), "no equivalent for scikit-learn"),
        (lambda: rj.to_sklearn(rj.l2(1.0)), "needs n="),
        (lambda: rj.to_sklearn(rj.l1(0.0), n=3), "strength 0"),
    ],
)
def test_errors_name_argument_and_value(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize("to", [rj.to_torch_weight_decay, rj.to_keras, rj.to_sklearn, rj.to_glmnet])
def test_terms_on_different_leaves_have_no_one_constant(to):
    with pytest.raises(rj.InputError, match="one strength for all weights, but the terms act where 'a', 'b'"):
        to(rj.l2(1.0, where="a") + rj.l2(2.0, where="b"))
    with pytest.raises(ValueError, match="from_keras: l1_strength must be >= 0"):
        rj.from_keras(-1.0)
