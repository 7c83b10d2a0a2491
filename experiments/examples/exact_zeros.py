"""Exact zeros under Adam: L1 as a term of the loss leaves small numbers, a proximal step leaves zeros.

  python -m experiments.examples.exact_zeros

prints

  exact zeros: 0 in the loss, 35 proximal
  the same zeros as scikit-learn's lasso: True
"""

import jax
import jax.numpy as jnp
import numpy as np
import optax
from sklearn.linear_model import Lasso

import regjax as rj


def main():
    """A linear model of 40 features, 5 of which matter."""
    x = jax.random.normal(jax.random.key(0), (200, 40))
    truth = jnp.zeros(40).at[:5].set(jnp.array([3.0, -2.0, 1.5, 1.0, -1.0]))
    y = x @ truth + 0.5 * jax.random.normal(jax.random.key(1), (200,))
    penalty = rj.l1(0.4)

    def trained(mode):
        schedule = optax.cosine_decay_schedule(0.05, 3000)
        tx = rj.make_optimizer("adam", schedule, penalty=None if mode == "loss" else penalty, mode="proximal")

        def loss(w):
            return jnp.mean((x @ w["kernel"][:, 0] - y) ** 2) + (penalty.value(w) if mode == "loss" else 0.0)

        def update(carry, _):
            w, state = carry
            updates, state = tx.update(jax.grad(loss)(w), state, w)
            return (optax.apply_updates(w, updates), state), None

        start = {"kernel": jnp.zeros((40, 1))}
        return jax.jit(lambda: jax.lax.scan(update, (start, tx.init(start)), length=3000)[0][0]["kernel"])()[:, 0]

    in_loss, proximal = trained("loss"), trained("proximal")
    oracle = Lasso(alpha=0.2, fit_intercept=False, tol=1e-8)  # of half the squared error, so with half the strength
    lasso = oracle.fit(np.float64(x), np.float64(y)).coef_
    print(f"exact zeros: {jnp.sum(in_loss == 0)} in the loss, {jnp.sum(proximal == 0)} proximal")
    print(f"the same zeros as scikit-learn's lasso: {bool(jnp.all((proximal == 0) == (lasso == 0)))}")


if __name__ == "__main__":
    main()
