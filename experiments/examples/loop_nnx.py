"""Your own loop with Flax nnx: a proximal penalty on an `nnx.State`, through an optimizer of optax.

  python -m experiments.examples.loop_nnx

prints

  test accuracy above 85%: True; pixels that are not used, at least 10: True
"""

import jax
import jax.numpy as jnp
import optax
from flax import nnx
from sklearn.datasets import load_digits

import regjax as rj


class Net(nnx.Module):
    """One hidden layer and its dropout."""

    def __init__(self, rngs):
        self.hidden = nnx.Linear(64, 128, rngs=rngs)
        self.output = nnx.Linear(128, 10, rngs=rngs)

    def __call__(self, x, key=None):
        """Logits of images `[B, 64]`; without a key nothing is dropped."""
        h = nnx.relu(self.hidden(x))
        return self.output(h if key is None else rj.noise.dropout(key, h, 0.3))


def main():
    """Train on 300 digits, test on 797 others."""
    digits = load_digits()
    x, y = jnp.asarray(digits.data / 16.0, jnp.float32), jnp.asarray(digits.target)
    graph, params = nnx.split(Net(nnx.Rngs(0)))
    penalty = rj.group_lasso(0.02, where="hidden.*kernel", axis="in")  # one group for each pixel
    tx = rj.make_optimizer("adam", 3e-3, penalty=penalty, mode="proximal")
    state = tx.init(params)

    @jax.jit
    def update(params, state, key):
        def loss(params):
            return rj.cross_entropy(nnx.merge(graph, params)(x[:300], key), y[:300]).mean()

        updates, state = tx.update(jax.grad(loss)(params), state, params)
        return optax.apply_updates(params, updates), state

    for key in jax.random.split(jax.random.key(1), 200):
        params, state = update(params, state, key)
    net = nnx.merge(graph, params)
    accuracy = jnp.mean(net(x[1000:]).argmax(axis=1) == y[1000:])
    unused = jnp.sum(jnp.all(net.hidden.kernel[...] == 0, axis=1))
    print(f"test accuracy above 85%: {accuracy > 0.85}; pixels that are not used, at least 10: {unused >= 10}")


if __name__ == "__main__":
    main()
