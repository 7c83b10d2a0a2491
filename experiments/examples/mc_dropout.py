"""Monte Carlo dropout: how unsure a net is, near its data and away from them, as a picture.

  python -m experiments.examples.mc_dropout [PICTURE.png]

prints

  unsure away from the data at least twice as much: True
"""

import sys

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import optax

import regjax as rj


def main(picture):
    """Fit a noisy sine on two intervals; the gap between them and both ends hold no data."""
    key = jax.random.key(0)
    x = jnp.concatenate([jnp.linspace(-2.0, -0.7, 40), jnp.linspace(0.7, 2.0, 40)])[:, None]
    y = jnp.sin(2 * x[:, 0]) + 0.1 * jax.random.normal(key, (80,))
    model = rj.models.make_model("mlp", num_outputs=1, task="regression", widths=(128, 128))
    params = model.init(jax.random.key(1), x)["params"]
    rates = {"dropout": 0.1}
    loss_fn = rj.build_loss(model.apply, "mse", rj.l2(1e-5), rates=rates)
    tx = optax.adam(3e-3)
    step = jax.jit(rj.make_step(loss_fn, tx))
    state = rj.init_train_state(params, {}, tx)
    for i in range(1500):
        state, _ = step(None, state, rj.Batch(x, y), jax.random.key(i))

    points = jnp.linspace(-4, 4, 200)[:, None]
    found = rj.mc_predict(model.apply, state.params, points, jax.random.key(2), 200, rates=rates, task="regression")
    deviation = jnp.sqrt(found.variance)
    near = jnp.min(jnp.abs(points - x.T), axis=1) < 0.1
    far = jnp.abs(points[:, 0]) > 3
    print(f"unsure away from the data at least twice as much: {deviation[far].mean() > 2 * deviation[near].mean()}")

    figure, axes = plt.subplots(figsize=(6, 3.2), layout="constrained")
    axes.fill_between(points[:, 0], found.mean - 2 * deviation, found.mean + 2 * deviation, alpha=0.25, lw=0)
    axes.plot(points[:, 0], found.mean, label="mean of 200 noisy passes, and two standard deviations")
    axes.plot(x[:, 0], y, "k.", ms=3, label="training data")
    axes.set(xlabel="x", ylabel="y")
    axes.legend(frameon=False, fontsize=8)
    if picture:
        figure.savefig(picture, dpi=150)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else None)
