"""Folds for cross-validation: stratified, with groups whole, or forward in time."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from regjax.catalog import TASKS
from regjax.core.checks import check_choice
from regjax.core.errors import InputError
from regjax.data import grouping, keyed_random
from regjax.data.splits import strata


class Fold(NamedTuple):
    """A fold: the rows for training and those for validation, both ascending, `int64`."""

    train: np.ndarray
    validation: np.ndarray


def folds(
    y: np.ndarray,
    count: int,
    *,
    task: str,
    groups: np.ndarray | None = None,
    times: np.ndarray | None = None,
    seed: int = 0,
) -> list[Fold]:
    """Cut examples into folds, each of which validates a model that was trained on the others.

    Each example is in the validation part of exactly one fold. Without groups, the folds differ by at most one example,
    in total and in each class; examples of a group stay in one fold, and classes are spread as evenly as that allows.
    With times there is no future in any training part: the examples are cut into `count + 1` blocks by time, and fold
    `k` trains on the first `k + 1` of them and validates on the next. The oldest examples are then never validated, and
    the seed has no influence.

    Args:
      y: targets, `[N]` or `[N, D]`.
      count: number of folds, at least 2.
      task: one of `regjax.catalog.TASKS`; several labels are stratified by `regjax.data.splits.strata`.
      groups: of each example, `[N]`; None for single examples.
      times: of each example, `[N]`, numbers that grow with time; groups are then not used.
      seed: another seed gives other folds, for repeated cross-validation.

    Raises:
      InputError: there are too few examples or groups for so many folds, or a class would be missing from a training
        part.

    Example:
      >>> y = np.array([0, 0, 0, 0, 1, 1], np.int32)
      >>> [np.bincount(y[fold.validation]).tolist() for fold in folds(y, 2, task="classification")]
      [[2, 1], [2, 1]]
      >>> [(f.train.tolist(), f.validation.tolist()) for f in folds(y, 2, task="regression", times=np.arange(6))]
      [([0, 1], [2, 3]), ([0, 1, 2, 3], [4, 5])]

    Reference: Kohavi, A study of cross-validation and bootstrap for accuracy estimation and model selection, 1995.
    """
    check_choice("folds: task", task, TASKS)
    if count < 2:
        raise InputError(f"folds: count must be at least 2, got {count}")
    if times is not None:
        made = _forward(np.asarray(times), count)
    else:
        labels = np.unique(strata(np.asarray(y), task), return_inverse=True)[1].reshape(-1)
        numbers = np.arange(len(y)) if groups is None else grouping.group_numbers(groups)
        fold_of = _fold_of_each(labels, numbers, count, seed)
        made = [Fold(np.flatnonzero(fold_of != k), np.flatnonzero(fold_of == k)) for k in range(count)]
    if task == "classification":
        _check_classes(np.asarray(y), made)
    return made


def _forward(times: np.ndarray, count: int) -> list[Fold]:
    size = len(times) // (count + 1)
    if size < 1:
        raise InputError(f"folds: {len(times)} examples are too few for {count} folds in time, which need {count + 1}")
    order = np.argsort(times, kind="stable")
    starts = [len(times) - size * (count - k) for k in range(count)]
    return [Fold(np.sort(order[:start]), np.sort(order[start : start + size])) for start in starts]


def _fold_of_each(labels: np.ndarray, groups: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Return the fold of each example: large groups first, each where its classes are rarest, then the single ones."""
    sizes = np.bincount(groups)
    if len(sizes) < count:
        what = "examples" if len(sizes) == len(labels) else "groups"
        raise InputError(f"folds: {len(sizes)} {what} are too few for {count} folds")
    of_class = np.bincount(labels)
    table = np.zeros((count, len(of_class)), np.int64)  # examples of each class in each fold
    fold_of_group = np.empty(len(sizes), np.int64)
    order = keyed_random.order(len(sizes), "folds", seed)
    large = order[sizes[order] > 1]
    by_group = np.argsort(groups, kind="stable")
    starts = np.cumsum(sizes) - sizes
    for group in large[np.argsort(-sizes[large], kind="stable")]:
        own = np.bincount(labels[by_group[starts[group] : starts[group] + sizes[group]]], minlength=len(of_class))
        # Sum over classes of (share of the class in the fold)^2 times its size rises least where this is smallest.
        rise = table @ (own / of_class)
        fold = np.lexsort((table.sum(axis=1), rise))[0]
        fold_of_group[group], table[fold] = fold, table[fold] + own
    single = order[sizes[order] == 1]
    class_of = labels[by_group[starts[single]]]
    for label in range(len(of_class)):
        members = single[class_of == label]
        given = _level(table[:, label], table.sum(axis=1), len(members))
        fold_of_group[members] = np.repeat(np.arange(count), given)
        table[:, label] += given
    return fold_of_group[groups]


def _level(have: np.ndarray, totals: np.ndarray, amount: int) -> np.ndarray:
    """Divide `amount` so that `have` becomes as even as possible; what is left goes where `totals` are smallest."""
    low, high = int(have.min()), int(have.max()) + amount
    while low < high:  # the highest level to which all can be filled
        middle = (low + high + 1) // 2
        low, high = (middle, high) if np.maximum(middle - have, 0).sum() <= amount else (low, middle - 1)
    given = np.maximum(low - have, 0)
    lowest = np.flatnonzero(have + given == low)
    by_total = lowest[np.argsort((totals + given)[lowest], kind="stable")]
    given[by_total[: amount - int(given.sum())]] += 1
    return given


def _check_classes(y: np.ndarray, made: list[Fold]) -> None:
    for k, fold in enumerate(made):
        missing = np.setdiff1d(y, y[fold.train])
        if len(missing):
            raise InputError(
                f"folds: no training example of class {missing[0]} in fold {k}; each fold needs some of every class: "
                "two examples, in two groups, and with times one in the first block"
            )
