"""The tables of the page of benchmarks: what was measured, how it compares with the goals, and where the time goes.

Standard library alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from cells import RecordError, read, table, wrapped

# What a case measures; `{floor}` is what the machine needs for the bare work, `{quality}` what was achieved.
CASES = {
    "dense_step": "update of a 784-1024-1024-10 net, dropout, batch 128, Adam",
    "dropout": "what dropout adds to it",
    "penalties": "the most that a penalty adds to it",
    "checkpoint": "what a checkpoint after every epoch of it adds",
    "conv_step": "update of a small convolutional net",
    "resnet_step": "update of a small residual net, images of 32 x 32",
    "vit_step": "update of a small vision transformer, images of 32 x 32",
    "sweep_64": "64 runs on digits, 50 epochs each",
    "sweep_512": "512 runs on digits, 50 epochs each",
    "tables": "a comparison of 40 runs on a table of 10,000 x 30, the defaults of `compare`",
    "early_stop_reclaim": "64 runs, some stopped early: share of the full time, for {quality} of the epochs",
    "scaling": "a sweep in two processes of one core each: share of the time of one",
    "augment": "RandAugment, crop and flip of 256 colour images",
    "lasso_path": "lasso path, 1,000 x 2,000, 50 strengths",
    "loading": "MNIST into memory in a fresh process, the second time",
    "load_csv": "a CSV file of 100,000 rows and 31 columns into an array, checks included",
    "load_images": "2,000 photos of 320 x 240, decoded and brought to 64 x 64",
    "cold_start": "from the command to the first trained epoch",
    "resume": "from the command to the first epoch after a checkpoint (a start without one: {floor})",
    "verify": "SHA-256 of a checkpoint of {quality} MB read from disk (reading alone: {floor})",
}
UNITS = {  # decimals and unit of a figure, by the unit of its case
    "ms/step": (1, " ms"), "ms/batch": (1, " ms"), "ms": (0, " ms"), "s": (1, " s"), "share of time": (2, ""),
    "% of a step": (1, "%"), "% of the time": (1, "%"),
}  # fmt: skip
DECIMALS = {"lasso_path": 2}  # where those of the unit are too few
NAMES = {  # as tables have the peers
    "flax": "Flax", "keras_jax": "Keras on JAX", "kornia": "kornia, one choice a batch",
    "pillow": "PIL in two processes", "sklearn": "scikit-learn", "tfds": "TFDS", "torch_compile": "torch.compile",
    "torch_loop": "torch loop", "torchvision": "torchvision with two processes", "torch_vmap": "torch.func",
}  # fmt: skip
MATRIX_PRODUCTS = (
    "dense_step",
    "conv_step",
    "resnet_step",
    "vit_step",
    "sweep_64",
    "sweep_512",
    "tables",
)  # whose floor they are
AMONG = "a lane among 64, of one among 16"  # a variant of the case `scaling`
OTHER_WORK = re.compile(r"no dropout|unverified")  # peers that do less, and are not compared with


def bench(records: Path, link: str) -> list[str]:
    """What `scripts/bench.py` measured, one row a case."""
    cases = {row["case"]: row for row in read(records / "bench.json")}
    unknown = sorted(set(cases) - set(CASES))
    if unknown:
        raise RecordError(f"bench.json: no words for the case {unknown[0]!r} in scripts/docs/speed_tables.py")
    rows = [_bench_row(cases[name]) for name in CASES if name in cases]
    head = (
        "case", "regjax", "peers, the fastest first", "regjax takes, of the fastest peer's time",
        "share of the matrix-product floor",
    )  # fmt: skip
    found = next(iter(cases.values()))["versions"]
    dates = sorted({row["versions"]["date"] for row in cases.values()})
    packages = ", ".join(f"{name} {_latest(cases, name)}" for name in ("jax", "torch", "keras", "scikit-learn"))
    record = (
        f"*Record: [`experiments/records/bench.json`]({link}/bench.json): {found['cores']} CPU cores ({found['cpu']}), "
        f"{packages}, {' to '.join(dict.fromkeys((dates[0], dates[-1])))}.*"
    )
    return [*table(head, rows), "", *wrapped(record), *_overheads(cases)]


_PENALTIES = {
    "proximal l1": "proximal L1", "proximal elastic_net": "elastic net", "proximal mcp": "MCP",
    "proximal group_lasso, momentum": "and, under momentum, the group lasso",
}  # fmt: skip


def _overheads(cases: Mapping[str, Any]) -> list[str]:
    """A paragraph on what penalties add, and on the cost of a run among many."""
    if not {"penalties", "scaling"} <= set(cases):
        return []
    added, among = cases["penalties"]["variants"], cases["scaling"]["variants"][AMONG]
    each = ", ".join(f"{words} {added[name]:.1f}%" for name, words in _PENALTIES.items())
    low, high = min(added.values()), max(added.values())
    text = (
        f"Penalties add {low:.1f} to {high:.1f}% to the update of the first row (below 0 is noise): under Adam "
        f"{each}. A run among 64 takes {among:.2f} of the time of one among 16."
    ).replace("-", "−")
    return ["", *wrapped(text)]


def _bench_row(row: Mapping[str, Any]) -> list[str]:
    decimals, unit = UNITS[row["unit"]]
    decimals = DECIMALS.get(row["case"], decimals)

    def shown(value: float, quality: float | None = None) -> str:
        text = f"{value:.{decimals}f}{unit}".replace("-", "−")
        if row["case"] == "lasso_path" and quality is not None:
            text += f", objective within {quality:.0e}".replace("e-0", "e-")
        return text

    floor = row["fraction_of_floor"]
    own, quality = row["ours"], row["quality"]
    label = CASES[row["case"]].format(floor=shown(own * floor) if floor else "", quality=f"{quality['ours']:g}")
    busy = row["versions"].get("used_by_others") or 0.0
    if busy > 0.1:
        label += f" (other processes used {100 * busy:.0f}% of the machine)"
    # A peer that was not installed has no figure.
    peers = sorted((item for item in row["peers"].items() if item[1] is not None), key=lambda item: item[1])
    same = [value for name, value in peers if not OTHER_WORK.search(name)]
    # A share of an overhead near zero, or of a share, says nothing.
    share = f"{own / same[0]:.2f}" if same and row["unit"] in ("ms/step", "ms/batch", "ms", "s") else ""
    return [
        label,
        shown(own, quality["ours"]),
        "; ".join(f"{shown(value, quality['peers'][name])} ({_peer(name)})" for name, value in peers),
        share,
        f"{floor:.2f}" if floor and row["case"] in MATRIX_PRODUCTS else "",
    ]


def _peer(name: str) -> str:
    """`"keras_jax (2 runs, scaled)"` as `"Keras on JAX, 2 runs, scaled"`."""
    first, _, rest = name.partition(" (")
    return NAMES.get(first, first) + (f", {rest[:-1]}" if rest else "")


def _latest(cases: Mapping[str, Any], package: str) -> str:
    return " and ".join(sorted({row["versions"][package] for row in cases.values() if package in row["versions"]}))


class Goal(NamedTuple):
    """A goal of a case.

    Attributes:
      case: of `scripts/bench.py`.
      words: what is wanted, with `{}` for the number.
      target: the number.
      measured: the number of a row; None if a peer was not measured.
      least: whether it is to be at least the target, or at most.
    """

    case: str
    words: str
    target: float
    measured: Callable[[Mapping[str, Any]], float | None]
    least: bool = True


def _times_as_fast_as(*peers: str) -> Callable[[Mapping[str, Any]], float | None]:
    def measured(row: Mapping[str, Any]) -> float | None:
        times = [row["peers"][name] for name in peers if row["peers"].get(name)]
        return min(times) / row["ours"] if times else None

    return measured


def _dearest(*names: str) -> Callable[[Mapping[str, Any]], float | None]:
    return lambda row: max(row["variants"][name] for name in names)


_NETS = ("torch", "torch_compile", "keras_jax")
_KERAS, _SKLEARN = "keras_jax (2 runs, scaled)", "sklearn (no dropout)"


def _of_floor(row: Mapping[str, Any]) -> float | None:
    return row["fraction_of_floor"]


GOALS = (
    Goal("dense_step", "{} of the floor", 0.92, _of_floor),
    Goal("dense_step", "{} times as fast as the best peer", 1.3, _times_as_fast_as(*_NETS)),
    Goal("dense_step", "{} times as fast as torch with its fastest Adam", 1.8, _times_as_fast_as("torch")),
    Goal("penalties", "{}% for proximal L1, elastic net, MCP and group lasso", 2.0, _dearest(*_PENALTIES), False),
    Goal("conv_step", "as fast as torch", 1.0, _times_as_fast_as("torch")),
    Goal("sweep_64", "{} times as fast as torch.func", 4.0, _times_as_fast_as("torch_vmap")),
    Goal("sweep_64", "{} times as fast as scikit-learn", 3.0, _times_as_fast_as(_SKLEARN)),
    Goal("sweep_64", "{} of the floor", 0.85, _of_floor),
    Goal("tables", "{} times as fast as Keras", 10.0, _times_as_fast_as(_KERAS)),
    Goal("tables", "{} times as fast as torch.func", 3.0, _times_as_fast_as("torch_vmap")),
    Goal("tables", "{} times as fast as scikit-learn", 2.0, _times_as_fast_as(_SKLEARN)),
    Goal("early_stop_reclaim", "{} of the time of its epochs", 1.03, lambda row: 1 / row["fraction_of_floor"], False),
    Goal("scaling", "{} for a run among 64, of one among 16", 1.0, _dearest(AMONG), False),
    Goal("loading", "as fast as numpy.load and SHA-256", 1.0, _times_as_fast_as("numpy.load and SHA-256")),
    Goal("load_csv", "{} times as fast as pandas", 1.2, _times_as_fast_as("pandas (unverified)")),
    Goal("load_images", "{} times as fast as torchvision", 1.5, _times_as_fast_as("torchvision")),
    Goal("checkpoint", "{}%", 1.5, lambda row: row["ours"], False),
    Goal("resume", "{} s", 1.0, lambda row: row["ours"], False),
)


def goals(records: Path, link: str) -> list[str]:
    """The goals, and what the record has."""
    cases = {row["case"]: row for row in read(records / "bench.json")}
    rows = []
    for goal in GOALS:
        value = goal.measured(cases[goal.case]) if goal.case in cases else None
        met = value is not None and (value >= goal.target if goal.least else value <= goal.target)
        answer = "not measured" if value is None else "yes" if met else "no"
        words = f"{'at least' if goal.least else 'at most'} {goal.words.format(f'{goal.target:g}')}"
        rows.append([f"`{goal.case}`", words, "–" if value is None else f"{value:.2f}", answer])
    reached = sum(row[-1] == "yes" for row in rows)
    text = f"{reached} of {len(rows)} goals are reached by the [record]({link}/bench.json) above."
    return [*table(("case", "goal", "measured", "reached"), rows), "", *wrapped(text)]


_KINDS = {
    "products": "matrix products", "optimizer": "optimizer", "waiting": "waiting", "evaluation": "evaluation",
    "bits": "random bits", "model": "activations and losses", "batch": "batches", "copies": "copies", "rest": "other",
}  # fmt: skip
_PROGRAMS = {
    "dense_step": "a dense net", "conv_step": "a convolutional net", "sweep_64": "a run on digits",
    "tables": "a run on a table",
}  # fmt: skip


def profiles(records: Path, link: str) -> list[str]:
    """Where the time of an update goes in each program, in percent."""
    found = read(records / "profiles.json")
    rows = [
        [
            _PROGRAMS[one["case"]],
            f"{one['wall']:.3f}",
            *(f"{100 * one['kinds'][kind] / one['wall']:.1f}" for kind in _KINDS),
        ]
        for one in found
    ]
    made = found[0]["versions"]
    cases = " ".join(f"--explain={one['case']}" for one in found)
    text = (
        f"*Record: [`experiments/records/profiles.json`]({link}/profiles.json), made by "
        f"`python scripts/bench.py {cases}`: {made['cores']} CPU cores ({made['cpu']}), jax {made['jax']}, "
        f"{made['date']}.*"
    )
    return [*table(("an update of", "ms", *(f"{name}, %" for name in _KINDS.values())), rows), "", *wrapped(text)]


TABLES: dict[str, Callable[[Path, str], list[str]]] = {"bench": bench, "speed_goals": goals, "profiles": profiles}
