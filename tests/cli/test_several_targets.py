"""Several numeric targets of one table, through the commands."""

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import mean_squared_error, r2_score

pytestmark = pytest.mark.slow

FLAGS = ["--dataset=shop.csv", "--target=price,weight", "--widths=16", "--learning_rate=0.01"]


@pytest.fixture
def shop(tmp_path):
    """Prices in thousands and weights below one, which depend on different columns; two rows lack a target."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(160, 3)).round(3)
    frame = pd.DataFrame(x, columns=["a", "b", "c"])
    frame["price"] = 3000 + 800 * x[:, 0] + 50 * rng.normal(size=160)
    frame["weight"] = 0.5 + 0.1 * x[:, 1] + 0.03 * rng.normal(size=160)
    frame.loc[3, "price"] = np.nan
    frame.loc[5, "weight"] = np.nan
    frame.to_csv(tmp_path / "shop.csv", index=False)
    return frame


def test_from_a_table_to_a_column_for_each_target(run, tmp_path, shop):
    out = run("train", *FLAGS, "--epochs=60", "--workdir=w")
    assert "2 rows in which one of the 2 targets is missing are left out" in out.stderr
    assert "test r2 of each target: price 0.9" in out.stdout
    run("predict", "--workdir=w", "--input=test", "--output=test.csv")
    found, summary = pd.read_csv(tmp_path / "test.csv"), json.loads((tmp_path / "w/summary.json").read_text())
    kinds = ("", "_low", "_high", "_target")
    assert list(found) == ["id", *(name + kind for kind in kinds for name in ("price", "weight"))]
    truth, guess = found[["price_target", "weight_target"]].to_numpy(), found[["price", "weight"]].to_numpy()
    assert summary["test/r2"] == pytest.approx(r2_score(truth, guess), abs=1e-4)
    assert summary["test/mse"] == pytest.approx(mean_squared_error(truth, guess), rel=1e-3)
    for d, name in enumerate(("price", "weight")):
        assert summary[f"test/{name}/r2"] == pytest.approx(r2_score(truth[:, d], guess[:, d]), abs=1e-4)
        assert summary[f"test/{name}/r2"] > 0.8
    run("predict", "--workdir=w", "--input=shop.csv", "--output=all.csv")  # rows without a target are predicted, too
    every = pd.read_csv(tmp_path / "all.csv")
    assert len(every) == 160
    assert (every["price_low"] < every["price"]).all()
    assert json.loads((tmp_path / "w/preprocess.json").read_text())["targets"] == ["price", "weight"]
    run("export", "--workdir=w", "--output=exported")
    assert json.loads((tmp_path / "exported/manifest.json").read_text())["targets"] == ["price", "weight"]


def test_a_comparison_shows_each_target(run, tmp_path, shop):
    grid = ["--techniques=l2", "--grid=l2=0.01", "--seeds=2"]
    run("compare", *FLAGS, "--epochs=20", *grid, "--workdir=c")
    content = json.loads((tmp_path / "c/results.json").read_text())
    assert content["settings"]["targets"] == ["price", "weight"]
    assert [one["name"] for one in content["details"]["baseline"]["targets"]] == ["price", "weight"]
    assert set(content["references"]) == {"constant guess", "linear model", "gradient boosting"}
    assert content["references"]["linear model"]["r2"] > 0.8
    each = [one["r2"] for one in content["details"]["baseline"]["targets"]]
    assert content["baseline"]["test"]["mean"] == pytest.approx(np.mean(each), abs=1e-3)
    page = (tmp_path / "c/report.html").read_text()
    assert "Test results by target" in page
    assert "R² is the mean of theirs" in page
    run("predict", "--workdir=c", "--input=shop.csv", "--output=p.csv")
    assert list(pd.read_csv(tmp_path / "p.csv"))[:3] == ["id", "price", "weight"]
    out = run("train", *FLAGS, "--task=classification", "--workdir=x", code=2)
    assert "got 2 (price, weight) that are not one-hot" in out.stderr
