"""The command compare: what it asks the comparison for, and what it writes."""

import json

import numpy as np
import pytest

import regjax as rj
from regjax.analysis import read_predictions
from regjax.catalog import DEFAULT_TECHNIQUES
from regjax.cli import compare
from regjax.cli.compare import Config
from regjax.cli.flags import FlagError
from tests.cli.shared import SMALL


@pytest.mark.slow
def test_compare_writes_table_report_and_results(run, tmp_path):
    out = run(
        "compare", "--workdir=w", "--seeds=2", *SMALL, "--techniques=early_stopping,l2,l1,combination",
        "--grid=l2=0.01,0.1", "--grid=l1=0.01", "--budget=1h",
    )  # fmt: skip
    assert "technique" in out.stdout
    assert "within the budget: 2 runs of each setting, every strength of each grid" in out.stderr
    results = json.loads((tmp_path / "w/results.json").read_text())
    assert len(results["techniques"]["l2"]["grid"]) == 2
    predictions = read_predictions(tmp_path / "w/predictions.npz")
    assert predictions.seeds.tolist() == [2, 3]  # 0 and 1 chose
    assert list(predictions.outputs) == ["baseline", *results["techniques"]]
    for name, row in results["techniques"].items():
        assert predictions.hits(name).mean(axis=1).tolist() == pytest.approx(row["test"]["values"])
        assert row["calibration"]["ece"]["mean"] > 0
    assert results["reproduce"]["command"].startswith("python -m experiments.compare --workdir=w --seeds=2")
    page = (tmp_path / "w/report.html").read_text()
    assert "early stopping" in page
    assert (tmp_path / "w/figures").is_dir()
    # A second run there is refused, and replaces the first with --overwrite.
    assert "--workdir=w: holds another run" in run("compare", "--workdir=w", code=2).stderr
    run("compare", "--workdir=w", "--overwrite", "--seeds=2", *SMALL, "--techniques=l2", "--grid=l2=0.01")
    assert list(json.loads((tmp_path / "w/results.json").read_text())["techniques"]) == ["l2"]
    assert [p.name for p in tmp_path.iterdir()] == ["w"]


@pytest.mark.slow
def test_compare_has_the_defaults_of_the_library(run, tmp_path):
    """Without a flag but those of the data and the model, a command and the library do the same.

    The programs of this process are compiled in another way, so the numbers agree to rounding.
    """
    x = np.random.default_rng(0).normal(size=(60, 3))
    y = (x[:, 0] > 0).astype(int)
    np.savez(tmp_path / "own.npz", x=x, y=y)
    run("compare", "--dataset=own.npz", "--workdir=own", "--model=linear", "--techniques=l2,early_stopping")
    found = json.loads((tmp_path / "own" / "results.json").read_text())
    expected = json.loads(rj.compare("linear", rj.data.from_arrays(x, y, name="own"), ["l2", "early_stopping"]).dumps())
    assert found["settings"] == expected["settings"]
    for row in ("l2", "early_stopping"):
        told, same = found["techniques"][row], expected["techniques"][row]
        assert told["chosen"] == same["chosen"]
        np.testing.assert_allclose(told["test_loss"]["values"], same["test_loss"]["values"], rtol=1e-3)
    settings = found["settings"]
    assert (settings["train_examples"], settings["pool"], settings["label_noise"]) == (36, 36, 0.0)


@pytest.mark.slow
def test_the_embedded_digits_are_a_demonstration_which_is_said_first(run, tmp_path):
    flags = ["--techniques=l2", "--grid=l2=0.01", "--seeds=1", "--epochs=1", "--model=linear"]
    out = run("compare", "--workdir=demo", *flags)
    settings = json.loads((tmp_path / "demo" / "results.json").read_text())["settings"]
    assert (settings["train_examples"], settings["pool"], settings["label_noise"]) == (128, 1077, 0.1)
    assert "128 of 1,077" in out.stdout.splitlines()[0]


def test_the_default_techniques_keep_their_grids():
    assert compare._techniques(Config()) == dict.fromkeys(DEFAULT_TECHNIQUES, ())


def test_grids_are_those_of_the_techniques_named():
    config = Config(techniques="l2, dropout", grid=("l2=0.1,1", "dropout=0.5"))
    assert compare._techniques(config) == {"l2": (0.1, 1.0), "dropout": (0.5,)}


def test_an_empty_list_leaves_the_penalties_that_are_tried():
    assert compare._techniques(Config(techniques="", try_penalty=("l1(1)",))) == {}
    with pytest.raises(FlagError, match=r"techniques.*'' is not known"):
        compare._techniques(Config(techniques=""))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"techniques": "l2,lasso"}, "techniques.*'lasso' is not known; accepted: .*l2"),
        ({"techniques": "l2", "grid": ("l1=0.1",)}, "grid.*'l1' is not among --techniques: l2"),
        ({"grid": ("l2=a",)}, "grid.*write NAME=NUMBER"),
        ({"grid": ("l2",)}, "grid.*write NAME=NUMBER"),
        ({"grid": ("l2=0",)}, "grid.*must be finite and > 0"),
        ({"grid": ("l2=inf",)}, "grid.*must be finite and > 0"),
    ],
)
def test_techniques_and_grids_that_are_refused(options, message):
    with pytest.raises(FlagError, match=message):
        compare._techniques(Config(**options))


def test_every_row_gets_the_commands_that_repeat_it():
    rows = {name: {"flags": flags} for name, flags in (("l2", [{"l2": 0.1}, {"l2": 0.2}]), ("own", None))}
    content = {
        "baseline": {"flags": [{}, {}]},
        "runs": [(0, 7), (1, 8)],
        "techniques": rows,
        "settings": {
            "train_examples": 64, "steps_per_epoch": 2, "epochs": 4, "label_noise": 0.1, "augmentation": "",
            "batch_size": 32, "learning_rate": 0.01,
        },
    }  # fmt: skip
    runs = compare._runs(content, Config(seeds=2, seed=7))
    first, second = runs["l2"]
    assert (first.l2, first.learning_rate, first.split_seed, first.seed) == (0.1, 0.01, 0, 7)
    assert (second.l2, second.split_seed, second.seed) == (0.2, 1, 8)
    assert len(runs["baseline"]) == 2
    assert "own" not in runs
