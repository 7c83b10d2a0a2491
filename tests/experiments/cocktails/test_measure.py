"""The measurement of a data set goes on where it was interrupted, and its summary finds what was planted."""

import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest

import regjax as rj
from experiments.cocktails import learners, measure, searching, summarize
from experiments.cocktails.__main__ import main
from experiments.cocktails.figure import draw
from experiments.cocktails.measure import METRICS
from experiments.cocktails.parts import PARTS, Program
from regjax.analysis import fold_interval, mean_interval
from regjax.core.errors import InputError

SCRIPTS = Path(__file__).resolve().parents[3] / "scripts/docs"
SMALL = {"splits": 2, "trials": 2, "seconds": 0.0, "epochs": 3}


@pytest.mark.slow
def test_an_interrupted_measurement_goes_on_and_gives_the_same(tmp_path, monkeypatch):
    def drawn(count, seed):
        return [Program(("dropout", "skip"))] * count

    monkeypatch.setattr(measure, "SEARCHES", {name: searching.SEARCHES[name] for name in ("cocktail", "plain")})
    monkeypatch.setattr(measure, "LEARNERS", {"MLP of scikit-learn": learners.LEARNERS["MLP of scikit-learn"]})
    monkeypatch.setattr(searching, "drawn_programs", drawn)
    data, said = rj.data.load("wine"), []

    def stop_after_one(text):
        said.append(text)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        measure.measure("wine", data, tmp_path / "part", say=stop_after_one, **SMALL)
    assert said[0].startswith("wine: cocktail: ")
    kept = json.loads((tmp_path / "part/unfinished/wine/kept.json").read_text())
    assert set(kept) == {"protocol", "cocktail 0", "cocktail 1", "cocktail test"}
    monkeypatch.setattr(searching, "drawn_programs", None)  # what is kept is not searched again
    part = measure.measure("wine", data, tmp_path / "part", **SMALL)
    monkeypatch.setattr(searching, "drawn_programs", drawn)
    whole = measure.measure("wine", data, tmp_path / "whole", **SMALL)
    assert [one["test"] for one in part["searches"].values()] == [one["test"] for one in whole["searches"].values()]
    assert part["ablation"] == whole["ablation"]
    assert (
        part["learners"]["MLP of scikit-learn, default"][0]["test"]
        == (whole["learners"]["MLP of scikit-learn, default"][0]["test"])
    )
    assert not (tmp_path / "part/unfinished/wine").exists()
    again = measure.measure("wine", data, tmp_path / "part", **SMALL)
    assert json.dumps(again) == json.dumps(json.loads((tmp_path / "part/wine.json").read_text()))
    with pytest.raises(InputError, match="of another protocol"):
        measure.measure("wine", data, tmp_path / "part", **SMALL | {"splits": 3})


def planted(number, over_plain, contribution):
    """A data set on which the cocktail is better than the plain net by a known amount, all of it by dropout."""
    rng = np.random.default_rng(number)
    spent = [{"trials": 8, "epochs": 90, "seconds": seconds} for seconds in (9.0, 1.0, 1.0, 1.0, 3.0)]
    base, noise = 0.7 + 0.02 * rng.normal(size=5), 0.004 * rng.normal(size=5)

    def tests(values):
        return [dict.fromkeys(METRICS, float(value)) for value in values]

    return {
        "name": f"set {number}",
        "sizes": {"train": 40, "validation": 10, "test": 10},
        "columns": 3,
        "classes": 2,
        "searches": {
            "cocktail": {"test": tests(base + over_plain + noise), "found": spent},
            "plain": {"test": tests(base), "found": spent},
        },
        "learners": {
            "boosting": [{"test": one, "tried": 6, "seconds": 2.0} for one in tests(base + over_plain + 2 * noise)]
        },
        "ablation": [
            {
                "parts": {"dropout": contribution + 0.001 * rng.normal(), "l1": 0.0},
                "none": 0.5,
                "all": 0.53,
                "subsets": 4,
            }
            for _ in range(5)
        ],
    }


def test_the_summary_finds_what_was_planted():
    found = [planted(number, 0.05, 0.05) for number in range(7)]
    out = summarize.summarized(found)
    row = out["rows"]["set 3"]["plain"]
    values = summarize.scores(found[3])
    expected = fold_interval(values["cocktail"] - values["plain"], 0.25)
    assert [row["cocktail_over"], *row["ci95"]] == pytest.approx(expected, abs=0.006)
    assert row["holm"] >= row["p"]
    assert out["over_data_sets"]["smallest_p"] == 2 / 2**7
    over = out["over_data_sets"]["learners"]["plain"]
    assert over["accuracy"]["cocktail_over"] == pytest.approx(5, abs=0.2)
    assert (over["accuracy"]["higher"], over["accuracy"]["equal"], over["accuracy"]["lower"]) == (7, 0, 0)
    assert over["p_adjusted"] <= 0.05 < out["over_data_sets"]["learners"]["boosting"]["p_adjusted"]
    assert out["over_data_sets"]["ranks"]["plain"] == 3.0
    part = out["parts"]["dropout"]
    assert part["contribution"] == pytest.approx(5, abs=0.1)
    assert part["chosen"] == 1.0
    assert part["p_adjusted"] == pytest.approx(2 / 2**7, abs=1e-4)  # the smallest that seven data sets can give
    means = [100 * np.mean([split["parts"]["dropout"] for split in one["ablation"]]) for one in found]
    assert part["ci95"] == pytest.approx(mean_interval(means)[1:], abs=0.006)
    assert out["parts"]["mixup"]["chosen"] == 0
    assert {name for name, one in out["parts"].items() if one["data_sets"] == 7} >= {"dropout", "mixup", "l1"}
    assert out["parts"]["mixup"]["where_chosen"] is None


def test_nothing_is_found_where_nothing_was_planted():
    """40 records without effects, of which 2 or fewer show one on average; more than 6 in 0.3% of all seeds."""
    wrong = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        found = [
            planted(number, 0.0, 0.0)
            | {"ablation": [{"parts": {name: rng.normal() for name in list(PARTS)[:10]}} for _ in range(3)]}
            for number in range(6)
        ]
        own = summarize.parts(found)
        wrong += any(row.get("p_adjusted", 1) <= 0.05 for row in own.values())
    assert wrong <= 6


def test_tables_say_what_was_planted(tmp_path, monkeypatch):
    found = [planted(number, 0.05, 0.05) for number in range(7)]
    reproduce = {"commit": "abc", "versions": {"jax": "1"}}
    record = {"protocol": measure.protocol(), "platform": "here", "reproduce": reproduce, "data_sets": found}
    (tmp_path / "cocktails.json").write_text(json.dumps(record | {"summary": summarize.summarized(found)}))
    monkeypatch.setattr(sys, "path", [str(SCRIPTS), *sys.path])
    from cocktail_tables import TABLES

    text = {name: "\n".join(make(tmp_path, "records")) for name, make in TABLES.items()}
    assert re.search(r"\| plain \| 7 / 0 / 0 \| \+[45]\.\d \(", text["cocktails"])
    assert "Over 7 data sets the cocktail is shown to differ from plain in accuracy." in text["cocktails"]
    assert re.search(
        r"\| dropout \| 7 \| 100% \| \+[45]\.\d+ \| \+[45]\.\d+ \(.*\) \| 0.016 \|", text["cocktail_parts"]
    )
    assert "they give +3.0 points over" in text["cocktail_parts"]
    assert "the mean of 35 cocktails; 140 subsets" in text["cocktail_parts"]
    assert "Shown to contribute: dropout." in text["cocktail_parts"]
    assert "| set 3 | 40 / 10 / 10 | 3 | 2 |" in text["cocktail_sets"]
    assert "| cocktail | 8 | 90 | 1.5 s | 9.0 s |" in text["cocktail_budgets"]
    assert "| boosting | 6 | | 2.0 s | |" in text["cocktail_budgets"]


def test_the_picture_is_drawn(tmp_path):
    draw(summarize.summarized([planted(number, 0.01, 0.01) for number in range(6)]), tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes()[:4] == b"\x89PNG"


def test_wrong_input_is_refused(tmp_path, capsys):
    assert main([f"--workdir={tmp_path}", "--only=moons"]) == 2
    assert "'moons' is not known; accepted: breast_cancer" in capsys.readouterr().err
    assert main([f"--workdir={tmp_path}", "--only=pima", "--processes=1"]) == 1
    assert "give the directory of its archive with --packages=DIR" in capsys.readouterr().err
    with pytest.raises(InputError, match="not measured yet: pima"):
        summarize.record_of([tmp_path / "pima.json"], 0.0)
