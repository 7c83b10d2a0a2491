"""Which examples belong together, so that a split must not divide them: groups, and exact duplicates."""

from __future__ import annotations

import dataclasses
import hashlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from regjax.core.errors import InputError
from regjax.data import keyed_random
from regjax.data.dataset import Dataset
from regjax.data.source import slices

FEWEST_DISTINCT = 0.2
"""With a smaller share of distinct examples, equal ones are not copies: there are few possible examples, as in a table
of a few categories."""


MAX_COMPARED_BYTES = 2 * 2**30
"""Larger sets are not searched for duplicates."""


def group_numbers(values: Any) -> np.ndarray:
    """Number the groups in the order of their first example, `int64[N]`.

    Example:
      >>> group_numbers(["b", "a", "b"]).tolist()
      [0, 1, 0]
    """
    _, first, inverse = np.unique(np.asarray(values), return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[inverse.reshape(-1)]


def duplicates(x: Any) -> np.ndarray:
    """Number the distinct examples, `int64[N]`; equal ones have the same number.

    Random 64-bit sums of the bytes are compared, so that two of a million different examples are taken for equal with a
    probability of about 3e-8.

    Args:
      x: examples `[N, ...]`, in memory or `Rows`.

    Example:
      >>> duplicates(np.array([[1.0, 2.0], [3.0, 4.0], [1.0, 2.0]], np.float32)).tolist()
      [0, 1, 0]
    """
    sums = np.concatenate([_sums(part) for part in slices(x)])
    keys = sums[:, 0] ^ (sums[:, 1] << np.uint64(1))
    ordered = np.sort(keys)
    # Mostly all are distinct, which sorting alone shows.
    return group_numbers(keys) if (ordered[1:] == ordered[:-1]).any() else np.arange(len(keys))


def _sums(x: np.ndarray) -> np.ndarray:
    flat = np.ascontiguousarray(x).reshape(len(x), -1).view(np.uint8)
    # Eight bytes at a time, so that the pixels of images need no more memory than they have.
    words = np.pad(flat, ((0, 0), (0, -flat.shape[1] % 8))).view(np.uint64)
    weights = np.stack([keyed_random.bits(words.shape[1], "duplicates", k) for k in (0, 1)], axis=1)
    mixed = (words + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    mixed ^= mixed >> np.uint64(29)
    return mixed @ (weights | np.uint64(1))


def duplicate_files(files: Sequence[Path]) -> np.ndarray:
    """Number the distinct contents of files, `int64[N]`; only files of the same size are read."""
    sizes = [file.stat().st_size for file in files]
    several = Counter(sizes)
    return group_numbers(
        [
            f"{size} {hashlib.sha256(file.read_bytes()).hexdigest() if several[size] > 1 else i}"
            for i, (file, size) in enumerate(zip(files, sizes, strict=True))
        ]
    )


def with_duplicates_together(
    data: Dataset, files: Sequence[Path] | None = None, rows: np.ndarray | None = None
) -> Dataset:
    """Return the dataset with exact duplicates as groups and a note that counts them; unchanged if there are none.

    Groups that a dataset has are kept, and examples of more than `MAX_COMPARED_BYTES` in all are not compared.

    Args:
      data: the dataset.
      files: the file of each example, if each has one; then these are compared, and no example is read.
      rows: the number of each example in its file, for the note.
    """
    size = int(np.prod(data.x.shape)) * data.x.dtype.itemsize
    if data.groups is not None or data.times is not None or (files is None and size > MAX_COMPARED_BYTES):
        return data
    numbers = duplicates(data.x) if files is None else duplicate_files(files)
    distinct = int(numbers.max()) + 1
    copies = len(data) - distinct
    if not copies:
        return data
    repeated = int(np.flatnonzero(np.bincount(numbers) > 1)[0])
    pair = np.flatnonzero(numbers == repeated)[:2]
    names = [f"example {i}" for i in pair] if rows is None else [f"row {rows[i]}" for i in pair]
    note = f"{copies} of {len(data)} examples are exact duplicates, such as {names[1]} of {names[0]}"
    if distinct < FEWEST_DISTINCT * len(data):
        note += f"; only {distinct} distinct ones are possible, it seems, so they are split as others"
        return dataclasses.replace(data, notes=(*data.notes, note))
    note += "; duplicates stay in one part, so that none is tested that was trained on"
    return dataclasses.replace(data, notes=(*data.notes, note), groups=numbers)


def check_groups(name: str, groups: Any, total: int) -> np.ndarray:
    """Return the group numbers of given groups.

    Raises:
      InputError: there is not one group for each example.
    """
    made = group_numbers(groups)
    if len(made) != total:
        raise InputError(f"{name}: {len(made)} groups for {total} examples")
    return made


def check_times(name: str, times: Any, total: int) -> np.ndarray:
    """Return times as `float64[N]`.

    Raises:
      InputError: there is not one finite number or date for each example.
    """
    made = np.asarray(times)
    if made.dtype.kind == "M":
        made = made.astype("datetime64[s]").astype(np.int64)
    if made.shape != (total,) or made.dtype.kind not in "iuf" or not np.isfinite(made).all():
        raise InputError(f"{name}: times must be {total} finite numbers or dates, got {made.dtype}{list(made.shape)}")
    return made.astype(np.float64)


def check_weights(name: str, weights: Any, total: int) -> np.ndarray:
    """Return weights as `float32[N]`, whose mean is 1.

    Raises:
      InputError: there is not one finite number >= 0 for each example, or all are 0.
    """
    made = np.asarray(weights)
    numbers = made.shape == (total,) and made.dtype.kind in "iuf"
    if not numbers or not np.isfinite(made).all() or made.min() < 0 or not made.any():
        raise InputError(
            f"{name}: weights must be {total} finite numbers >= 0, not all 0; got {made.dtype}{list(made.shape)}"
            + (f" from {made.min():g} to {made.max():g}" if numbers else "")
        )
    return (made / made.mean(dtype=np.float64)).astype(np.float32)


def majority_labels(groups: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the most frequent label of each group; ties go to the lower one.

    Example:
      >>> majority_labels(np.array([0, 0, 0, 1]), np.array([1, 2, 2, 0])).tolist()
      [2, 0]
    """
    classes = int(labels.max()) + 1
    counts = np.bincount(groups * classes + labels, minlength=(int(groups.max()) + 1) * classes)
    return counts.reshape(-1, classes).argmax(axis=1)


def effective_number(groups: np.ndarray) -> int:
    """Return how many groups of one size tell as much, `N^2 / sum of size^2`, rounded down; that of examples is `N`.

    It counts the examples of a group as one, as if all had the same answer and the same error (Kish).

    Example:
      >>> effective_number(np.array([0, 0, 1, 1])), effective_number(np.array([0, 0, 0, 1]))
      (2, 1)

    Reference:
      Kish, Survey sampling, 1965.
    """
    sizes = np.unique(groups, return_counts=True)[1].astype(np.float64)
    return max(1, int(sizes.sum() ** 2 / max(float(np.square(sizes).sum()), 1.0) + 1e-9))


def rank_in_class(labels: np.ndarray) -> np.ndarray:
    """Count, for each example, the earlier examples with the same label, `int64[N]`.

    Example:
      >>> rank_in_class(np.array([1, 0, 1, 1])).tolist()
      [0, 0, 1, 2]
    """
    by_class = np.argsort(labels, kind="stable")
    counts = np.bincount(labels)
    starts = np.cumsum(counts) - counts
    rank = np.empty(len(labels), np.int64)
    rank[by_class] = np.arange(len(labels)) - np.repeat(starts, counts)
    return rank


class Members:
    """The examples of each group.

    Args:
      groups: the number of the group of each example, `int64[N]`.

    Attributes:
      counts: the size of each group.

    Example:
      >>> found = Members(np.array([0, 1, 0, 2]))
      >>> found.counts.tolist(), found.of(np.array([2, 0])).tolist()
      ([2, 1, 1], [3, 0, 2])
    """

    def __init__(self, groups: np.ndarray):
        self.counts = np.bincount(groups)
        self._by_group = np.argsort(groups, kind="stable")
        self._starts = np.cumsum(self.counts) - self.counts

    def of(self, chosen: np.ndarray) -> np.ndarray:
        """Return the examples of the chosen groups, group by group."""
        parts = [self._by_group[self._starts[group] :][: self.counts[group]] for group in chosen]
        return np.concatenate(parts) if parts else np.zeros(0, np.int64)

    def fill(self, order: np.ndarray, labels: np.ndarray, quota: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Take groups for a set of `quota.sum()` examples.

        A group is taken if its class still needs that many examples; then any group that fits; if none does, the
        smallest one is cut, and its other examples are lost.

        Args:
          order: the groups, in the order in which they are considered.
          labels: the class of each group.
          quota: how many examples of each class there should be.

        Returns:
          `(examples, groups)`: those of the set, fewer if there are not enough, and the groups that are left.
        """
        need, taken = quota.astype(np.int64).tolist(), np.zeros(len(self.counts), bool)
        for group in order.tolist():
            if self.counts[group] <= need[labels[group]]:
                taken[group] = True
                need[labels[group]] -= int(self.counts[group])
        missing = sum(need)
        for group in order.tolist() if missing else ():
            if not taken[group] and self.counts[group] <= missing:
                taken[group] = True
                missing -= int(self.counts[group])
        examples = self.of(order[taken[order]])
        left = order[~taken[order]]
        if missing and len(left):
            cut = left[np.argmin(self.counts[left])]
            examples, left = np.concatenate([examples, self.of(np.array([cut]))[:missing]]), left[left != cut]
        return examples, left

    def most_left_out(self, sets: int) -> int:
        """Return how many examples may be lost by filling a number of sets: 0 if half are alone in a group."""
        alone = int(np.sum(self.counts == 1))
        return 0 if 2 * alone >= self.counts.sum() else sets * (int(self.counts.max()) - 1)
