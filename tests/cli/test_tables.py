"""A table as people have it, through the commands: from the file to predictions for new rows."""

import json

import numpy as np
import pandas as pd
import pytest

from tests.cli.shared import read_csv

pytestmark = pytest.mark.slow

SMALL = ["--epochs=5", "--widths=8"]


@pytest.fixture
def shop(tmp_path):
    """A table with text, a date, an id and missing cells, in which bigger baskets and Rome buy."""
    rng = np.random.default_rng(0)
    n = 90
    frame = pd.DataFrame(
        {
            "customer_id": [f"c{i}" for i in range(n)],
            "basket": np.where(rng.random(n) < 0.2, np.nan, rng.normal(size=n).round(3)),
            "city": rng.choice(["Rome", "Oslo", "Köln"], n),
            "since": pd.date_range("2020-01-01", periods=n, freq="7D").strftime("%Y-%m-%d"),
            "shop": rng.integers(0, 20, n),
        }
    )
    frame["buys"] = np.where(frame["basket"].fillna(0) + 2 * (frame["city"] == "Rome") > 0.8, "yes", "no")
    frame.to_csv(tmp_path / "shop.csv", index=False, sep=";", decimal=",")
    return frame


def test_from_a_table_to_predictions_for_other_rows(run, tmp_path, shop):
    out = run("train", "--dataset=shop.csv", "--target=buys", "--dates=since", "--workdir=w", *SMALL)
    assert "cells are separated by semicolons" in out.stderr
    assert "customer_id" in out.stderr
    new = shop.iloc[:6].assign(city=["Rome", "Lima", None, "Oslo", "Rome", "Lima"], more="text").drop(columns="buys")
    new[list(reversed(new.columns))].to_csv(tmp_path / "new.csv", index=False)
    out = run("predict", "--workdir=w", "--input=new.csv", "--output=p.csv")
    assert "city: 2 rows with a level that training did not have, as 'Lima', 1 missing" in out.stderr
    assert "columns that are not read: more" in out.stderr
    rows = read_csv(tmp_path / "p.csv")
    assert [row["id"] for row in rows] == new["customer_id"].tolist()
    assert list(rows[0]) == ["id", "prediction", "probability", "probability_no", "probability_yes"]
    assert all(abs(float(row["probability_no"]) + float(row["probability_yes"]) - 1) < 1e-5 for row in rows)
    assert len({row["probability_yes"] for row in rows}) > 1


def test_a_comparison_by_time_has_one_split_and_tests_the_latest_rows(run, tmp_path, shop):
    flags = ["--dataset=shop.csv", "--target=buys", "--time=since", "--techniques=l2", "--grid=l2=0.01", "--seeds=2"]
    run("compare", *flags, "--workdir=c", *SMALL)
    content = json.loads((tmp_path / "c/results.json").read_text())
    assert content["splits"] == 1
    with np.load(tmp_path / "c/predictions.npz") as kept:
        assert set(np.asarray(kept["rows"]).reshape(-1).tolist()) == set(range(72, 90))
    out = run("compare", *flags, "--splits=2", "--workdir=d", *SMALL, code=2)
    assert "data with times are cut in one way only" in out.stderr


def test_all_that_is_wrong_with_the_columns_is_said_at_once(run, tmp_path, shop):
    out = run("train", "--dataset=shop.csv", "--target=buy", "--workdir=w", *SMALL, code=2)
    assert "no target column 'buy' (did you mean 'buys'?)" in out.stderr
    assert "--target=COLUMN" in out.stderr
    bad = shop.assign(size=["1.5"] * 80 + ["big"] * 10, note=[f"a note of six words or {i}" for i in range(90)])
    bad.to_csv(tmp_path / "bad.csv", index=False)
    out = run("train", "--dataset=bad.csv", "--target=buys", "--workdir=w", *SMALL, code=2)
    assert "'big' is not a number" in out.stderr
    assert "'note' is free text" in out.stderr
    run("train", "--dataset=bad.csv", "--target=buys", "--numeric=size", "--ignore=note", "--workdir=w", *SMALL)
