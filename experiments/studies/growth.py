"""How time and memory grow with examples, parameters, lanes, devices and penalties, and where growth is a power.

Command: `python -m experiments.studies.growth` (about seven minutes on two cores); it prints one JSON object, the
record `experiments/records/growth.json`. With the names of a record and of a picture, `RECORD.json PICTURE.png`, it
draws the record. With `SERIES SIZE` it measures one point and prints it.

Each point has a process of its own, so that its peak of memory is its own. `seconds` are those of one unit of work
after a first one: of an epoch (examples), of an update (parameters, devices, penalties), of all lanes (lanes). `bytes`
are what the process grew by at its peak, from the moment before; `planned` is what the compiled program needs beside
its arguments by the plan of XLA. The exponent of a series is the slope of `log seconds` on `log size` over its largest
half; `from` is the smallest size from which all points are within a fifth of that line.
"""

from __future__ import annotations

import json
import math
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from absl import app

from regjax.report.style import LIGHT, drawing

Point = dict[str, float]
INPUTS, BATCH = 30, 128
SERIES: dict[str, tuple[int, ...]] = {
    "examples": (1_000, 10_000, 100_000, 1_000_000, 10_000_000),
    "parameters": (10_000, 100_000, 1_000_000, 10_000_000, 100_000_000),
    "lanes": (1, 4, 16, 64, 256, 1_024, 4_096),
    "lanes side by side": (1, 4, 16, 64, 256),
    "devices": (1, 2, 4, 8),
    "penalties": (1, 2, 4, 8, 16),
}
UNITS = {
    "examples": "an epoch", "parameters": "an update", "lanes": "all lanes", "lanes side by side": "all lanes",
    "devices": "an update", "penalties": "an update",
}  # fmt: skip
NEAR = 1.2


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _table(examples: int) -> tuple[np.ndarray, np.ndarray]:
    x = np.random.default_rng(0).standard_normal((examples, INPUTS), np.float32)
    return x, (x[:, 0] > 0).astype(np.int32)


def _spec(widths: tuple[int, ...], steps: int, epochs: int, batch: int = BATCH, **options: Any) -> Any:
    import regjax as rj

    model = rj.models.make_model("mlp", num_outputs=2, widths=widths)
    return rj.Spec(
        model,
        num_classes=2,
        batch_size=batch,
        steps_per_epoch=steps,
        epochs=epochs,
        eval_train_examples=batch,
        **options,
    )


def _data(examples: int) -> Any:
    import jax

    import regjax as rj

    x, y = _table(examples + BATCH)
    order = np.arange(examples, dtype=np.int32)
    return rj.TrainData(*jax.device_put((x[:examples], y[:examples], order, x[examples:], y[examples:])))


def examples(size: int) -> Point:
    """An epoch over a file that is streamed, inputs on disk."""
    import jax

    import regjax as rj
    from regjax.data.source import as_rows

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.npy"
        file = np.lib.format.open_memmap(path, "w+", np.float32, (size, INPUTS))
        for start in range(0, size, 100_000):
            rng = np.random.default_rng(start)
            file[start : start + 100_000] = rng.standard_normal((min(100_000, size - start), INPUTS), np.float32)
        y = (file[:, 0] > 0).astype(np.int32)
        del file

        class Clock(rj.Callback):
            """Notes when an epoch ends."""

            def __init__(self) -> None:
                self.ends = [time.perf_counter()]

            def on_epoch(self, event: Any) -> None:
                self.ends.append(time.perf_counter())

        clock = Clock()
        spec = _spec((64,), math.ceil(size / BATCH), epochs=2)
        loader = rj.StreamLoader(as_rows("growth", np.load(path, mmap_mode="r")), y, np.arange(size, dtype=np.int32))
        data = loader.evaluation_data(spec, *_table(BATCH))
        before = _peak()
        rj.fit(
            spec,
            rj.make_hparams(n_train=size),
            jax.random.key(0),
            data,
            loader=loader,
            callbacks=[clock],
        )
    return {"seconds": clock.ends[-1] - clock.ends[-2], "bytes": _peak() - before}


def parameters(size: int) -> Point:
    """An update of a net of two equal hidden layers, with Adam, dropout and an L2 penalty; the weights averaged."""
    import jax

    import regjax as rj

    width = round((math.sqrt((INPUTS + 4) ** 2 + 4 * size) - INPUTS - 4) / 2)
    steps = 3
    spec = _spec((width, width), steps, epochs=2, batch=32)
    hparams = rj.make_hparams(
        n_train=256,
        penalties={"loss": rj.penalties.l2(1e-4)},
        rates={"dropout": 0.1},
        average=rj.averaging.ema(0.99),
    )
    return _timed(jax.jit(rj.make_run(spec)), (hparams, jax.random.key(0), _data(256), 0), 2 * steps)


def lanes(size: int) -> Point:
    """Lanes of a small net one after the other on each core; their weights are dropped."""
    return _lanes(size, "map")


def side_by_side(size: int) -> Point:
    """Lanes of a small net in one vectorized program."""
    return _lanes(size, "vmap")


def _lanes(size: int, layout: str) -> Point:
    import jax

    import regjax as rj
    from regjax.sweeps.plan import plan_lanes

    data, run = _data(512), rj.make_run(_spec((128, 128), 4, epochs=5))
    hparams = rj.make_hparams(n_train=512, rates={"dropout": 0.2})
    made = [rj.Lane(run, hparams, jax.random.key(i)) for i in range(size)]
    options: dict[str, Any] = {"layout": layout, "chunk": size, "workers": 1 if layout == "vmap" else None}
    planned = plan_lanes(made, data, **options, memory_limit="80%", compact=True, mesh=None, predict=True).call_bytes
    before = _peak()
    rj.run_lanes(made, data, **options, keep_weights=False)
    peak, started = _peak(), time.perf_counter()
    rj.run_lanes(made, data, **options, keep_weights=False)
    taken = time.perf_counter() - started
    return {"seconds": taken, "bytes": peak - before, "planned": float(planned or 0)}


def devices(size: int) -> Point:
    """An update whose batch of 1,024 is split over virtual devices of the same cores."""
    import jax

    import regjax as rj

    jax.config.update("jax_num_cpu_devices", size)
    mesh = rj.make_mesh(data=size)
    spec = _spec((512, 512), 10, epochs=2, batch=1024, mesh=mesh)
    run = rj.make_run(spec)
    hparams = rj.make_hparams(n_train=1024, rates={"dropout": 0.2})
    from regjax.core.mesh import on_mesh

    arguments = on_mesh((hparams, jax.random.key(0), _data(1024)), mesh)
    return _timed(jax.jit(run), (*arguments, 0), 20)


def penalties(size: int) -> Point:
    """An update with so many L1 penalties in the loss."""
    import jax

    import regjax as rj

    total = rj.penalties.l1(1e-6)
    for _ in range(size - 1):
        total = total + rj.penalties.l1(1e-6)
    spec = _spec((512, 512), 20, epochs=2)
    hparams = rj.make_hparams(n_train=512, penalties={"loss": total})
    return _timed(jax.jit(rj.make_run(spec)), (hparams, jax.random.key(0), _data(512), 0), 40)


def _timed(function: Any, arguments: tuple[Any, ...], updates: int) -> Point:
    import jax

    from regjax.sweeps.memory import program_memory

    planned = program_memory(function, *arguments)
    before = _peak()
    jax.block_until_ready(function(*arguments))
    peak, taken = _peak(), []
    for _ in range(3):
        started = time.perf_counter()
        jax.block_until_ready(function(*arguments))
        taken.append(time.perf_counter() - started)
    return {"seconds": min(taken) / updates, "bytes": peak - before, "planned": float(planned)}


MEASURES: dict[str, Callable[[int], Point]] = {
    "examples": examples, "parameters": parameters, "lanes": lanes, "lanes side by side": side_by_side,
    "devices": devices, "penalties": penalties,
}  # fmt: skip


def line(sizes: Sequence[float], values: Sequence[float]) -> dict[str, float]:
    """The exponent over the largest half of the sizes, and the smallest size from which all are near that line.

    Example:
      >>> line([1, 10, 100, 1_000, 10_000], [5.0, 5.0, 10.0, 100.0, 1_000.0])
      {'exponent': 1.0, 'from': 100}
    """
    half = len(sizes) // 2
    x, y = np.log(sizes), np.log(values)
    slope, intercept = np.polyfit(x[half:], y[half:], 1)
    near = np.abs(y - slope * x - intercept) <= math.log(NEAR)
    first = len(sizes) - 1
    while first > 0 and near[first - 1]:
        first -= 1
    return {"exponent": round(float(slope), 3), "from": sizes[first]}


def measured(series: str, size: int) -> Point:
    """A point, in a process of its own."""
    command = [sys.executable, "-m", "experiments.studies.growth", series, str(size)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return {name: float(f"{value:.5g}") for name, value in json.loads(done.stdout.splitlines()[-1]).items()}


def of_series(series: str) -> dict[str, Any]:
    """All points of a series, and the lines through them."""
    sizes = SERIES[series]
    points = [measured(series, size) for size in sizes]
    values = {name: [point[name] for point in points] for name in points[0]}
    lines = {name: line(sizes, values[name]) for name in ("seconds", "bytes") if min(values[name]) > 0}
    return {"sizes": list(sizes), "unit": UNITS[series]} | values | {"lines": lines}


def short(value: float) -> str:
    """A number as an axis has it.

    Example:
      >>> short(0.001), short(20), short(4_096), short(10_000_000)
      ('0.001', '20', '4.1k', '10M')
    """
    for unit, size in (("M", 1e6), ("k", 1e3)):
        if value >= size:
            return f"{value / size:.3g}{unit}"
    return f"{value:g}"


def draw(record: dict[str, Any], path: str) -> None:
    """Draw time and memory of each series; those that vary little on axes that begin at 0."""
    from matplotlib.figure import Figure

    with drawing():
        figure = Figure(figsize=(9.6, 5.6), layout="constrained", facecolor=LIGHT["paper"])
        for axes, (series, found) in zip(figure.subplots(2, 3).flat, record["series"].items(), strict=True):
            sizes = np.array(found["sizes"], float)
            memory = axes.twinx()
            for own, values, style, colour, words in (
                (axes, np.array(found["seconds"]), "o-", "train", f"seconds for {found['unit']}"),
                (memory, np.array(found["bytes"]) / 2**20, "s--", "val", "MiB at the peak (dashed)"),
            ):
                own.plot(sizes, values, style, color=LIGHT[colour], markersize=4)
                own.set(xscale="log", ylabel=words)
                if values.max() > 10 * values.min():
                    powers = range(math.floor(math.log10(values.min())), math.ceil(math.log10(values.max())) + 1)
                    own.set_yscale("log")
                    own.set_yticks([10.0**power for power in powers], [short(10.0**power) for power in powers])
                else:
                    own.set_ylim(bottom=0, top=1.1 * values.max())
                own.set_xticks(sizes, [short(size) for size in sizes])
                own.minorticks_off()
            memory.spines["right"].set_visible(True)
            axes.set_xlabel(series)
            axes.set_title(f"time: exponent {found['lines']['seconds']['exponent']:.2f}", loc="left")
            axes.set_facecolor(LIGHT["paper"])
        figure.savefig(path, dpi=110, metadata={"Software": None})


def run() -> dict[str, Any]:
    """Everything."""
    import jax

    found = {}
    for series in SERIES:
        print(series, file=sys.stderr, flush=True)
        found[series] = of_series(series)
    return {"jax": jax.__version__, "cores": len(os.sched_getaffinity(0)), "series": found}


def main(argv: list[str]) -> None:
    """Print the record, draw one, or print a point."""
    if len(argv) == 3 and argv[1].endswith(".json"):
        return draw(json.loads(Path(argv[1]).read_text()), argv[2])
    if len(argv) == 3:
        return print(json.dumps(MEASURES[argv[1]](int(argv[2]))))
    print(json.dumps(run(), indent=2))


if __name__ == "__main__":
    app.run(main)
