"""Your own loop with Haiku: a pair of functions is a model for `rj.build_loss`, which passes the key and the flag.

  python -m experiments.examples.loop_haiku

prints

  stopped because of patience; test accuracy above 85%: True
"""

import haiku as hk
import jax
import jax.numpy as jnp
from sklearn.datasets import load_digits

import regjax as rj


def net(x, is_training=False):
    """Logits of images `[B, 64]`, with the dropout of Haiku."""
    h = jax.nn.relu(hk.Linear(128)(x))
    h = hk.dropout(hk.next_rng_key(), 0.3, h) if is_training else h
    return hk.Linear(10)(h)


def main():
    """Train on 300 digits, test on 797 others."""
    digits = load_digits()
    x, y = jnp.asarray(digits.data / 16.0, jnp.float32), jnp.asarray(digits.target)
    spec = rj.Spec(hk.transform(net), num_classes=10, batch_size=50, steps_per_epoch=6, epochs=40)
    hparams = rj.make_hparams(
        learning_rate=3e-3,
        n_train=300,
        penalties={"proximal": rj.l1(1e-4)},
        stopping=rj.EarlyStopping(patience=5),
        restore_best=True,
    )
    data = rj.TrainData(x[:300], y[:300], jnp.arange(300), x[300:600], y[300:600])
    result = rj.fit(spec, hparams, jax.random.key(0), data)
    weights = result.state.weights(hparams)
    accuracy = jnp.mean(hk.transform(net).apply(weights.params, None, x[1000:]).argmax(axis=1) == y[1000:])
    print(f"stopped because of {result.state.stop.reason_name}; test accuracy above 85%: {accuracy > 0.85}")


if __name__ == "__main__":
    main()
