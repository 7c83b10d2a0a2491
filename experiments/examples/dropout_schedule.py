"""A schedule of dropout: any rate may be a function of the step, inside one compiled update.

  python -m experiments.examples.dropout_schedule

prints

  step 0: rate 0.00
  step 50: rate 0.25
  step 100: rate 0.50
  the loss is finite: True
"""

import jax
import jax.numpy as jnp
import optax

import regjax as rj


def main():
    """Dropout that rises from 0 to 0.5 over 100 updates (curriculum dropout)."""
    x = jax.random.normal(jax.random.key(0), (64, 20))
    y = (x[:, 0] > 0).astype(jnp.int32)
    model = rj.models.make_model("mlp", num_outputs=2, widths=(256,))
    rate = optax.linear_schedule(0.0, 0.5, 100)
    loss_fn = rj.build_loss(model.apply, "cross_entropy", rates={"dropout": rate})
    step = jax.jit(rj.make_step(loss_fn, optax.adam(1e-3)))
    state = rj.init_train_state(model.init(jax.random.key(1), x)["params"], {}, optax.adam(1e-3))
    for i in range(101):
        state, metrics = step(None, state, rj.Batch(x, y), jax.random.key(i))
        if i % 50 == 0:
            print(f"step {i}: rate {float(rate(i)):.2f}")
    print(f"the loss is finite: {bool(jnp.isfinite(metrics['loss']))}")


if __name__ == "__main__":
    main()
