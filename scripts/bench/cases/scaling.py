"""How the time of a sweep scales: with a second process on its own core, with the number of lanes, with their width."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from typing import Any

from cases import sweep_peers, sweeps
from cases.base import Case, Contender, Context, Measured, Round, seconds

LANES, EPOCHS = 16, 20


class Members:
    """Processes of one run, each on a core of its own, that train on request."""

    def __init__(self, context: Context, count: int):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        given = {"shared": os.path.join(context.scratch, "shared.npz"), "count": count, "port": port}
        given |= {"lanes": context.size(LANES, 2), "epochs": context.size(EPOCHS, 2)}
        cores = sorted(os.sched_getaffinity(0))
        self.processes = [
            subprocess.Popen(
                [sys.executable, "-m", "cases.scaling", json.dumps(given | {"own": i, "core": cores[i % len(cores)]})],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for i in range(count)
        ]

    def train(self) -> float:
        """Train all lanes once; returns their mean accuracy."""
        for process in self.processes:
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
        answers = [_answer(process) for process in self.processes]
        return float(answers[0])


def _answer(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("accuracy "):  # libraries print lines of their own
            return line.split()[1]
    raise RuntimeError(f"a member ended with code {process.wait()}")


def ours(context: Context) -> Round:
    """`regjax.run_lanes` in one process on one core, and in two through `jax.distributed`; lanes and widths in one."""
    one, two = Members(context, 1), Members(context, 2)
    few, many = (_swept(context, lanes, 128) for lanes in (context.size(16, 2), context.size(64, 4)))
    wide = _swept(context, context.size(4, 2), 512)
    for train in (one.train, two.train, few, many, wide):
        train()
    lanes = context.size(64, 4) / context.size(16, 2)
    # Products of a 64-w-w-10 net, of which there are as many as updates.
    work = [(64 * w + w * w + 10 * w) * n for w, n in ((128, context.size(16, 2)), (512, context.size(4, 2)))]

    def one_round() -> Measured:
        accuracies: list[float] = []
        alone, together = seconds(one.train), seconds(lambda: accuracies.append(two.train()))
        base = seconds(few)
        return Measured(
            {
                "two processes of one core each, of one": together / alone,
                "a lane among 64, of one among 16": seconds(many) / base / lanes,
                "a product of width 512, of one of width 128": (seconds(wide) / work[1]) / (base / work[0]),
            },
            accuracies[0],
        )

    return one_round


def torch_loop(context: Context) -> Round:
    """A loop over runs in PyTorch, in one process with one thread and in two."""
    from cases import torch_sweep

    given = sweeps.problem(context) | {"lanes": context.size(LANES, 2), "epochs": context.size(EPOCHS, 2)}
    given |= {"adam": {"foreach": True}}
    two = sweep_peers.in_two_processes(torch_sweep.loop, given)

    def one_round() -> Measured:
        accuracies: list[float] = []
        alone = seconds(lambda: torch_sweep.loop(given, list(range(given["lanes"]))))
        together = seconds(lambda: accuracies.append(two()))
        return Measured({"two processes of one core each, of one": together / alone}, accuracies[0])

    return one_round


def _swept(context: Context, lanes: int, width: int) -> Any:
    """A function that trains a number of lanes of a net of this width."""
    data, made = _problem(dict(context.shared), lanes, context.size(EPOCHS, 2), width)
    import regjax as rj

    return lambda: rj.run_lanes(made, data)


def _problem(shared: dict[str, Any], lanes: int, epochs: int, width: int) -> tuple[Any, list[Any]]:
    import jax
    import numpy as np

    import regjax as rj

    order = np.arange(len(shared["x"]), dtype=np.int32)
    labels = [shared[name].astype(np.int32) for name in ("y", "y_val")]
    data = rj.TrainData(shared["x"], labels[0], order, shared["x_val"], labels[1])
    spec = rj.Spec(
        rj.models.make_model("mlp", num_outputs=10, widths=(width, width)),
        num_classes=10,
        batch_size=sweeps.BATCH,
        steps_per_epoch=len(order) // sweeps.BATCH,
        epochs=epochs,
    )
    run = rj.make_run(spec)
    hparams = rj.make_hparams(n_train=len(order), rates={"dropout": 0.2})
    return data, [rj.Lane(run, hparams, jax.random.key(i)) for i in range(lanes)]


def member(given: dict[str, Any]) -> None:
    """A process of a run: trains its share for each line on stdin and prints the accuracy."""
    os.sched_setaffinity(0, {given["core"]})
    import jax

    if given["count"] > 1:
        jax.distributed.initialize(f"127.0.0.1:{given['port']}", given["count"], given["own"])
    import numpy as np

    import regjax as rj

    with np.load(given["shared"]) as file:
        data, lanes = _problem(dict(file), given["lanes"], given["epochs"], 128)
    for _ in sys.stdin:
        results = rj.run_lanes(lanes, data, keep_weights=False)
        accuracy = float(np.mean([result.history.values["val/accuracy"][-1] for result in results]))
        print(f"accuracy {accuracy}", flush=True)


CASES = {
    "scaling": Case(
        name="scaling",
        summary="time of 16 lanes on digits in two processes of one core each, of that in one; lanes; widths",
        unit="share of time",
        quality="validation accuracy",
        prepare=sweeps.prepare,
        rounds=5,
        headline="two processes of one core each, of one",
        floor_value=0.5,
        contenders={"ours": Contender(ours), "torch loop": Contender(torch_loop, ("torch",))},
    )
}

if __name__ == "__main__":
    member(json.loads(sys.argv[1]))
