import jax
import jax.numpy as jnp
import numpy as np
import pytest

import regjax as rj
from regjax.penalties.matrices import largest_singular_value

W = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)
PARAMS = {"kernel": jnp.asarray(W)}


def test_a_convolution_is_a_matrix_of_everything_by_outputs():
    kernel = jax.random.normal(jax.random.key(0), (3, 3, 2, 4))
    flat = np.asarray(kernel).reshape(18, 4)
    assert float(rj.nuclear(1.0).value({"kernel": kernel})) == pytest.approx(np.linalg.svd(flat)[1].sum(), rel=1e-5)


def test_nuclear_prox_lowers_the_rank_exactly():
    s = np.linalg.svd(W)[1]
    out = rj.nuclear(1.0).prox(PARAMS, float(s[2] + 1e-3))["kernel"]
    np.testing.assert_allclose(np.linalg.svd(out)[1], np.maximum(s - s[2] - 1e-3, 0), atol=1e-5)
    assert np.linalg.matrix_rank(np.asarray(out, np.float64), tol=1e-5) == 2


@pytest.mark.parametrize("t", [1e-3, 0.3, 2.0, 50.0])
def test_spectral_prox_caps_the_largest(t):
    """Optimality: the excess above the cap sums to 2 t cap, the rest is untouched."""
    s = np.linalg.svd(W)[1]
    got = np.linalg.svd(rj.spectral(1.0).prox(PARAMS, t)["kernel"])[1]
    cap = got[0]
    np.testing.assert_allclose(got, np.minimum(s, cap), atol=1e-5)
    np.testing.assert_allclose(np.maximum(s - cap, 0).sum(), 2 * t * cap, rtol=1e-4)


def test_gradients_are_those_of_singular_vectors():
    u, s, v = np.linalg.svd(W, full_matrices=False)
    np.testing.assert_allclose(jax.grad(rj.nuclear(1.0).value)(PARAMS)["kernel"], u @ v, atol=1e-5)
    expected = 2 * s[0] * np.outer(u[:, 0], v[0])
    for iterations in (None, 60):
        gradient = jax.grad(rj.spectral(1.0, iterations).value)(PARAMS)["kernel"]
        np.testing.assert_allclose(gradient, expected, atol=2e-3)


def test_the_power_method_approaches_from_below():
    exact = float(largest_singular_value(jnp.asarray(W)))
    values = [float(largest_singular_value(jnp.asarray(W), n)) for n in (1, 3, 10, 60)]
    assert all(a <= b + 1e-5 for a, b in zip(values, [*values[1:], exact], strict=True))
    assert values[-1] == pytest.approx(exact, rel=1e-4)
    assert float(largest_singular_value(jnp.zeros((3, 3)), 5)) == 0


def test_orthogonal_matrices_cost_nothing_whichever_side_is_longer():
    q = np.linalg.qr(W)[0]
    for matrix in (q, q.T):
        for method in ("soft", "srip"):
            assert float(rj.orthogonal(1.0, method).value({"kernel": jnp.asarray(matrix)})) < 1e-5
    scaled = {"kernel": jnp.asarray(2 * q)}  # W'W - I = 3 I
    assert float(rj.orthogonal(1.0).value(scaled)) == pytest.approx(9.0 * 4, rel=1e-5)
    assert float(rj.orthogonal(1.0, "srip").value(scaled)) == pytest.approx(3.0, rel=1e-5)


@pytest.mark.slow
def test_gradient_descent_on_the_penalty_makes_a_matrix_orthogonal():
    params = PARAMS
    for _ in range(200):
        params = jax.tree.map(lambda w, g: w - 0.01 * g, params, jax.grad(rj.orthogonal(1.0).value)(params))
    np.testing.assert_allclose(params["kernel"].T @ params["kernel"], np.eye(4), atol=1e-3)


@pytest.mark.parametrize("make", [rj.nuclear, rj.spectral])
def test_an_elementwise_metric_is_refused_at_once(make):
    with pytest.raises(ValueError, match="needs one step for a whole leaf"):
        rj.make_optimizer("adam", 0.1, penalty=make(0.1), mode="proximal")
    rj.make_optimizer("momentum", 0.1, penalty=make(0.1), mode="proximal")


def test_iterations_are_whole():
    with pytest.raises(ValueError, match=r"spectral: iterations must be a Python integer, got 2.5"):
        rj.spectral(1.0, iterations=2.5)


@pytest.mark.parametrize("shape", [(6, 4), (3, 5)])
@pytest.mark.slow
def test_complex_matrices_have_the_values_of_their_conjugate_transpose(shape):
    rng = np.random.default_rng(1)
    w = rng.normal(size=shape) + 1j * rng.normal(size=shape)
    small = w if shape[0] >= shape[1] else w.conj().T
    excess = small.conj().T @ small - np.eye(min(shape))
    s = np.linalg.svd(w, compute_uv=False)
    for penalty, expected in [
        (rj.nuclear(1.0), s.sum()),
        (rj.spectral(1.0), s[0] ** 2),
        (rj.spectral(1.0, iterations=100), s[0] ** 2),
        (rj.orthogonal(1.0), np.linalg.norm(excess) ** 2),
        (rj.orthogonal(1.0, method="srip"), np.linalg.norm(excess, 2)),
        (rj.orthogonal(1.0, method="srip", iterations=200), np.linalg.norm(excess, 2)),
    ]:
        value = penalty.value({"kernel": jnp.asarray(w, jnp.complex64)})
        assert value.dtype == jnp.float32
        assert float(value) == pytest.approx(expected, rel=1e-3)
