"""Several labels an example, through the commands and in Python: from the data to predictions of each label."""

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import log_loss

import regjax as rj

pytestmark = pytest.mark.slow

FLAGS = ["--dataset=sky.csv", "--target=wet,hot,red", "--model=linear", "--learning_rate=0.02"]
NAMES = ["wet", "hot", "red"]


def odds(x):
    return np.stack([1.5 * x[:, 0], 2.0 * x[:, 1] - 1.0, x[:, 0] - x[:, 2] - 1.0], axis=1)


def drawn(n, seed):
    """Examples, labels that are drawn with known probabilities, and these."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 3)).astype(np.float32)
    q = 1 / (1 + np.exp(-odds(x)))
    return x, (rng.random(q.shape) < q).astype(np.float32), q


@pytest.fixture
def sky(tmp_path):
    x, y, _ = drawn(240, 0)
    frame = pd.DataFrame(x.round(3), columns=["a", "b", "c"])
    for k, name in enumerate(NAMES):
        frame[name] = y[:, k].astype(int)
    frame["hot"] = frame["hot"].map({0: "no", 1: "yes"})
    frame.to_csv(tmp_path / "sky.csv", index=False)
    return frame


def test_with_known_probabilities_the_log_loss_comes_near_the_entropy():
    """No model can be better than the truth; this one has 4 weights a label and 3,000 examples to find them."""
    x, y, _ = drawn(5000, 1)
    options = {"seeds": 1, "epochs": 30, "learning_rate": 0.01}
    found = rj.compare("linear", (x, y), techniques={"l2": [1e-5]}, **options)
    assert (found.task, found.metric) == ("multilabel", "accuracy")
    tested = found.predictions.rows[0]
    q = 1 / (1 + np.exp(-odds(x[tested])))
    truth = np.mean([log_loss(y[tested, k], q[:, k]) for k in range(3)])
    loss = found.baseline.test_loss.mean
    assert truth < 0.6
    assert loss == pytest.approx(truth, abs=0.01)  # 12 weights cost about 12 / (2 * 3 * 3000) nats
    assert found.predictions.losses("baseline")[0].mean() == pytest.approx(loss, rel=1e-4)
    assert found.references["linear model"]["log_loss"] == pytest.approx(loss, abs=0.005)
    assert found.metrics["baseline"]["log_loss"] == pytest.approx(loss, rel=1e-4)
    rates = y.mean(axis=0)
    constant = np.mean([-r * np.log(r) - (1 - r) * np.log(1 - r) for r in rates])
    assert found.chance["loss"] == pytest.approx(constant, abs=0.02)


def test_from_a_table_to_a_probability_for_each_label(run, tmp_path, sky):
    out = run("train", *FLAGS, "--epochs=30", "--label_smoothing=0.01", "--workdir=w")
    assert "targets wet, hot, red: multilabel (3 columns of 0 and 1)" in out.stderr
    assert "test label accuracy 0." in out.stdout
    out = run("predict", "--workdir=w", "--input=test", "--output=test.csv")
    found = pd.read_csv(tmp_path / "test.csv")
    assert list(found) == ["id", *NAMES, *(f"{n}_probability" for n in NAMES), *(f"{n}_target" for n in NAMES)]
    guess, truth = found[NAMES].to_numpy(), found[[f"{n}_target" for n in NAMES]].to_numpy()
    q = found[[f"{n}_probability" for n in NAMES]].to_numpy()
    np.testing.assert_array_equal(guess, q > 0.5)
    accuracy = np.mean(guess == truth)
    assert f"label accuracy {accuracy:.4f}" in out.stdout
    summary = json.loads((tmp_path / "w/summary.json").read_text())
    assert summary["test/accuracy"] == pytest.approx(accuracy, abs=1e-6)
    assert summary["test/loss"] == pytest.approx(np.mean([log_loss(truth[:, k], q[:, k]) for k in range(3)]), rel=1e-4)
    assert summary["test/log_loss"] == pytest.approx(summary["test/loss"], rel=1e-4)
    assert summary["test/hot/accuracy"] == pytest.approx(np.mean(guess[:, 1] == truth[:, 1]))
    assert json.loads((tmp_path / "w/preprocess.json").read_text())["targets"] == NAMES

    run("export", "--workdir=w", "--output=exported")
    x = sky[["a", "b", "c"]].to_numpy(np.float32)
    np.save(tmp_path / "x.npy", x)
    script = [sys.executable, "exported/run.py", "x.npy", "y.npy"]
    subprocess.run(script, cwd=tmp_path, check=True, capture_output=True, timeout=300)
    run("predict", "--workdir=w", "--input=sky.csv", "--output=all.csv")
    every = pd.read_csv(tmp_path / "all.csv")[[f"{n}_probability" for n in NAMES]]
    np.testing.assert_allclose(np.load(tmp_path / "y.npy"), every, atol=2e-6)

    out = run("predict", "--workdir=w", "--input=sky.csv", "--output=t.csv", "--precision=0.9", code=2)
    assert "is for models of two classes" in out.stderr


def test_a_comparison_chooses_by_a_metric_of_labels(run, tmp_path, sky):
    grid = ["--techniques=l2,label_smoothing,mixup", "--grid=l2=0.01", "--grid=label_smoothing=0.1", "--grid=mixup=0.2"]
    flags = [*FLAGS, *grid, "--epochs=20", "--seeds=2", "--label_noise=0.05"]
    out = run("compare", *flags, "--metric=average_precision", "--workdir=c")
    assert "test macro average precision %" in out.stdout
    content = json.loads((tmp_path / "c/results.json").read_text())
    assert (content["task"], content["metric"]) == ("multilabel", "average_precision")
    assert set(content["metrics"]["baseline"]) == {
        "accuracy", "balanced_accuracy", "roc_auc", "average_precision", "f1", "log_loss",
    }  # fmt: skip
    assert content["baseline"]["test"]["mean"] == pytest.approx(content["metrics"]["baseline"]["average_precision"])
    assert content["baseline"]["calibration"] is None
    assert [one["name"] for one in content["details"]["baseline"]["labels"]] == NAMES
    page = (tmp_path / "c/report.html").read_text()
    for words in ("Test results by label", "base rate", "label accuracy", "Label accuracy is the share of all labels"):
        assert words in page
    run("predict", "--workdir=c", "--input=sky.csv", "--output=p.csv")
    assert list(pd.read_csv(tmp_path / "p.csv"))[:4] == ["id", *NAMES]


@pytest.mark.parametrize(
    ("command", "flags", "message"),
    [
        (
            "train",
            ["--class_weight=balanced"],
            "it has no exclusive classes; leave it out, or weigh rows with --weight",
        ),
        ("compare", ["--class_weight=balanced"], "it has no exclusive classes"),
        (
            "compare",
            ["--metric=brier"],
            "accepted: accuracy, balanced_accuracy, roc_auc, average_precision, f1, log_loss",
        ),
        ("compare", ["--metric=r2"], "is a multilabel set; accepted: accuracy"),
        ("train", ["--output_penalty=confidence(0.1)"], "confidence needs a classification set"),
        ("train", ["--loss=cross_entropy"], "accepted: binary_cross_entropy"),
        ("train", ["--task=classification"], "that are not one-hot; accepted: one column, --task='multilabel'"),
    ],
)
def test_what_labels_do_not_have_is_refused_by_name(run, sky, command, flags, message):
    out = run(command, *FLAGS, "--epochs=1", "--workdir=w", *flags, code=2)
    assert message in out.stderr
    assert "Traceback" not in out.stderr


def test_a_sweep_and_a_streamed_resumed_run(run, tmp_path, sky):
    out = run("sweep", *FLAGS, "--epochs=4", "--seeds=2", "--sweep=l2=0,0.01", "--workdir=s")
    assert "label accuracy" in out.stdout
    x, y, _ = drawn(200, 3)
    np.savez(tmp_path / "sky.npz", x=x, y=y)
    stream = ["--dataset=sky.npz", "--loader=stream", "--model=linear", "--l2=0.001"]
    run("train", *stream, "--epochs=4", "--workdir=whole")
    run("train", *stream, "--epochs=2", "--workdir=w")
    run("train", *stream, "--epochs=4", "--workdir=w", "--resume")
    whole, resumed = (json.loads((tmp_path / name / "summary.json").read_text()) for name in ("whole", "w"))
    assert whole["params_sha256"] == resumed["params_sha256"]
    run("predict", "--workdir=w", "--input=sky.npz", "--output=p.csv")
    assert list(pd.read_csv(tmp_path / "p.csv"))[:3] == ["id", "prediction_0", "prediction_1"]


def test_noise_in_prediction_gives_a_deviation_for_each_label(run, tmp_path, sky):
    flags = ["--dataset=sky.csv", "--target=wet,hot,red", "--widths=8", "--dropout=0.2"]
    run("train", *flags, "--epochs=3", "--workdir=w")
    run("predict", "--workdir=w", "--input=test", "--output=p.csv", "--mc_samples=5")
    found = pd.read_csv(tmp_path / "p.csv")
    assert (found["wet_std"] > 0).mean() > 0.9  # a net this small may have a unit off in all passes
    assert (found["wet_std"] <= 0.5).all()
    run("train", *flags, "--average=snapshots(size=2, period=12)", "--epochs=4", "--workdir=e")
    run("predict", "--workdir=e", "--input=test", "--output=e.csv")
    assert pd.read_csv(tmp_path / "e.csv")["red_probability"].between(0, 1).all()
