"""The command predict: what it refuses, and the lines that it writes."""

import json

import numpy as np
import pyarrow.parquet
import pytest
from sklearn.metrics import precision_score, recall_score

from regjax.cli import predict
from regjax.cli.flags import FlagError
from regjax.cli.predict import Config
from regjax.data.tables import text
from tests.cli.shared import read_csv

VALIDATION_COLUMNS = ("prediction", "low", "high", "target")


@pytest.mark.slow
def test_regression_and_csv(run, tmp_path):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 3))
    rows = np.column_stack([x, 5 * x[:, 0] + 100 + 0.1 * rng.normal(size=200)])
    np.savetxt(tmp_path / "d.csv", rows, delimiter=",", header="a,b,c,price", comments="")
    flags = ["--dataset=d.csv", "--target=price", "--model=linear", "--epochs=60", "--learning_rate=0.05"]
    run("train", *flags, "--workdir=w")
    summary = json.loads((tmp_path / "w/summary.json").read_text())
    assert summary["test/r2"] > 0.98
    assert summary["test/mse"] < 1.0
    run("predict", "--workdir=w", "--input=d.csv", "--output=p.csv")
    predicted = [float(row["prediction"]) for row in read_csv(tmp_path / "p.csv")]
    assert np.corrcoef(predicted, rows[:, 3])[0, 1] > 0.99

    run("predict", "--workdir=w", "--input=validation", "--interval=0.8", "--output=v.csv")
    found = {name: [float(row[name]) for row in read_csv(tmp_path / "v.csv")] for name in VALIDATION_COLUMNS}
    errors = np.sort(np.abs(np.subtract(found["prediction"], found["target"])))
    half = errors[int(np.ceil(0.8 * (len(errors) + 1))) - 1]
    np.testing.assert_allclose(np.subtract(found["high"], found["prediction"]), half, rtol=1e-3)
    np.testing.assert_allclose(np.subtract(found["prediction"], found["low"]), half, rtol=1e-3)
    run("predict", "--workdir=w", "--input=d.csv", "--interval=0", "--output=q.csv")
    assert list(read_csv(tmp_path / "q.csv")[0]) == ["id", "prediction"]
    (tmp_path / "w/validation.npz").unlink()
    out = run("predict", "--workdir=w", "--input=d.csv", "--output=r.csv")
    assert "no interval: the run keeps no predictions" in out.stderr
    assert (tmp_path / "r.csv").read_bytes() == (tmp_path / "q.csv").read_bytes()


@pytest.mark.slow
def test_a_threshold_gives_what_was_asked_for_on_validation_examples(run, tmp_path):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 2))
    np.savez(tmp_path / "d.npz", x=x, y=np.where(x[:, 0] + rng.normal(size=400) > 0.5, "yes", "no"))
    run("train", "--dataset=d.npz", "--epochs=2", "--widths=8", "--workdir=w")

    def predicted(*flags):
        out = run("predict", "--workdir=w", "--input=validation", "--output=p.csv", "--overwrite", *flags)
        rows = read_csv(tmp_path / "p.csv")
        return out.stdout, *(np.array([row[name] == "yes" for row in rows]) for name in ("prediction", "target"))

    out, found, truth = predicted("--precision=0.8")
    precision, recall = precision_score(truth, found), recall_score(truth, found)
    assert precision >= 0.8
    assert f"precision {precision:.3f}, recall {recall:.3f} on {len(truth)} validation examples" in out
    cost = {}
    for flags in ((), ("--cost=5:1",)):
        out, found, truth = predicted(*flags)
        cost[flags] = np.mean(5 * (truth & ~found) + 1 * (found & ~truth))
    assert cost[("--cost=5:1",)] < cost[()]
    assert f"cost {cost[('--cost=5:1',)]:.4g} an example, {cost[()]:.4g} with threshold 0.5" in out


@pytest.fixture
def trained(tmp_path):
    """What looks like a trained run from outside."""
    (tmp_path / "w" / "checkpoints").mkdir(parents=True)
    (tmp_path / "w" / "preprocess.json").write_text("{}")
    (tmp_path / "w" / "config.json").write_text(json.dumps({"experiment": "train", "flags": {}}))
    return tmp_path / "w"


@pytest.mark.parametrize(
    ("missing", "options", "message"),
    [
        ("preprocess.json", {"input": "test", "output": "p.csv"}, "workdir.*preprocess.json is missing"),
        ("config.json", {"input": "test", "output": "p.csv"}, "workdir.*config.json is missing"),
        (None, {"output": "p.csv"}, "input.*is needed: .*train, validation, test"),
        (None, {"input": "test"}, "output.*is needed"),
        (None, {"input": "test", "output": "w"}, "output.*is a directory"),
        (None, {"input": "test", "output": "w/config.json"}, "output.*exists; use --overwrite"),
        (None, {"input": "test", "output": "no/p.csv"}, "output.*its directory does not exist"),
    ],
)
def test_what_cannot_be_predicted_is_refused_at_once(trained, monkeypatch, missing, options, message):
    monkeypatch.chdir(trained.parent)
    if missing:
        (trained / missing).unlink()
    with pytest.raises(FlagError, match=message):
        predict.main(Config(workdir="w", **options))


@pytest.mark.slow
def test_pieces_are_predicted_as_the_whole_and_an_error_in_the_last_leaves_no_file(run, tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    lines = [
        f"{x:.3f},{['Rome', 'Oslo'][i % 2]},{'yes' if x > 0 else 'no'}" for i, x in enumerate(rng.normal(size=120))
    ]
    (tmp_path / "d.csv").write_text("\n".join(["x,city,target", *lines]))
    run("train", "--dataset=d.csv", "--epochs=1", "--widths=8", "--dropout=0.5", "--workdir=w")
    monkeypatch.chdir(tmp_path)

    def predicted(output, **options):
        predict.main(Config(workdir="w", input="d.csv", output=output, batch_size=16, mc_samples=2, **options))
        return (tmp_path / output).read_bytes()

    whole = {ending: predicted(f"whole{ending}") for ending in (".csv", ".parquet")}
    monkeypatch.setattr(text, "PART_BYTES", 300)
    assert predicted("pieces.csv") == whole[".csv"]
    predicted("pieces.parquet")
    assert pyarrow.parquet.ParquetFile("pieces.parquet").num_row_groups > 2
    tables = [pyarrow.parquet.read_table(name) for name in ("pieces.parquet", "whole.parquet")]
    assert tables[0].equals(tables[1])
    with (tmp_path / "d.csv").open("a") as file:
        file.write("\nsoon,Rome,yes\n")
    with pytest.raises(FlagError, match=r"d\.csv: row 122, column 'x': 'soon' is not a number"):
        predicted("bad.csv")
    with pytest.raises(FlagError, match="row 122"):
        predicted("pieces.csv", overwrite=True)
    assert (tmp_path / "pieces.csv").read_bytes() == whole[".csv"]
    assert not list(tmp_path.glob("bad*"))
