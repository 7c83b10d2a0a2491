"""The points of regularization paths over their seeds: means, the best one, and how far the two orders are apart."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from regjax.analysis.selection import choose
from regjax.analysis.settings import rank_settings, score_interval, standard_error, whole_hits
from regjax.cli.sweep_table import mean_of, number_in, or_none, score_in

Row = Mapping[str, Any]


def content_of(
    rows: Sequence[Row], name: str, values: Sequence[float], columns: Sequence[str] | None, examples: int, task: str
) -> dict[str, Any]:
    """Return what `results.json` says of the points.

    Args:
      rows: one for each order, seed and value.
      name: the regularizer.
      values: its values, ascending.
      columns: the input features whose norms the rows have; None if they have none.
      examples: number of validation examples.
      task: that of the data; an accuracy is a number of hits.

    Returns:
      `orders`: by order, the points by ascending value; `best`, the order and position of the highest mean score, None
      if each point has a run without a score; `one_standard_error`, the strongest one within one standard error of it,
      in the same order; and `orders_differ`, where the mean scores of the two orders are furthest apart, None with one.
      Of each point, `inputs` are the mean norms of the features, and `used` is the share of the seeds in which a
      feature has a weight that is not zero. `best` has the number of points that `share` its score.
    """
    known = columns is not None and all(f"norm of {column}" in rows[0] for column in columns)
    of_hits = examples if task == "classification" else None
    orders: dict[str, list[dict[str, Any]]] = {}
    scores: dict[str, np.ndarray] = {}
    for order in dict.fromkeys(row["order"] for row in rows):
        at = [[row for row in rows if row["order"] == order and row[name] == value] for value in values]
        scores[order] = np.array([[score_in(row) for row in of_value] for of_value in at])
        if of_hits is not None:
            scores[order] = whole_hits(scores[order], of_hits)
        orders[order] = [
            _point(value, of_value, own, of_hits, columns if known else None)
            for value, of_value, own in zip(values, at, scores[order], strict=True)
        ]
    best = _best(scores, orders)
    return {
        "task": task,
        "parameter": name,
        "values": list(values),
        "validation_examples": examples,
        "columns": list(columns) if known and columns is not None else None,
        "orders": orders,
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
    if len(scores) != 2:
        return None
    differences = (scores["up"] - scores["down"]).mean(axis=1)
    if not np.isfinite(differences).any():
        return None
    position = int(np.nanargmax(np.abs(differences)))
    return {"position": position, "mean": float(differences[position])}
