"""Regularizers from flags: the arguments that they become, refusals before any work, and whole runs with them."""

import json

import jax.numpy as jnp
import numpy as np
import pytest

import regjax as rj
from regjax.cli.flags import FlagError
from regjax.cli.options import RunOptions
from regjax.cli.regularizers import check_regularizers, penalties_of, regularizer_arguments
from tests.cli.shared import SMALL, read_csv


@pytest.mark.slow
def test_every_parameter_regularizer_from_flags(run, tmp_path):
    out = run(
        "train", "--workdir=w", "--penalty=group_lasso(0.02, axis=0) + l2(1e-4, where='output')",
        "--penalty_mode=proximal", "--constraint=max_norm(2)", "--average=ema(0.9)", "--sam=0.05", *SMALL,
    )  # fmt: skip
    assert "hidden_0/kernel  64x16  1,024  group_lasso(0.02, 64 units on axis 0)" in out.stdout  # the plan
    summary = json.loads((tmp_path / "w/summary.json").read_text())
    assert (summary["average"], summary["gradients_per_update"]) == ("ema", 2)
    run("predict", "--workdir=w", "--input=test", "--output=p.csv")
    rows = read_csv(tmp_path / "p.csv")
    right = np.mean([row["prediction"] == row["target"] for row in rows])
    assert right == pytest.approx(summary["test/accuracy"], abs=1e-6)  # the averaged weights were kept
    run("sweep", "--workdir=s", "--penalty=mcp(1e-3)", "--penalty_mode=proximal", "--sweep=penalty=0.1,1", *SMALL)
    lanes = read_csv(tmp_path / "s/lanes.csv")
    assert [float(lane["penalty"]) for lane in lanes] == [0.1, 1.0, 0.0]
    run(
        "compare", "--workdir=c", "--techniques=l2", "--try_penalty=group_lasso(1e-2, axis=0)",
        "--penalty_mode=proximal", "--seeds=2", *SMALL,
    )  # fmt: skip
    row = json.loads((tmp_path / "c/results.json").read_text())["techniques"]["group_lasso(1e-2, axis=0)"]
    assert row["chosen"]["parameter"] == "factor"


@pytest.mark.slow
def test_noise_outputs_and_models_from_flags(run, tmp_path):
    run(
        "train", "--workdir=w", "--model=mlp(widths=(16, 16), skip=True, batch_norm=True)", "--dropout=0.3",
        "--drop_path=0.1", "--weight_noise=0.01", "--rate_schedule=up", "--gradient_noise=0.01",
        "--output_penalty=confidence(0.1) + r_drop(0.5)", "--label_smoothing=0.1", "--smoothing=others",
        "--dataset=digits", "--train_examples=128", "--epochs=3",
    )  # fmt: skip
    out = run("predict", "--workdir=w", "--input=test", "--output=p.csv", "--mc_samples=5")
    assert "accuracy" in out.stdout
    rows = read_csv(tmp_path / "p.csv")
    assert all(0 <= float(row["mutual_information"]) <= float(row["predictive_entropy"]) + 1e-6 for row in rows)
    again = run("predict", "--workdir=w", "--input=test", "--output=q.csv", "--mc_samples=5")
    assert again.stdout.replace("q.csv", "p.csv") == out.stdout
    assert (tmp_path / "p.csv").read_bytes() == (tmp_path / "q.csv").read_bytes()  # the same seed, the same noise
    run(
        "sweep", "--workdir=s", "--sweep=gaussian_dropout=0,0.5", "--sweep=output_penalty=0,1",
        "--output_penalty=confidence(0.1)", *SMALL,
    )  # fmt: skip
    lanes = read_csv(tmp_path / "s/lanes.csv")
    assert len({lane["val_loss"] for lane in lanes}) == 4
    run("train", "--workdir=v", "--average=snapshots(size=2, period=4)", *SMALL)
    assert json.loads((tmp_path / "v/summary.json").read_text())["average"] == "snapshots"
    run("predict", "--workdir=v", "--input=test", "--output=v.csv")


def config(**options):
    return RunOptions(**options)


def test_what_is_off_is_absent_unless_it_is_swept():
    assert regularizer_arguments(config()) == {}
    present = regularizer_arguments(config(), present=("l2", "dropout", "mixup"))
    assert present.keys() == {"penalties", "rates", "mixup"}
    assert present["rates"] == {"dropout": 0.0}
    assert [float(term.strength) for term in present["penalties"]["loss"].flat()] == [0.0]


def test_flags_become_arguments():
    given = config(
        dropout=0.5, weight_noise=0.1, label_smoothing=0.1, sam=0.05, average="ema(0.9)", constraint="max_norm(2)",
        output_penalty="confidence(0.1) + r_drop(0.5)",
    )  # fmt: skip
    made = regularizer_arguments(given)
    assert made["rates"] == {"dropout": 0.5, "weight_noise": 0.1}
    assert (made["label_smoothing"], made["sam"]) == (0.1, 0.05)
    assert made["average"].kind == "ema"
    assert [penalty.kind for penalty in made["output_penalties"]] == ["confidence", "r_drop"]
    rj.make_hparams(n_train=10, **made)


def test_penalties_are_summed_by_mode():
    by_mode = penalties_of(
        config(l1=0.1, l2=0.2, penalty="mcp(0.3) + l2(0.4, mode='decoupled')", penalty_mode="coupled")
    )
    kinds = {mode: [term.kind for term in penalty.flat()] for mode, penalty in by_mode.items()}
    assert kinds == {"coupled": ["l1", "l2", "mcp"], "decoupled": ["l2"]}
    assert penalties_of(config()) == {}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"penalty": "lasso(1)"}, "penalty.*'lasso' is not known"),
        ({"constraint": "max_norm(0)"}, "constraint.*limit must be > 0, got 0"),
        ({"average": "ema(2)"}, r"average.*decay must be in \[0, 1\), got 2"),
        ({"average": "snapshots(2, 5)", "schedule": "cosine"}, "schedule.*snapshots has cycles of its own"),
        ({"output_penalty": "confidnce(1)"}, "output_penalty.*did you mean 'confidence'"),
        ({"sam": 0.1, "gradient_noise": 0.1}, "gradient_noise.*excludes --sam"),
    ],
)
def test_texts_and_pairs_that_are_refused(options, message):
    with pytest.raises(FlagError, match=message):
        regularizer_arguments(config(**options))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"penalty": "l1(1, where='conv')"}, "penalty.*nothing matches 'conv' among the leaves: output/bias"),
        ({"penalty": "l0(1)"}, "penalty.*l0 does not support the mode 'loss'; accepted penalty_mode: proximal"),
        ({"penalty": "nuclear(1)", "penalty_mode": "proximal"}, "penalty.*needs one step for a whole leaf"),
        ({"constraint": "box(0,1)+max_norm(1)"}, "constraint.*box and max_norm on output/kernel"),
        ({"drop_path": 0.1}, "drop_path.*linear has no such noise .*it has input_dropout, .*drop_connect"),
        ({"output_penalty": "r_drop(1)"}, "output_penalty.*r_drop needs a classification set"),
    ],
)
def test_what_does_not_fit_the_model_is_refused_by_shapes_alone(options, message):
    given = config(model="linear", **options)
    spec = rj.Spec(rj.models.make_model("linear", num_outputs=1, task="regression"), task="regression")
    with pytest.raises(FlagError, match=message):
        check_regularizers(given, spec, jnp.ones((1, 3)))


def test_the_shapes_of_the_parameters_are_returned():
    spec = rj.Spec(rj.models.make_model("linear", num_outputs=2), num_classes=2)
    shapes = check_regularizers(config(model="linear", l2=0.1, input_dropout=0.1), spec, jnp.ones((1, 3)))
    assert shapes["output"]["kernel"].shape == (3, 2)
