"""Sharpness-aware minimization and an average of the weights: two arguments of a run.

  python -m experiments.examples.sam_ema

prints

  test loss below that of the plain run: SAM EMA both
"""

import jax
import jax.numpy as jnp
from sklearn.datasets import load_digits

import regjax as rj


def main():
    """Test losses of four runs from the same start, on 200 digits of which a fifth has a wrong label."""
    digits = load_digits()
    x, y = jnp.asarray(digits.data / 16.0, jnp.float32), jnp.asarray(digits.target)
    noisy = rj.corrupt_labels(jax.random.key(3), y[:200], 0.2, 10)
    data = rj.TrainData(x[:200], noisy, jnp.arange(200), x[800:], y[800:])
    model = rj.models.make_model("mlp", num_outputs=10, widths=(128,))
    spec = rj.Spec(model, num_classes=10, batch_size=50, steps_per_epoch=4, epochs=60)
    loss = {}
    for name, options in {
        "plain": {},
        "SAM": {"sam": 0.2},
        "EMA": {"average": rj.ema(0.98)},
        "both": {"sam": 0.2, "average": rj.ema(0.98)},
    }.items():
        hparams = rj.make_hparams(learning_rate=3e-3, n_train=200, **options)
        state = jax.jit(rj.make_run(spec))(hparams, jax.random.key(0), data)
        loss[name] = float(state.history.values["val/loss"][-1])
    print("test loss below that of the plain run:", *(name for name in loss if loss[name] < 0.98 * loss["plain"]))


if __name__ == "__main__":
    main()
