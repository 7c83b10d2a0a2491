import csv
import dataclasses
import io
import json
import math

import numpy as np
import pytest

from regjax.analysis import Best, Pair, Posterior
from regjax.comparison.result import demonstration
from regjax.comparison.row import Calibration, Improvement, Spread
from regjax.report.verdict import headline, loss_sentence
from tests.comparison.made import GAIN, NAN, result, row, spread


def test_json_has_plain_types_and_null_for_what_is_not_finite():
    bare = Improvement(NAN, (NAN, math.inf), (NAN, NAN), {}, None, None, None, None, None)
    made = result(row("l2", bare, curves={"epoch": np.int64(3), "mean": (np.float32(0.5), NAN)}))
    content = json.loads(made.dumps())["techniques"]["l2"]
    assert content["improvement"]["ci95"] == [None, None]
    assert content["curves"] == {"epoch": 3, "mean": [0.5, None]}
    assert content["minimum_detectable_effect"] is None
    assert content["test_accuracy"] == content["test"]
    assert {"trained", "predictions"}.isdisjoint(made.to_json())
    assert content["calibration"] is None
    reliability = {"confidence": [0.5], "accuracy": [0.25], "counts": [4]}
    calibrated = result(row("l2", bare, calibration=Calibration(spread(0.25), spread(0.5), spread(0.7), reliability)))
    found = json.loads(calibrated.dumps())["techniques"]["l2"]["calibration"]
    assert (found["ece"]["mean"], found["log_loss"]["mean"], found["reliability"]) == (0.25, 0.7, reliability)
    assert "test_accuracy" not in result(row("l2", GAIN), task="regression").to_json()["techniques"]["l2"]


def test_the_csv_has_a_line_for_each_row():
    lines = list(csv.DictReader(io.StringIO(result(row("l2", GAIN), row("l1(0.1), x", GAIN)).csv())))
    assert [line["technique"] for line in lines] == ["baseline", "l2", "l1(0.1), x"]
    assert (lines[0]["improvement"], lines[0]["p"], lines[0]["loss_p_holm"]) == ("", "", "")
    l2 = {key: float(value) for key, value in lines[1].items() if value and key != "technique"}
    assert (l2["test"], l2["test_low"], l2["improvement"], l2["improvement_high"]) == (0.8, 0.79, 0.05, 0.08)
    assert (l2["p"], l2["p_holm"], l2["minimum_detectable_effect"], l2["lanes"]) == (0.0004, 0.03, 0.02, 2)
    assert None not in lines[1]
    assert l2["loss_p"] == GAIN.p


RANKED = {
    "pairs": (Pair("baseline", "l2", -0.05, 0.01, 0.02, (-0.08, -0.02)),),
    "groups": {"l2": "a", "baseline": "b"},
    "best": Best("l2", ("baseline",)),
}


def test_a_ranking_is_in_the_json_the_csv_and_the_table():
    gain = dataclasses.replace(GAIN, practical=0.01, posterior=Posterior(0.0, 0.125, 0.875))
    made = dataclasses.replace(result(row("l2", gain)), **RANKED)
    content = json.loads(made.dumps())
    pair = {"a": "baseline", "b": "l2", "mean": -0.05, "p": 0.01, "p_adjusted": 0.02, "ci95": [-0.08, -0.02]}
    assert content["pairs"] == [pair]
    assert content["groups"] == RANKED["groups"]
    assert content["best"] == {"name": "l2", "better_than": ["baseline"]}
    assert content["techniques"]["l2"]["improvement"]["posterior"] == {"worse": 0.0, "same": 0.125, "better": 0.875}
    baseline, l2 = csv.DictReader(io.StringIO(made.csv()))
    assert (baseline["group"], baseline["practical"], baseline["loss_better"]) == ("b", "", "")
    assert (l2["group"], l2["practical"], l2["same"], l2["loss_better"]) == ("a", "0.01", "0.125", "0.875")
    lines = str(made).splitlines()
    assert [line.split()[-1] for line in lines[:4] if set(line) != {"-"}] == ["group", "b", "a"]
    assert len(made.notes()) == 4
    assert "l2" in made.notes()[3]
    alike = dataclasses.replace(made, best=Best("l2", ()))
    assert len(alike.notes()) == 3


def test_an_empty_detectable_effect_has_a_reason():
    told = "fewer than 10 answers differ"
    known, unknown = (
        result(row("l2", dataclasses.replace(GAIN, minimum_detectable_effect=effect))) for effect in (0.02, None)
    )
    assert told not in str(known)
    assert told in str(unknown)


def test_the_table_for_a_terminal():
    at_edge = row("l1", GAIN, chosen={"parameter": "strength", "value": 1.0, "edge": "high"})
    lines = str(result(row("l2", GAIN), at_edge)).splitlines()
    cells = [line.split() for line in lines]
    assert cells[2] == ["baseline", "90.0", "80.0", "±1.0", "0.500", "25", "20"]
    assert cells[3] == [
        "l2",
        "0.1",
        "90.0",
        "80.0",
        "±1.0",
        "0.500",
        "+5.0",
        "±3.0",
        "<.001",
        "0.028",
        "2.0",
        "25",
        "20",
    ]
    assert cells[4][1] == "1*"
    assert len(set(map(len, lines[2:5]))) == 1  # numbers are aligned on the right
    assert set(lines[1]) == {"-"}


def test_a_regression_is_in_units_of_its_score():
    lines = str(result(row("l2", GAIN), task="regression")).splitlines()
    assert lines[3].split()[2:4] == ["0.900", "0.800"]


def test_one_seed_has_no_intervals():
    bare = Improvement(0.05, (NAN, NAN), (NAN, NAN), {}, None, None, None, None, None)
    line = str(result(row("l2", bare, test=Spread(0.8, (NAN, NAN), (0.8,))), seeds=1)).splitlines()[3]
    assert line.split() == ["l2", "0.1", "90.0", "80.0", "0.500", "+5.0", "-", "-", "25", "20"]


@pytest.mark.parametrize(
    ("seeds", "splits", "independent", "needed"),
    [(4, 1, 4, 6), (5, 5, 5, 6), (6, 6, 6, None), (10, 5, 5, 6), (10, 1, 10, None)],
)
def test_too_few_runs_are_told_with_the_number_that_it_takes(seeds, splits, independent, needed):
    """The smallest two-sided p of n signs is 2 / 2^n; flipped jointly, the number of rows does not matter."""
    notes = result(*(row(f"t{i}", GAIN) for i in range(8)), seeds=seeds, splits=splits).notes()
    told = [note for note in notes if f"{2 / 2**independent:g}" in note and f"={needed}" in note]
    assert len(told) == (needed is not None)
    assert len(notes) == 2 + (needed is not None)


@pytest.mark.parametrize(
    ("rows", "settings", "words"),
    [
        ([row("l2", GAIN)], {"label_noise": 0.125}, "12.5%"),
        ([row("l2", GAIN)], {"targets": ["price", "weight"]}, "2 targets: price and weight. R² is the mean of theirs"),
        ([row("l2", GAIN, diverged=3)], {}, "3 runs"),
        ([row("l2", GAIN, chosen={"value": 1.0, "edge": "low"})], {}, "* "),
    ],
)
def test_notes_appear_only_where_they_apply(rows, settings, words):
    notes = result(*rows, **settings).notes()
    assert len(notes) == 3
    assert words in notes[2]


def test_a_demonstration_is_told_first():
    made = result(row("l2", GAIN), demonstration=True, label_noise=0.1)
    assert str(made).splitlines()[0] == demonstration(made.settings)
    own = dataclasses.replace(made, settings=made.settings | {"label_noise": 0.0})
    assert "10%" in str(made).splitlines()[0]
    assert "%" not in str(own).splitlines()[0]


def test_the_terminal_has_the_verdict_of_the_page():
    made = result(row("l2", GAIN))
    content = made.to_json()
    assert headline(content) in str(made).splitlines()
    assert loss_sentence(content) in str(made).splitlines()
