"""Your own loop in plain JAX and optax: dropout in the forward pass, exact zeros by a proximal penalty.

  python -m experiments.examples.loop_jax

prints

  test accuracy above 85%: True; exact zeros above 30%: True
"""

import jax
import jax.numpy as jnp
from sklearn.datasets import load_digits

import regjax as rj


def init(key):
    """The parameters of a net with one hidden layer."""
    first, second = jax.random.split(key)
    return {
        "hidden": {"kernel": 0.18 * jax.random.normal(first, (64, 128)), "bias": jnp.zeros(128)},
        "output": {"kernel": 0.09 * jax.random.normal(second, (128, 10)), "bias": jnp.zeros(10)},
    }


def net(params, x, key=None, rate=0.0):
    """Logits of images `[B, 64]`; without a key nothing is dropped."""
    h = jax.nn.relu(x @ params["hidden"]["kernel"] + params["hidden"]["bias"])
    if key is not None:
        h = rj.noise.dropout(key, h, rate)
    return h @ params["output"]["kernel"] + params["output"]["bias"]


def main():
    """Train on 300 digits, test on 797 others."""
    digits = load_digits()
    x, y = jnp.asarray(digits.data / 16.0, jnp.float32), jnp.asarray(digits.target)
    params = init(jax.random.key(0))
    tx = rj.make_optimizer("adam", 3e-3, penalty=rj.l1(1e-3), mode="proximal")
    state = tx.init(params)

    @jax.jit
    def update(params, state, key):
        def loss(params):
            return rj.cross_entropy(net(params, x[:300], key, 0.3), y[:300]).mean()

        updates, state = tx.update(jax.grad(loss)(params), state, params)
        return jax.tree.map(jnp.add, params, updates), state

    for key in jax.random.split(jax.random.key(1), 200):
        params, state = update(params, state, key)
    accuracy = jnp.mean(net(params, x[1000:]).argmax(axis=1) == y[1000:])
    zeros = jnp.mean(params["hidden"]["kernel"] == 0)
    print(f"test accuracy above 85%: {accuracy > 0.85}; exact zeros above 30%: {zeros > 0.3}")


if __name__ == "__main__":
    main()
