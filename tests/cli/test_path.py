"""The command path: what it writes, and what it refuses."""

import json

import numpy as np
import pytest

import regjax as rj
from regjax.cli import app, path, setup
from regjax.cli.flags import FlagError
from regjax.cli.path import Config
from regjax.core.rng import run_key
from tests.cli.shared import read_csv


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "path: give one"),
        ({"path": "learning_rate=0.1,0.2"}, "learning_rate is not off at 0; accepted: l1, l2"),
        ({"path": "l1=1"}, "a path has at least two values"),
        ({"path": "penalty=1,2"}, "penalty multiplies the strengths of --penalty; give one"),
        ({"path": "l3=1,2"}, "'l3' cannot be swept"),
    ],
)
def test_paths_that_are_refused(options, message):
    with pytest.raises(FlagError, match=message):
        path._values(Config(**options))


def test_values_are_sorted():
    assert path._values(Config(path="l2=1,0.01,0.1")) == ("l2", [0.01, 0.1, 1.0])


@pytest.mark.slow
def test_points_are_those_of_the_library_and_a_second_start_trains_nothing(run, tmp_path):
    flags = ["--dataset=wine", "--model=linear", "--epochs=3", "--seeds=2", "--penalty_mode=proximal", "--workdir=w"]
    run("path", "--path=l1=1,0.001,0.1", *flags)
    rows = read_csv(tmp_path / "w/path.csv")
    expected = [(order, seed) for order in ("up", "down", "control") for seed in ("0", "1")]
    assert [(row["order"], row["seed"]) for row in rows[::3]] == expected
    assert [float(row["l1"]) for row in rows[:3]] == [0.001, 0.1, 1.0]
    assert [float(row["l1"]) for row in rows[6:9]] == [1.0, 0.1, 0.001]
    assert [float(row["l1"]) for row in rows[12:15]] == [0.0, 0.0, 0.0]
    assert [row["total_epochs"] for row in rows[12:15]] == ["3", "6", "9"]
    # The second seed from strong to weak, in Python.
    config = Config(dataset="wine", model="linear", epochs=3, penalty_mode="proximal", seed=1)
    loaded = setup.load(config, 0)
    facts, arrays = setup.Facts.of(loaded.splits), setup.train_data(loaded, config, [1])
    hparams = [
        setup.hparams_of(
            Config(**config.to_json() | {"l1": value}),
            facts,
            restore_best=False,
            standardization=loaded.preprocessor.standardization,
        )
        for value in (1.0, 0.1, 0.001)
    ]
    made = rj.path(rj.make_run(setup.make_spec(config, facts)), rj.stack_hparams(hparams), run_key(1), arrays)
    for row, zeros, norm, losses in zip(
        rows[9:12], made.zeros, made.norm, made.result.history.values["val/loss"], strict=True
    ):
        assert float(row["zeros"]) == pytest.approx(float(zeros))
        assert float(row["norm"]) == pytest.approx(float(norm), rel=1e-5)
        assert float(row["val_loss"]) == pytest.approx(float(losses[-1]), rel=1e-5)
    columns = [name for name in rows[0] if name.startswith("norm of ")]
    assert [float(rows[9][name]) for name in columns] == pytest.approx(np.asarray(made.inputs[0]).tolist())
    assert json.loads((tmp_path / "w/results.json").read_text())["columns"] == [name[8:] for name in columns]
    before = (tmp_path / "w/path.csv").stat().st_mtime_ns
    assert "finished" in run("path", "--path=l1=1,0.001,0.1", *flags, "--resume").stdout
    assert (tmp_path / "w/path.csv").stat().st_mtime_ns == before


@pytest.mark.slow
def test_paths_that_are_there_are_not_trained_again(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    given = {"path": "l2=0.1,1", "dataset": "wine", "model": "linear", "epochs": 1, "seeds": 2, "workdir": "w"}
    trained, rows = [], path._rows

    def stop_before_the_third(prepared, one, order, *rest):
        if len(trained) == 2:
            raise RuntimeError("the machine is gone")
        trained.append((order, one.seed))
        return rows(prepared, one, order, *rest)

    monkeypatch.setattr(path, "_rows", stop_before_the_third)
    with pytest.raises(RuntimeError, match="gone"):
        path.main(Config(**given))
    app._finish()
    with pytest.raises(FlagError, match="unfinished run; go on with --resume"):
        path.main(Config(**given))
    monkeypatch.setattr(path, "_rows", lambda *given: trained.append((given[2], given[1].seed)) or rows(*given))
    assert path.main(Config(**given, resume=True)) == 0
    app._finish()
    orders = ("up", "down", "control")
    assert trained == [(order, seed) for order in orders for seed in (0, 1)]
    assert [row["order"] for row in read_csv(tmp_path / "w/path.csv")] == [order for order in orders for _ in range(4)]


@pytest.mark.slow
def test_weights_that_are_not_finite_have_no_share_of_zeros_and_missing_features_are_told_of(run, tmp_path):
    flags = ["--dataset=wine", "--epochs=2", "--seeds=1", "--order=up", "--optimizer=sgd", "--workdir=w"]
    done = run("path", "--path=l2=0.001,0.01", "--learning_rate=1e9", "--widths=13,5", *flags)
    assert [(row["status"], row["zeros"]) for row in read_csv(tmp_path / "w/path.csv")] == [("diverged", "")] * 4
    assert "had a run without a result" in done.stdout
    # With 13 columns, the matrices of both hidden layers have 13 rows.
    assert "no paths of features" in done.stderr
