"""A run that is killed, and goes on: the weights are bit for bit those of a run that was not.

  python -m experiments.examples.resuming

prints

  begins
  the process ended with code 9
  goes on
  begins
  the same weights, bit for bit: True
"""

import os
import subprocess
import sys
import tempfile
import time

import jax
import jax.numpy as jnp
import numpy as np

import regjax as rj


def trained(directory, killed_in=None):
    """Train with checkpoints; `killed_in` is the epoch in which the process dies without a word."""
    x = jax.random.normal(jax.random.key(0), (128, 10))
    y = (x[:, 0] > 0).astype(jnp.int32)
    data = rj.TrainData(x, y, jnp.arange(128), x, y)
    model = rj.models.make_model("mlp", num_outputs=2, widths=(32,))
    spec = rj.Spec(model, num_classes=2, batch_size=16, steps_per_epoch=8, epochs=10)
    hparams = rj.make_hparams(n_train=128, rates={"dropout": 0.2})
    from regjax.training.checkpoint import Checkpoints

    class Watch(rj.Callback):
        def on_start(self, event):
            print("goes on" if event.epochs else "begins", flush=True)

        def on_epoch(self, event):
            time.sleep(0.2)  # a real epoch takes longer than a checkpoint
            if event.epoch == killed_in:
                os._exit(9)

    store, key = Checkpoints(directory), jax.random.key(1)
    return rj.fit(spec, hparams, key, data, checkpoints=store, callbacks=[Watch()]).state


def main():
    """Kill a process in epoch 6, go on in this one, and compare with a run in one piece."""
    with tempfile.TemporaryDirectory() as killed, tempfile.TemporaryDirectory() as whole:
        command = [sys.executable, "-m", "experiments.examples.resuming", killed]
        print(f"the process ended with code {subprocess.run(command, check=False).returncode}", flush=True)
        again, once = trained(killed), trained(whole)
        same = jax.tree.map(np.array_equal, again.train.params, once.train.params)
        print(f"the same weights, bit for bit: {all(jax.tree.leaves(same))}")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        trained(sys.argv[1], killed_in=6)
    else:
        main()
