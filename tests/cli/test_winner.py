import json
import shlex

import numpy as np
import pytest

from regjax.cli.train import Config as TrainConfig
from regjax.cli.winner import typical, winner_of
from tests.cli.shared import read_csv


def row(name, score, flags=({},)):
    return {"name": name, "title": name, "flags": flags, "chosen": {"select_score": score}}


def test_the_winner_is_the_best_on_validation_of_what_can_be_repeated():
    rows = {"l2": row("l2", 0.8), "mine": row("mine", 0.9, None), "l1": row("l1", 0.7)}
    for metric, baseline, best in (("accuracy", 0.75, "l2"), ("accuracy", 0.8, "baseline"), ("log_loss", 0.75, "l1")):
        content = {"metric": metric, "baseline": row("baseline", baseline), "techniques": rows}
        assert winner_of(content)["name"] == best  # the first of equals


def test_the_typical_run_has_the_most_frequent_options():
    runs = [TrainConfig(l2=l2, seed=i, split_seed=i, workdir=f"w{i}") for i, l2 in enumerate([0.1, 0.2, 0.3, 0.2])]
    assert typical(runs) == 1
    assert typical(runs[:1]) == 0


def test_learning_rates_that_differ_do_not_hide_the_most_frequent_strength():
    """By all options together no two runs are alike but the first two; by strength, 0.2 comes three times."""
    options = [(0.1, 0.01), (0.1, 0.01), (0.2, 0.03), (0.2, 0.1), (0.2, 0.1)]
    runs = [TrainConfig(l2=l2, learning_rate=rate, seed=i) for i, (l2, rate) in enumerate(options)]
    assert typical(runs) == 3


@pytest.mark.slow
def test_the_next_commands_work_as_they_are_printed(run, tmp_path):
    """From the directory in which the comparison ran; the model of the winner is that of its run, bit by bit."""
    rng = np.random.default_rng(0)
    lines = ["id,size,city,target"]
    for i in range(80):
        size, city = rng.normal(), rng.choice(["Rome", "Oslo", ""])
        lines.append(f"c{i},{size:.3f},{city},{'yes' if size + (city == 'Rome') > 0.3 else 'no'}")
    (tmp_path / "toy.csv").write_text("\n".join(lines))
    flags = ["--techniques=l2", "--grid=l2=0.001,0.01", "--seeds=2", "--epochs=5", "--widths=8"]
    run("compare", "--dataset=toy.csv", "--workdir=c", *flags)
    content = json.loads((tmp_path / "c/results.json").read_text())
    for step in content["next"]:
        name, *arguments = step["command"].split()[2:]
        run(name.removeprefix("experiments."), *arguments)
    name = content["winner"]["name"]
    found = content["baseline"] if name == "baseline" else content["techniques"][name]
    trained = json.loads((tmp_path / "c-winner/summary.json").read_text())
    assert trained["params_sha256"] in found["params_sha256"]
    run("predict", "--workdir=c-winner", "--input=toy.csv", "--output=again.csv")
    rows = read_csv(tmp_path / "c-predictions.csv")
    assert rows == read_csv(tmp_path / "again.csv")
    assert [line["id"] for line in rows] == [f"c{i}" for i in range(80)]
    names = {"best", "final", "baseline", "l2"}
    assert {path.name for path in (tmp_path / "c/flags").iterdir()} == {f"{name}.flags" for name in names}
    assert json.loads((tmp_path / "c-final/summary.json").read_text())["train_examples"] == 64


@pytest.mark.slow
def test_a_comparison_whose_runs_all_diverged_has_no_model_to_use(run, tmp_path):
    flags = ["--dataset=diabetes", "--optimizer=sgd", "--techniques=l2", "--grid=l2=0.01", "--seeds=2", "--epochs=5"]
    run("compare", "--workdir=c", "--learning_rate=50", *flags)
    step = json.loads((tmp_path / "c/results.json").read_text())["next"]
    assert [one["what"].split(",")[0] for one in step] == ["all runs diverged"]
    assert {"--learning_rate=5.0", "--workdir=c-smaller", *flags} <= set(shlex.split(step[0]["command"]))
    assert (
        "the training of this run diverged"
        in run("predict", "--workdir=c", "--input=test", "--output=p.csv", code=2).stderr
    )
