"""Seeded, stratified splits and nested training subsets.

All results are pure functions of their seeds (see `regjax.data.keyed_random`) and the same on every machine.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from regjax.catalog import TASKS
from regjax.core.checks import check_choice, check_range
from regjax.core.errors import InputError
from regjax.data import grouping, keyed_random
from regjax.data.dataset import Dataset
from regjax.data.image_rule import ImageRule
from regjax.data.tables.schema import Schema
from regjax.data.targets import check_varied


@dataclass(frozen=True, eq=False)
class Splits:
    """A dataset that is split into four disjoint parts, with its metadata.

    `stop` is used for early stopping inside runs, `select` to choose between settings, and `test` only once.

    Attributes:
      x_train: the training set, `[N, H, W, C]` or `[N, F]`, not standardized; `Rows` if the dataset was loaded with
        `lazy=True`.
      y_train: `int32[N]`, or `float32[N]` / `float32[N, D]`; labels of multilabel are `float32[N, K]`, 0 or 1.
      x_stop: like `x_train`, as are the other parts.
      name: name of the dataset.
      task: `"classification"`, `"regression"` or `"multilabel"`.
      kind: `"image"`, `"table"` or `"array"`; see `Dataset.kind`.
      num_classes: number of exclusive classes; 0 for regression and multilabel.
      class_names: names of the classes, or None.
      columns: names of the columns, or None.
      target_names: names of the columns of the targets, or None.
      embedded: whether the dataset is one of `regjax.data.EMBEDDED`.
      official_test: whether the test set is the official one of the dataset.
      indices: positions in `dataset.x` of the examples of each part that was split from it.
      groups: of the same parts, the group of each example, `int64[N]`; empty if the dataset has none.
      schema: that of the table, or None, as `image_rule` is that of images.
      weight_train: `float32[N]`, weights of the training examples in the loss; None weighs all alike.
    """

    x_train: np.ndarray
    y_train: np.ndarray
    x_stop: np.ndarray
    y_stop: np.ndarray
    x_select: np.ndarray
    y_select: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    name: str
    task: str
    kind: str
    num_classes: int
    class_names: tuple[str, ...] | None = None
    columns: tuple[str, ...] | None = None
    embedded: bool = False
    official_test: bool = False
    schema: Schema | None = None
    indices: dict[str, np.ndarray] = field(default_factory=dict)
    image_rule: ImageRule | None = None
    weight_train: np.ndarray | None = None
    groups: dict[str, np.ndarray] = field(default_factory=dict)
    target_names: tuple[str, ...] | None = None

    def independent(self, part: str, most: int | None = None) -> int:
        """The effective number of independent examples among the first `most` of a part: of groups, or examples."""
        groups = self.groups.get(part)
        return len(getattr(self, f"y_{part}")[:most]) if groups is None else grouping.effective_number(groups[:most])

    @property
    def num_outputs(self) -> int:
        """The number of outputs that a model for these data needs."""
        numbers = 1 if self.y_train.ndim == 1 else self.y_train.shape[1]
        return self.num_classes if self.task == "classification" else int(numbers)

    @property
    def targets(self) -> tuple[str, ...]:
        """The names of several targets, which are numbered if they have none; empty if there is one."""
        if self.y_train.ndim == 1 or self.y_train.shape[1] == 1:
            return ()
        one = "label" if self.task == "multilabel" else "target"
        return self.target_names or tuple(f"{one} {i}" for i in range(self.y_train.shape[1]))

    def check_targets(self) -> None:
        """Check that a classification has at least two classes, and that other targets differ.

        Raises:
          InputError: names the dataset.
        """
        if self.task == "classification" and self.num_classes < 2:
            raise InputError(f"{self.name}: all labels are the same; classification needs at least 2 classes")
        if self.task != "classification":
            check_varied(self.name, self.y_train, self.target_names)

    @property
    def sizes(self) -> dict[str, int]:
        """Number of examples of each part."""
        return {part: len(getattr(self, f"y_{part}")) for part in ("train", "stop", "select", "test")}


def split(dataset: Dataset, *, seed: int = 0, test_fraction: float = 0.2, validation_fraction: float = 0.2) -> Splits:
    """Split a dataset into the parts train, stop, select and test.

    The test and validation sets have `ceil(fraction * N)` examples each. The validation set is divided into two halves,
    `stop` (the larger one if they differ) and `select`. Splits are stratified: classes are divided proportionally, with
    the largest-remainder method. Every class with at least 4 examples is in every part, and every class is in train.
    Of several labels an example, the rarest one that it has counts as its class.
    Of a dataset with groups, these are divided in this way, by their most frequent class, and stay whole; to give all
    splits parts of the same sizes, a few examples may be in no part. Of one with times, the latest examples are the
    test set, those before them the validation set (its halves in this order, too), and the rest is for training,
    whatever the seed.

    Args:
      dataset: the dataset. Its official test and validation splits are used unchanged, if it has them.
      seed: determines the split.
      test_fraction: fraction of the examples; ignored if there is an official test split.
      validation_fraction: fraction of the examples (without an official test split); ignored if there is an official
        validation split.

    Returns:
      The parts, each in random order.

    Raises:
      InputError: the fractions leave no training examples, or a class has no training example.

    Example:
      >>> y = np.arange(20, dtype=np.int32) % 2
      >>> data = Dataset("toy", "classification", np.zeros((20, 1), np.float32), y)
      >>> split(data).sizes
      {'train': 12, 'stop': 2, 'select': 2, 'test': 4}
    """
    for option, fraction in (("test_fraction", test_fraction), ("validation_fraction", validation_fraction)):
        try:
            check_range(f"split: {option}", fraction, 0.0, 1.0, low_open=True, high_open=True)
        except ValueError as error:
            raise InputError(str(error)) from None
    official, given = dataset.test is not None, dataset.validation
    if given is not None and len(given[1]) < 2:
        raise InputError(f"{dataset.name}: the validation split has {len(given[1])} example, at least 2 are needed")
    fractions = (0.0 if official else test_fraction, 0.0 if given is not None else validation_fraction)
    labels = strata(dataset.y, dataset.task)
    train, validation, test = _parts(dataset, labels, *fractions, seed)
    missing = np.setdiff1d(np.arange(dataset.num_classes), labels[train])
    if len(missing):
        names = dataset.class_names or tuple(map(str, range(dataset.num_classes)))
        shown = ", ".join(repr(names[i]) for i in missing[:8]) + (", ..." if len(missing) > 8 else "")
        raise InputError(f"{dataset.name}: labels missing from train: {shown}; each class needs an example there")
    source = (dataset.x, dataset.y)
    if given is None:
        stop, select = validation
    else:
        source, order = given, keyed_random.order(len(given[1]), "split", seed)
        stop, select = _cut(order, strata(given[1], dataset.task), len(order) - len(order) // 2, share=1, keep=1)
    indices = {"train": train} | ({} if official else {"test": test})
    indices |= {} if given is not None else {"stop": stop, "select": select}
    x_test, y_test = dataset.test if dataset.test is not None else (dataset.x[test], dataset.y[test])
    return Splits(
        x_train=dataset.x[train],
        y_train=dataset.y[train],
        x_stop=source[0][stop],
        y_stop=source[1][stop],
        x_select=source[0][select],
        y_select=source[1][select],
        x_test=x_test,
        y_test=y_test,
        name=dataset.name,
        task=dataset.task,
        kind=dataset.kind,
        num_classes=dataset.num_classes,
        class_names=dataset.class_names,
        columns=dataset.columns,
        target_names=dataset.target_names,
        embedded=dataset.embedded,
        official_test=official,
        schema=dataset.schema,
        indices=indices,
        image_rule=dataset.image_rule,
        weight_train=None if dataset.weights is None else dataset.weights[train],
        groups={} if dataset.groups is None else {part: dataset.groups[own] for part, own in indices.items()},
    )


def _parts(
    dataset: Dataset, labels: np.ndarray, test_fraction: float, validation_fraction: float, seed: int
) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray], np.ndarray]:
    """The positions of the training set, of both halves of the validation set, and of the test set."""
    total = len(labels)
    n_test, n_validation = _ceil(test_fraction * total), _ceil(validation_fraction * total)
    if (validation_fraction and n_validation < 2) or total - n_test - n_validation < 1:
        raise InputError(
            f"{dataset.name}: {total} examples cannot be cut into {n_test} for test, {n_validation} for validation (at "
            "least 2) and at least 1 for training; use more examples, or other fractions (test_fraction, "
            "validation_fraction)"
        )
    half = n_validation - n_validation // 2
    if dataset.times is not None:
        ends = np.cumsum([total - n_test - n_validation, half, n_validation // 2])
        train, stop, select, test = np.split(np.argsort(dataset.times, kind="stable"), ends)
        return train, (stop, select), test
    if dataset.groups is not None and len(np.unique(dataset.groups)) < total:
        return _parts_of_groups(dataset.name, dataset.groups, labels, (n_test, half, n_validation - half), seed)
    rest = keyed_random.order(total, "split", seed)
    test, rest = _cut(rest, labels, n_test, share=1, keep=1)
    validation, train = _cut(rest, labels, n_validation, share=2, keep=1)
    stop, select = _cut(validation, labels, half, share=1, keep=1)
    return train, (stop, select), test


def _parts_of_groups(
    name: str, groups: np.ndarray, labels: np.ndarray, sizes: tuple[int, int, int], seed: int
) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray], np.ndarray]:
    """Like `_parts`, without dividing a group, in parts of the same sizes for every seed.

    Groups are taken in random order if they fit. If none fits, a part of one completes the set, and the rest of it is
    in no part; so that training sets have the same size too, some of their examples are left out then.
    """
    members = grouping.Members(groups)
    majority = grouping.majority_labels(groups, labels)
    rest = keyed_random.order(len(members.counts), "split", seed)
    parts = []
    for size in sizes:
        of_class = np.bincount(majority[rest], weights=members.counts[rest]).astype(np.int64)
        taken = np.zeros(0, np.int64)
        if of_class.sum() > size:
            taken, rest = members.fill(rest, majority, _allot(of_class, size, share=1, keep=1))
        if len(taken) < size:
            raise InputError(f"{name}: the groups are too large for a part of {size} examples; use other fractions")
        parts.append(taken)
    train = members.of(rest)
    wanted = len(labels) - sum(sizes) - members.most_left_out(len(sizes))
    if wanted < 1 or len(train) < wanted:
        raise InputError(f"{name}: the groups are too large for {len(labels)} examples; use other fractions or groups")
    test, stop, select = parts
    return train[:wanted], (stop, select), test


def _ceil(value: float) -> int:
    return math.ceil(value - 1e-9)  # 0.2 * 1795 is 359.00000000000006


def _cut(order: np.ndarray, labels: np.ndarray, size: int, *, share: int, keep: int) -> tuple[np.ndarray, np.ndarray]:
    """Take `size` of the examples in `order`, in proportion to the classes and from the start for each class."""
    own = labels[order]
    counts = np.bincount(own)
    taken = _allot(counts, size, share=share, keep=keep)
    first = grouping.rank_in_class(own) < taken[own]
    return order[first], order[~first]


def _allot(counts: np.ndarray, size: int, *, share: int, keep: int) -> np.ndarray:
    """Divide `size` among classes in proportion to `counts`, with the largest-remainder method.

    A class with enough examples gets at least `share` and keeps at least `keep`, even if its proportional share is
    smaller. Ties go to the lower class.
    """
    total = int(counts.sum())
    if size == 0:
        return np.zeros_like(counts)
    # In integers, the floor and the remainder of the quota counts * size / total are exact.
    product = counts.astype(np.int64) * size
    low = np.minimum(np.where(counts > keep, share, 0), np.maximum(counts - keep, 0))
    high = np.maximum(counts - keep, 0)
    if low.sum() > size or high.sum() < size:  # too few examples for these minimums: only proportional
        low, high = np.zeros_like(counts), counts
    taken = np.clip(product // total, low, high)
    while (lack := size - int(taken.sum())) != 0:
        gap = product - taken * total  # how much each class is below its quota, in units of 1 / total
        can = taken < high if lack > 0 else taken > low
        candidates = np.flatnonzero(can)
        best = candidates[np.argsort(-gap[candidates] if lack > 0 else gap[candidates], kind="stable")]
        taken[best[: abs(lack)]] += 1 if lack > 0 else -1
    return taken


def strata(y: np.ndarray, task: str) -> np.ndarray:
    """The class of each example by which the parts of a split are stratified, `int32[N]`.

    It is the label of a classification, and the same for all examples of a regression. Of several labels, it is the
    rarest one that the example has; examples without a label are a class of their own.

    Example:
      >>> strata(np.array([[1, 1], [1, 0], [0, 0]]), "multilabel")
      array([1, 0, 2], dtype=int32)
    """
    if task == "classification":
        return y
    if task == "regression":
        return np.zeros(len(y), np.int32)
    has = y > 0
    rarest = np.where(has, has.sum(axis=0), np.inf).argmin(axis=1)
    return np.where(has.any(axis=1), rarest, y.shape[1]).astype(np.int32)


def nested_order(y: np.ndarray, seeds: Sequence[int] | int, task: str, *, size: int | None = None) -> np.ndarray:
    """Return, for each seed, an order of the training pool in which every prefix is a stratified subset.

    In every prefix of length m, class k has more than m * p_k - 1 and fewer than m * p_k + 1 examples, where p_k is its
    fraction of the pool. Subsets are nested: `order[s, :128]` is part of `order[s, :256]`.

    Args:
      y: targets of the pool, `int32[N]` labels, numbers, or several labels `[N, K]`.
      seeds: seeds of the S lanes; an integer S means `range(S)`.
      task: `"classification"`; `"multilabel"`, whose classes are those of `strata`; or `"regression"` for plain random
        orders.
      size: length of the prefix to compute, which saves time; None means the whole order.

    Returns:
      `int32[S, N]`, where each row is a permutation of `0..N-1`, or `int32[S, size]`, its prefix.

    Example:
      >>> order = nested_order(np.array([0, 0, 0, 0, 1, 1]), 2, "classification")
      >>> order.shape, int((order[0, :3] >= 4).sum())
      ((2, 6), 1)

    Reference: Tijdeman, The chairman assignment problem, 1980,
      https://doi.org/10.1016/0012-365X(80)90269-1
    """
    check_choice("nested_order: task", task, TASKS)
    seeds = keyed_random.seed_list("nested_order", seeds)
    n = len(y)
    size = n if size is None else size
    if not 0 <= size <= n:
        raise InputError(f"nested_order: size must be in [0, {n}], got {size}")
    shuffled = [keyed_random.order(n, "subset", seed) for seed in seeds]
    if task == "regression" or n == 0:
        return np.asarray(shuffled, np.int32).reshape(len(seeds), n)[:, :size]
    y = np.unique(strata(np.asarray(y), task), return_inverse=True)[1].reshape(-1)
    counts = np.bincount(y)
    ties = np.stack([keyed_random.order(len(counts), "ties", seed) for seed in seeds])
    starts = np.cumsum(counts) - counts
    rows = []
    for members, classes in zip(shuffled, _class_sequence(counts, ties, size), strict=True):
        # The j-th occurrence of class k is filled with the j-th shuffled example of class k.
        by_class = members[np.argsort(y[members], kind="stable")]
        rows.append(by_class[starts[classes] + grouping.rank_in_class(classes)])
    return np.asarray(rows, np.int32)


def training_rows(y: np.ndarray, seed: int, task: str, size: int) -> np.ndarray | None:
    """Return the positions of the examples of `nested_order(y, [seed], task)[0, :size]`, ascending; None for all.

    Everything that is fitted to data before training, such as a standardization, is fitted to these alone.

    Example:
      >>> rows = training_rows(np.array([0, 0, 0, 0, 1, 1]), 0, "classification", 3)
      >>> len(rows), training_rows(np.array([0, 1]), 0, "classification", 2)
      (3, None)
    """
    if size == len(y):
        return None
    return np.sort(nested_order(y, [seed], task, size=size)[0])


def _class_sequence(counts: np.ndarray, ties: np.ndarray, size: int) -> np.ndarray:
    """Order classes such that the class counts of every prefix differ by less than one from proportional, `[S, size]`.

    The j-th example (from 0) of class k may be placed once `n * p_k > j` and must be placed by `n * p_k >= j + 1`.
    Placing the earliest deadline first meets all deadlines. `ties[S, K]` are ranks that break ties.
    """
    total, lanes = int(counts.sum()), np.arange(len(ties))
    out = np.empty((len(ties), size), np.int64)
    placed = np.zeros(ties.shape, np.int64)
    never = np.iinfo(np.int64).max
    deadline = np.broadcast_to(-(-total // counts), ties.shape) * len(counts) + ties
    for n in range(1, size + 1):
        allowed = placed * total < counts * n
        chosen = np.where(allowed, deadline, never).argmin(axis=1)
        out[:, n - 1] = chosen
        placed[lanes, chosen] += 1
        due = -(-(placed[lanes, chosen] + 1) * total // counts[chosen])
        deadline[lanes, chosen] = due * len(counts) + ties[lanes, chosen]
    return out
