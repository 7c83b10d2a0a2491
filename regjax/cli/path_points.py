"""The points of regularization paths over their seeds: means, the best one, and what the epochs alone account for.

Each point goes on from the one before, so strength and training time change together along a path. The control trains
for the same epochs, in the same order of examples, without the regularizer: at the same time nothing else differs.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from regjax.analysis.flips import joint_flips
from regjax.analysis.selection import choose
from regjax.analysis.settings import paired_difference, rank_settings, score_interval, standard_error, whole_hits
from regjax.cli.sweep_table import mean_of, number_in, or_none, score_in

Row = Mapping[str, Any]

CONTROL = "control"
"""What the rows of a path have as their order if the regularizer is off at every point."""


def content_of(
    rows: Sequence[Row], name: str, values: Sequence[float], columns: Sequence[str] | None, examples: int, task: str
) -> dict[str, Any]:
    """Return what `results.json` says of the points.

    Args:
      rows: one for each order, seed and value, those of a path in the order of training.
      name: the regularizer.
      values: its values, ascending.
      columns: the input features whose norms the rows have; None if they have none.
      examples: number of validation examples.
      task: that of the data; an accuracy is a number of hits.

    Returns:
      `orders`: by order, the points by ascending value; `control`: its points in the order of training; `best`, the
      order and position of the highest mean score, None if each point has a run without a score; `one_standard_error`,
      the strongest one within one standard error of it, in the same order; and `orders_differ`, by how much the score
      from weak to strong is above that from strong to weak, as a mean over all values, over which both orders have
      trained equally long; None with one order. Of each point, `inputs` are the mean norms of the features, and `used`
      is the share of the seeds in which a feature has a weight that is not zero; `over_control` is its difference from
      the control after as many epochs, with `p_adjusted` for all points of all orders. `best` has the number of points
      that `share` its score.
    """
    known = columns is not None and all(f"norm of {column}" in rows[0] for column in columns)
    of_hits = examples if task == "classification" else None
    orders: dict[str, list[dict[str, Any]]] = {}
    scores: dict[str, np.ndarray] = {}
    for order in dict.fromkeys(row["order"] for row in rows):
        at = _by_point([row for row in rows if row["order"] == order])
        at = at[::-1] if order == "down" else at
        scores[order] = np.array([[score_in(row) for row in of_value] for of_value in at])
        if of_hits is not None:
            scores[order] = whole_hits(scores[order], of_hits)
        strengths = [0.0] * len(at) if order == CONTROL else values
        orders[order] = [
            _point(value, of_value, own, of_hits, columns if known else None)
            for value, of_value, own in zip(strengths, at, scores[order], strict=True)
        ]
    control, of_control = orders.pop(CONTROL), scores.pop(CONTROL)
    _compare(orders, scores, {"up": of_control, "down": of_control[::-1]})
    best = _best(scores, orders)
    return {
        "task": task,
        "parameter": name,
        "values": list(values),
        "validation_examples": examples,
        "columns": list(columns) if known and columns is not None else None,
        "orders": orders,
        "control": control,
        "best": best,
        "one_standard_error": _one_standard_error(scores, orders, values, best, of_hits),
        "orders_differ": _orders_differ(scores),
    }


def _point(
    value: float, rows: Sequence[Row], scores: np.ndarray, examples: int | None, columns: Sequence[str] | None
) -> dict[str, Any]:
    mean, low, high = score_interval(scores.tolist(), examples)
    names = ("train_score", "val_loss", "train_loss", "zeros", "norm", "epochs")
    norms = [[row[f"norm of {column}"] for row in rows] for column in columns or ()]
    used = [sum(value not in (None, 0.0) for value in own) / len(own) for own in norms]
    return {
        "value": value,
        "runs": len(rows),
        "failed": int(np.isnan(scores).sum()),
        "score": {"mean": or_none(mean), "ci95": [or_none(low), or_none(high)]},
        **{name: mean_of(row[name] for row in rows) for name in names},
        "inputs": None if columns is None else [mean_of(own) for own in norms],
        "used": None if columns is None else used,
    }


def _by_point(rows: Sequence[Row]) -> list[list[Row]]:
    """Return the rows of one order by their place in the order of training; each has those of all seeds."""
    seeds = dict.fromkeys(row["seed"] for row in rows)
    paths = [[row for row in rows if row["seed"] == seed] for seed in seeds]
    return [list(of_point) for of_point in zip(*paths, strict=True)]


def _compare(
    orders: Mapping[str, list[dict[str, Any]]], scores: Mapping[str, np.ndarray], controls: Mapping[str, np.ndarray]
) -> None:
    """Add `over_control` to all points; None where a run has no score."""
    found, differences = [], []
    for order, points in orders.items():
        for point, own, other in zip(points, scores[order], controls[order], strict=True):
            point["over_control"] = None
            if np.isfinite(own - other).all():
                point["over_control"] = {"control": or_none(float(other.mean()))} | _difference(own, other)
                found.append(point["over_control"])
                differences.append(own - other)
    if differences and len(differences[0]) > 1:
        for one, test in zip(found, joint_flips(np.array(differences).T), strict=True):
            one["p_adjusted"] = test.p_adjusted


def _difference(scores: np.ndarray, others: np.ndarray) -> dict[str, Any]:
    mean, low, high, p = paired_difference(scores.tolist(), others.tolist())
    return {"mean": mean, "ci95": [or_none(low), or_none(high)], "p": p, "p_adjusted": p}


def _best(scores: Mapping[str, np.ndarray], orders: Mapping[str, Sequence[Row]]) -> dict[str, Any] | None:
    places = [(order, i) for order in orders for i in range(len(orders[order]))]
    losses = [[number_in(orders[order][i], "val_loss")] for order, i in places]
    means = np.concatenate([own.mean(axis=1) for own in scores.values()])[:, None]
    first = rank_settings(means, np.array(losses))[0]
    if not math.isfinite(means[first, 0]):
        return None
    order, position = places[first]
    share = int(np.sum(np.round(means[:, 0], 9) == round(means[first, 0], 9)))
    return {"order": order, "position": position, "share": share}


def _one_standard_error(
    scores: Mapping[str, np.ndarray],
    orders: Mapping[str, Sequence[Row]],
    values: Sequence[float],
    best: Mapping[str, Any] | None,
    examples: int | None,
) -> dict[str, Any] | None:
    if best is None:
        return None
    own = scores[best["order"]]
    error = standard_error(own[best["position"]].tolist(), examples)
    if not math.isfinite(error):
        return None
    known = [i for i in range(len(values)) if np.isfinite(own[i]).all()]
    losses = np.array([[number_in(orders[best["order"]][i], "val_loss")] * own.shape[1] for i in known])
    chosen = choose(own[known], losses, [values[i] for i in known], "1se", errors=[error] * len(known))
    return {"order": best["order"], "position": known[chosen.position], "error": error}


def _orders_differ(scores: Mapping[str, np.ndarray]) -> dict[str, Any] | None:
    """Compare the orders over all values at once.

    At a single value one of them has trained longer. Over all values, both have points after each number of epochs.
    """
    if len(scores) != 2 or not np.isfinite([*scores.values()]).all():
        return None
    return _difference(scores["up"].mean(axis=0), scores["down"].mean(axis=0))
