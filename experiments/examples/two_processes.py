"""Two processes train one sweep: each takes its share of the runs, both have all results.

  python -m experiments.examples.two_processes

prints

  trained here: 3 of 6; results here: 6
  all finite: True
"""

import socket
import subprocess
import sys

import jax
import numpy as np

import regjax as rj


def worker(number, address):
    """One of the processes; process 0 prints what both know."""
    jax.distributed.initialize(address, 2, number)
    x = np.random.default_rng(0).normal(size=(128, 10)).astype(np.float32)
    y = (x[:, 0] > 0).astype(np.int32)
    data = rj.TrainData(x, y, np.arange(128), x, y)
    model = rj.models.make_model("mlp", num_outputs=2, widths=(32,))
    run = rj.make_run(rj.Spec(model, num_classes=2, batch_size=16, steps_per_epoch=8, epochs=5))
    lanes = [rj.make_hparams(learning_rate=rate, n_train=128) for rate in np.logspace(-4, -1, 6)]
    trained = []
    keys = jax.random.split(jax.random.key(0), 6)
    result = rj.sweep(run, rj.stack_hparams(lanes), keys, data, on_done=lambda lane, *_: trained.append(lane))
    if number == 0:
        print(f"trained here: {len(trained)} of 6; results here: {len(result.epochs)}")
        print(f"all finite: {bool(np.isfinite(result.history.values['val/loss']).all())}")


def main():
    """Start both processes, and wait for them."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        address = f"localhost:{free.getsockname()[1]}"
    command = [sys.executable, "-m", "experiments.examples.two_processes"]
    both = [subprocess.Popen([*command, str(number), address], stdout=subprocess.PIPE, text=True) for number in (0, 1)]
    said = [process.communicate()[0] for process in both]
    print("\n".join(line for line in said[0].splitlines() if not line.startswith("[Gloo]")))
    sys.exit(max(process.returncode for process in both))


if __name__ == "__main__":
    worker(int(sys.argv[1]), sys.argv[2]) if len(sys.argv) > 2 else main()
