import csv

import pyarrow as pa
import pyarrow.parquet
import pytest

from regjax.cli.prediction_file import ENDINGS, PredictionFile

COLUMNS = {"id": ["a", "b,c", "d\ne"], "prediction": ["x", 'y"z', ""], "probability": [0.25, 1.0, 1e-6]}


def written(path, *pieces):
    with PredictionFile(path) as file:
        for piece in pieces:
            file.write(piece)
    return path


def test_both_kinds_of_files_hold_the_same(tmp_path):
    pieces = [{name: cells[a:b] for name, cells in COLUMNS.items()} for a, b in ((0, 2), (2, 3))]
    with written(tmp_path / "p.csv", *pieces).open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [[row["id"], row["prediction"], float(row["probability"])] for row in rows] == [
        list(row) for row in zip(*COLUMNS.values(), strict=True)
    ]
    assert pyarrow.parquet.read_table(written(tmp_path / "p.parquet", *pieces)).to_pydict() == COLUMNS
    assert sorted(path.name for path in tmp_path.iterdir()) == ["p.csv", "p.parquet"]


def test_one_piece_makes_the_parquet_file_of_arrow(tmp_path):
    pyarrow.parquet.write_table(pa.table(COLUMNS), tmp_path / "arrow.parquet")
    assert written(tmp_path / "p.parquet", COLUMNS).read_bytes() == (tmp_path / "arrow.parquet").read_bytes()


def interrupted(path, error):
    with PredictionFile(path) as file:
        file.write(COLUMNS)
        raise error


@pytest.mark.parametrize("ending", ENDINGS)
def test_an_error_leaves_no_file_and_an_older_one_as_it_was(tmp_path, ending):
    path = tmp_path / f"p{ending}"
    with pytest.raises(KeyboardInterrupt):
        interrupted(path, KeyboardInterrupt)
    assert list(tmp_path.iterdir()) == []
    path.write_text("older")
    with pytest.raises(ZeroDivisionError):
        interrupted(path, ZeroDivisionError)
    assert path.read_text() == "older"
    assert list(tmp_path.iterdir()) == [path]
