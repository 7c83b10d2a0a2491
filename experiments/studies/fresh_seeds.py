"""What fresh seeds change: by how much a winner that is tested with the seeds that chose it is overestimated.

The study behind the flag `--fresh_seeds` of `compare`.

Command: `python -m experiments.studies.fresh_seeds` (about six minutes on one core); it prints one JSON object, the
record `experiments/records/fresh_seeds.json`. Each comparison has a new data set, 85% of whose answers the baseline has
right, four techniques with five strengths each, and ten runs. All strengths of all techniques have the same true gain,
0 or 2 points, so that whatever wins has this gain with another seed, on another split and for other examples.

A seed makes a net better or worse than another of the same setting: its true accuracy has a standard deviation of
`luck` points, beyond what all settings of a run share, which a paired change takes out. Answers of two nets agree on
what is easy. A tenth of the examples chooses and a fifth tests, in each of ten splits with a run each, or in one split
with ten runs. The strength of a technique is chosen as `compare` does; then the winner by its validation score.

- `bias` is the mean of the estimated gain minus the true one, in points, with its standard error: of the winner on
  validation, of a technique named beforehand (`named`), whose strength alone is chosen, and of the best on the test
  examples (`best`), which fresh seeds do not help.
- `covered` is how often the 95% interval of the winner holds the true gain, and `helped` how often it is said to help.
- `digits` is the luck of the demonstration, from four rows of one setting each, one split and 30 seeds.
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from absl import app

from regjax.analysis import choose, joint_flips
from regjax.comparison.layout import Layout
from regjax.report.verdict import judge

COMPARISONS, RUNS, TECHNIQUES, STRENGTHS = 600, 10, 4, 5
BASE, PRACTICAL = 0.85, 0.01
AGREE = 0.8
"""The correlation of what two nets find hard."""
SIZES, LUCK, GAINS = (1_000, 4_000), (0.0, 1.0, 2.0), (0.0, 2.0)
"""The numbers of examples; the standard deviation between seeds, and the true gain of all techniques, in points."""


class Design(NamedTuple):
    """One kind of comparison; `luck` and `gain` are shares."""

    size: int
    luck: float
    gain: float
    splits: int


class Found(NamedTuple):
    """The estimated gains: of the winner, of a technique named beforehand, and of the best on the test examples."""

    winner: float
    named: float
    best: float
    covered: bool
    helped: bool


def answers(rng: np.random.Generator, hard: np.ndarray, accuracy: np.ndarray) -> np.ndarray:
    """Whether nets of a true accuracy `[..., RUNS]` are right on examples that are as hard as this, `[RUNS, N]`."""
    own = rng.standard_normal((*accuracy.shape, hard.shape[1]), np.float32)
    return math.sqrt(AGREE) * hard + math.sqrt(1 - AGREE) * own < normal_quantiles(accuracy)[..., None]


def normal_quantiles(p: np.ndarray) -> np.ndarray:
    """Quantiles of the standard normal distribution."""
    from scipy.special import ndtri

    return np.asarray(ndtri(p), np.float32)


def compared(rng: np.random.Generator, design: Design) -> tuple[Found, Found]:
    """One comparison, tested by the runs that chose, and by fresh ones."""
    size, luck, gain, splits = design
    hard = rng.standard_normal(size, np.float32)
    cuts = np.stack([rng.permutation(size)[: 3 * size // 10] for _ in range(splits)])
    of_run = np.arange(RUNS) if splits > 1 else np.zeros(RUNS, int)
    rows = cuts[of_run]
    test, select = rows[:, : size // 5], rows[:, size // 5 :]
    layout = Layout(of_run, test if splits > 1 else None, size if splits > 1 else None)

    def nets(*settings: int) -> np.ndarray:
        true = BASE + gain + luck * rng.standard_normal((*settings, RUNS))
        return np.clip(true, 0.01, 0.99)

    base, all_nets = nets() - gain, nets(TECHNIQUES, STRENGTHS)
    on_select = answers(rng, hard[select], all_nets).mean(axis=-1)  # [techniques, strengths, runs]
    ties = rng.random(on_select.shape)
    picks = np.zeros((TECHNIQUES, RUNS), int)
    for k in range(TECHNIQUES):
        for split in np.unique(of_run):
            own = of_run == split
            chosen = choose(on_select[k][:, own], ties[k][:, own], range(STRENGTHS))
            picks[k, own] = chosen.position
    validated = np.take_along_axis(on_select, picks[:, None], axis=1)[:, 0].mean(axis=1)
    winner = int(np.argmax(validated))
    chosen_nets = np.take_along_axis(all_nets, picks[:, None], axis=1)[:, 0]
    hits_of_base = answers(rng, hard[test], base)
    of_choice = answers(rng, hard[test], chosen_nets) - hits_of_base.astype(np.float32)
    anew = answers(rng, hard[test], nets(TECHNIQUES)) - answers(rng, hard[test], nets() - gain).astype(np.float32)
    return found(of_choice, winner, gain, layout), found(anew, winner, gain, layout)


def found(changes: np.ndarray, winner: int, gain: float, layout: Layout) -> Found:
    """What the comparison says of the changes `[techniques, RUNS, N]`."""
    by_run = changes.sum(axis=2, dtype=np.float64)
    means = by_run.mean(axis=1) / changes.shape[2]
    reach = np.ones(changes.shape[1:])
    interval = layout.interval(changes[winner], reach)
    flips = joint_flips(np.stack([layout.grouped(row) for row in by_run], axis=1))
    verdict = judge(
        {
            "mean": interval.mean,
            "ci95": interval[1:],
            "p_adjusted": flips[winner].p_adjusted,
            "practical": PRACTICAL,
            "observations": layout.groups,
            "resolution": layout.resolution(changes[winner], reach),
        }
    )
    covered = interval.low <= gain <= interval.high
    return Found(means[winner], means[0], means.max(), covered, verdict == "helped")


def summarized(runs: list[Found], gain: float) -> dict[str, float]:
    """Biases in points with the standard error of that of the winner, and rates."""
    table = np.array(runs, np.float64)
    bias = 100 * (table[:, :3] - gain)
    names = ("winner", "named", "best")
    out = {f"bias_{name}": round(float(mean), 3) for name, mean in zip(names, bias.mean(axis=0), strict=True)}
    out["standard_error"] = round(float(bias[:, 0].std(ddof=1) / math.sqrt(len(runs))), 3)
    return out | {"covered": float(table[:, 3].mean()), "helped": float(table[:, 4].mean())}


def case(size: int, luck: float, gain: float, splits: int, comparisons: int = COMPARISONS) -> dict[str, Any]:
    """The comparisons of one kind; `luck` and `gain` in points."""
    design = Design(size, luck / 100, gain / 100, splits)
    rng = np.random.default_rng([size, round(100 * luck), round(100 * gain), splits])
    pairs = [compared(rng, design) for _ in range(comparisons)]
    same, fresh = (summarized(list(runs), design.gain) for runs in zip(*pairs, strict=True))
    return {"examples": size, "splits": splits, "luck": luck, "gain": gain, "same_seeds": same, "fresh_seeds": fresh}


def luck_of(hits: Sequence[np.ndarray]) -> float:
    """The luck of a seed, in points, from right answers `[seeds, N]` of several rows on the same test examples.

    Two test examples share what a seed changes of the difference of two rows, twice the variance of the luck, and else
    nothing:

      luck^2 = mean over pairs of rows of (N^2 var(mean over examples) - sum_e var(d_e)) / (2 N (N - 1))

    Args:
      hits: of each row; the seeds are the same in all.
    """
    variances = []
    for one, other in itertools.combinations(hits, 2):
        d, n = one.astype(np.float64) - other, one.shape[1]
        shared = n**2 * d.mean(axis=1).var(ddof=1) - d.var(axis=0, ddof=1).sum()
        variances.append(shared / (2 * n * (n - 1)))
    return 100 * math.sqrt(max(float(np.mean(variances)), 0.0))


def of_digits(seeds: int = 30) -> dict[str, float]:
    """The luck of the demonstration."""
    import regjax as rj

    rows = {"dropout": (0.3,), "l2": (0.01,), "l1": (0.003,)}
    predictions = rj.compare("mlp", rj.data.load("digits"), rows, seeds=seeds, splits=1).predictions
    assert predictions is not None
    luck = luck_of([predictions.hits(name) for name in predictions.outputs])
    return {"seeds": seeds, "rows": len(predictions.outputs), "luck": round(luck, 2)}


def run(comparisons: int = COMPARISONS) -> dict[str, Any]:
    """Everything."""
    kinds = [(size, luck, gain, n) for n in (RUNS, 1) for size in SIZES for luck in LUCK for gain in GAINS]
    return {
        "comparisons": comparisons,
        "techniques": TECHNIQUES,
        "strengths": STRENGTHS,
        "cases": [case(*kind, comparisons) for kind in kinds],
        "digits": of_digits(),
    }


def main(argv: list[str]) -> None:
    """Print the record."""
    del argv
    print(json.dumps(run(), indent=1))


if __name__ == "__main__":
    app.run(main)
