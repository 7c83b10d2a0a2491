"""Your own loop with Equinox: kernels are `[out, in]` there, and a penalty is told so.

  python -m experiments.examples.loop_equinox

prints

  test accuracy above 85%: True; hidden units that are left, below 128: True
"""

import equinox as eqx
import jax
import jax.numpy as jnp
from sklearn.datasets import load_digits

import regjax as rj


def main():
    """Train on 300 digits, test on 797 others."""
    digits = load_digits()
    x, y = jnp.asarray(digits.data / 16.0, jnp.float32), jnp.asarray(digits.target)
    net = eqx.nn.MLP(64, 10, width_size=128, depth=1, key=jax.random.key(0))
    params, rest = eqx.partition(net, eqx.is_inexact_array)
    # A group for each hidden unit: the rows of the first kernel.
    penalty = rj.group_lasso(0.02, where=r"layers.*0.*weight", layout="oi")
    tx = rj.make_optimizer("adam", 3e-3, penalty=penalty, mode="proximal")
    state = tx.init(params)

    @jax.jit
    def update(params, state):
        def loss(params):
            return rj.cross_entropy(jax.vmap(eqx.combine(params, rest))(x[:300]), y[:300]).mean()

        updates, state = tx.update(jax.grad(loss)(params), state, params)
        return eqx.apply_updates(params, updates), state

    for _ in range(200):
        params, state = update(params, state)
    net = eqx.combine(params, rest)
    accuracy = jnp.mean(jax.vmap(net)(x[1000:]).argmax(axis=1) == y[1000:])
    units = jnp.sum(jnp.any(net.layers[0].weight != 0, axis=1))
    print(f"test accuracy above 85%: {accuracy > 0.85}; hidden units that are left, below 128: {units < 128}")


if __name__ == "__main__":
    main()
