"""Your own loop with Flax Linen: a loss that holds the model, its noise, label smoothing and a penalty.

  python -m experiments.examples.loop_linen

prints

  parts of the loss: data_loss, l2; test accuracy above 85%: True
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax
from sklearn.datasets import load_digits

import regjax as rj


class Net(nn.Module):
    """One hidden layer with the dropout of regjax, whose rate is an argument."""

    @nn.compact
    def __call__(self, x, train=False, rates=None):
        """Logits of images `[B, 64]`."""
        h = nn.relu(nn.Dense(128)(x))
        h = rj.layers.Dropout()(h, (rates or {}).get("dropout", 0.0), deterministic=not train)
        return nn.Dense(10)(h)


def main():
    """Train on 300 digits, test on 797 others."""
    digits = load_digits()
    x, y = jnp.asarray(digits.data / 16.0, jnp.float32), jnp.asarray(digits.target)
    model = Net()
    params = model.init(jax.random.key(0), x[:1])["params"]
    loss_fn = rj.build_loss(model.apply, "cross_entropy", rj.l2(1e-4), rates={"dropout": 0.3})
    tx = optax.adam(3e-3)
    state = tx.init(params)

    @jax.jit
    def update(params, state, key):
        batch = rj.Batch(x[:300], rj.smooth_labels(y[:300], 0.1, 10))
        gradient, aux = jax.grad(loss_fn, has_aux=True)(params, batch, key)
        updates, state = tx.update(gradient, state, params)
        return optax.apply_updates(params, updates), state, aux.parts

    for key in jax.random.split(jax.random.key(1), 200):
        params, state, parts = update(params, state, key)
    accuracy = rj.evaluate(model.apply, params, None, x[1000:], y[1000:])["accuracy"]
    print(f"parts of the loss: {', '.join(sorted(parts))}; test accuracy above 85%: {accuracy > 0.85}")


if __name__ == "__main__":
    main()
