"""64 runs in one compiled program: strengths are data, so the whole grid trains without compiling again.

  python -m experiments.examples.sweep_64

prints

  runs: 64; the strength of L2 with the lowest validation loss is above 1e-4: True
  at least 5% below that of a run with neither: True
"""

import jax
import jax.numpy as jnp
import numpy as np
from sklearn.datasets import load_digits

import regjax as rj


def main():
    """Eight rates of dropout times eight strengths of L2 on 200 digits."""
    digits = load_digits()
    x, y = jnp.asarray(digits.data / 16.0, jnp.float32), jnp.asarray(digits.target)
    data = rj.TrainData(x[:200], y[:200], jnp.arange(200), x[200:700], y[200:700])
    model = rj.models.make_model("mlp", num_outputs=10, widths=(128,))
    run = rj.make_run(rj.Spec(model, num_classes=10, batch_size=50, steps_per_epoch=4, epochs=30))
    grid = [(rate, strength) for rate in np.linspace(0, 0.7, 8) for strength in np.logspace(-5, -2, 8)]
    lanes = [
        rj.make_hparams(learning_rate=3e-3, n_train=200, rates={"dropout": rate}, penalties={"loss": rj.l2(strength)})
        for rate, strength in grid
    ]
    result = rj.sweep(run, rj.stack_hparams(lanes), jax.random.split(jax.random.key(0), 64), data)
    loss = result.history.values["val/loss"][:, -1]
    _, strength = grid[int(np.argmin(loss))]
    print(f"runs: {len(loss)}; the strength of L2 with the lowest validation loss is above 1e-4: {strength > 1e-4}")
    print(f"at least 5% below that of a run with neither: {loss.min() < 0.95 * loss[0]}")


if __name__ == "__main__":
    main()
