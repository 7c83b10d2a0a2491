"""`--loss` as a user runs it: training, prediction, export, comparison and sweep, and what is refused."""

import itertools
import json
import re
import shlex

import numpy as np
import pytest
from sklearn.metrics import mean_poisson_deviance, r2_score

from tests.cli.shared import read_csv

pytestmark = pytest.mark.slow

LINEAR = ("--model=linear", "--learning_rate=0.03")


def write_table(path, seed=0, rows=240, **changes):
    """A table of counts with a log-linear rate; `changes` are targets by their row."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, 3))
    y = rng.poisson(np.exp(1.0 + x @ [0.6, -0.4, 0.0])).astype(int).tolist()
    for row, value in changes.items():
        y[int(row.removeprefix("row"))] = value
    path.write_text("a,b,c,target\n" + "".join(f"{','.join(map(str, one))},{t}\n" for one, t in zip(x, y, strict=True)))


def summary_of(path):
    return json.loads((path / "summary.json").read_text())


def test_counts_from_training_to_the_exported_model(run, tmp_path):
    write_table(tmp_path / "visits.csv")
    poisson = ("--dataset=visits.csv", "--task=regression", "--loss=poisson", *LINEAR)
    out = run("train", *poisson, "--epochs=30", "--dropout=0.1", "--model=mlp", "--widths=8", "--workdir=w")
    assert re.search(r"test loss \(Poisson deviance\) \d", out.stdout)
    run("predict", "--workdir=w", "--input=test", "--output=p.csv")
    rows = {
        name: [float(row[name]) for row in read_csv(tmp_path / "p.csv")] for name in ("prediction", "low", "target")
    }
    found = summary_of(tmp_path / "w")
    assert found["test/loss"] == pytest.approx(mean_poisson_deviance(rows["target"], rows["prediction"]), rel=1e-4)
    assert found["test/r2"] == pytest.approx(r2_score(rows["target"], rows["prediction"]), abs=1e-4)
    assert min(rows["low"]) == 0 < min(rows["prediction"])
    run("export", "--workdir=w", "--output=e")
    x = np.array([[float(row[name]) for name in "abc"] for row in read_csv(tmp_path / "visits.csv")], np.float32)
    np.save(tmp_path / "x.npy", x)
    run("predict", "--workdir=w", "--input=visits.csv", "--output=all.csv")
    import jax

    model = jax.export.deserialize(bytearray((tmp_path / "e/model.bin").read_bytes()))
    from safetensors.numpy import load_file

    weights, manifest = (
        load_file(tmp_path / "e/weights.safetensors"),
        json.loads((tmp_path / "e/manifest.json").read_text()),
    )
    exported = np.ravel(model.call([weights[name] for name in manifest["weights"]], x))
    np.testing.assert_allclose(
        [float(row["prediction"]) for row in read_csv(tmp_path / "all.csv")], exported, rtol=1e-4
    )
    run("predict", "--workdir=w", "--input=test", "--output=mc.csv", "--mc_samples=50")
    of_passes = [float(row["prediction"]) for row in read_csv(tmp_path / "mc.csv")]
    assert np.corrcoef(of_passes, rows["prediction"])[0, 1] > 0.9
    assert np.mean(np.abs(np.log(of_passes) - np.log(rows["prediction"]))) < 0.5

    out = run("train", *poisson, "--epochs=31", "--dropout=0.1", "--model=mlp", "--widths=8", "--workdir=w",
              "--resume", "--loss=mse", code=2)  # fmt: skip
    assert "--loss" in out.stderr


def test_what_does_not_fit_the_data_or_the_loss_is_refused(run, tmp_path):
    write_table(tmp_path / "visits.csv", row17=-2)
    for command in ("train", "compare", "sweep"):
        more = ("--sweep=l2=0.1",) if command == "sweep" else ()
        base = (command, "--dataset=visits.csv", "--task=regression", "--workdir=w", *more)
        out = run(*base, "--loss=poisson", code=2)
        assert "row 17 (the first is row 0) has -2" in out.stderr
        out = run(*base, "--loss=mse", "--quantile=0.9", code=2)
        assert "quantile 0.9 is for loss 'quantile', and the loss is 'mse'" in out.stderr
        out = run(*base, "--loss=focal", code=2)
        assert "accepted: mse, mae, huber, quantile, poisson" in out.stderr
    out = run("train", "--dataset=visits.csv", "--loss=quantile", "--quantile=1.5", code=2)
    assert re.search(r"quantile.*\(0, 1\)", out.stderr)


def test_a_comparison_by_another_loss_is_chosen_named_and_repeated_by_it(run, tmp_path):
    write_table(tmp_path / "visits.csv")
    run("compare", "--dataset=visits.csv", "--task=regression", "--loss=quantile", "--quantile=0.9", *LINEAR,
        "--techniques=l2", "--grid=l2=0.001,0.1", "--seeds=2", "--epochs=20", "--workdir=c")  # fmt: skip
    results = json.loads((tmp_path / "c/results.json").read_text())
    assert results["metric"] == "d2"
    assert results["settings"]["loss"] == {"name": "quantile", "parameter": 0.9}
    page = (tmp_path / "c/report.html").read_text()
    assert "pinball loss" in page
    assert "trained on the pinball loss (quantile 0.9)" in page
    assert "Validation MSE" not in page
    stored = np.load(tmp_path / "c/predictions.npz")
    assert 0.75 < np.mean(stored["y"] <= stored["row/baseline"]) < 0.99  # of 96; 4.9 deviations of a binomial
    for name in ("baseline", "l2", "best", "final"):
        lines = (tmp_path / f"c/flags/{name}.flags").read_text().splitlines()
        assert {"--loss=quantile", "--quantile=0.9"} <= set(lines)
    row = results["techniques"]["l2"]
    command = shlex.split(row["commands"][0])
    run("train", *command[command.index("experiments.train") + 1 :])
    workdir = next(word.split("=")[1] for word in command if word.startswith("--workdir="))
    assert summary_of(tmp_path / workdir)["params_sha256"] == row["params_sha256"][0]
    run("train", "--flagfile=c/flags/final.flags", "--workdir=f")
    run("predict", "--workdir=c", "--input=visits.csv", "--output=p.csv")
    table = read_csv(tmp_path / "visits.csv")
    below = [
        float(one["target"]) <= float(p["prediction"])
        for one, p in zip(table, read_csv(tmp_path / "p.csv"), strict=True)
    ]
    assert 0.8 < np.mean(below) < 0.97


def test_a_sweep_ranks_by_the_share_of_its_loss_that_is_explained(run, tmp_path):
    write_table(tmp_path / "visits.csv")
    run("sweep", "--dataset=visits.csv", "--task=regression", "--loss=poisson", *LINEAR, "--sweep=l2=0.001,1",
        "--epochs=20", "--workdir=s")  # fmt: skip
    results = json.loads((tmp_path / "s/results.json").read_text())
    assert (results["metric"], results["loss"]["name"]) == ("d2", "poisson")
    lanes = read_csv(tmp_path / "s/lanes.csv")
    for one, other in itertools.pairwise(lanes):  # D² is linear in the loss
        assert (float(one["val_score"]) > float(other["val_score"])) == (
            float(one["val_loss"]) < float(other["val_loss"])
        )
    assert 0 < max(float(one["val_score"]) for one in lanes) < 1
    assert "Poisson deviance" in (tmp_path / "s/report.html").read_text()
    assert all("--loss=poisson" in lane["command"] for lane in results["lanes"])
    assert "--loss=poisson" in json.dumps(results["confirm"])


def test_focal_loss_with_soft_labels(run, tmp_path):
    soft = ("--label_smoothing=0.1", "--mixup=0.2")
    run("train", "--dataset=wine", "--loss=focal", "--focal_gamma=1", *soft, "--epochs=20", "--workdir=w")
    found = summary_of(tmp_path / "w")
    assert found["loss"] == "focal"
    assert found["test/accuracy"] > 0.8
