import json
import math
import re
from importlib import resources

import numpy as np
import pytest

import regjax as rj
from regjax.comparison import atlas
from regjax.comparison.atlas import Known, features, mean_effects, nearest, similar

RULE = {"beats": False, "constant": "dropout", "mean": -0.01, "ci95": [-0.03, 0.02], "families": 30}


def known(name, task="classification", at=(3.0, 1.0, 1.0, -1.0, 0.5), family=None, **effects):
    return Known(name, family or name, task, at, effects)


def test_features_are_powers_and_ratios():
    assert features(100, 10, 8, 2.0, 0.5, 1.0) == pytest.approx((2.0, 1.0, 3.0, math.log(0.5), 0.5))
    assert features(100, 10, 0, 1.0, 2.0, 0.5)[2:] == pytest.approx((0.0, math.log(0.5), -1.0))  # the gap is cut at -1
    assert all(map(math.isfinite, features(1, 1, 2, 0.0, 0.0, 0.0)))


def test_the_nearest_are_of_the_task_and_not_of_the_family():
    sets = [
        known("a", at=(2.0, 1, 1, -1, 0)), known("b", at=(3.0, 1, 1, -1, 0)), known("c", at=(5.0, 1, 1, -1, 0)),
        known("d", at=(3.1, 1, 1, -1, 0), family="b"), known("e", "regression", at=(2.9, 1, 1, -1, 0)),
    ]  # fmt: skip
    found = nearest((2.9, 1, 1, -1, 0), "classification", sets)
    assert [one.name for one in found] == ["b", "d", "a", "c"]
    assert [one.name for one in nearest((2.9, 1, 1, -1, 0), "classification", sets, 1, without="b")] == ["a"]
    assert nearest((2.9, 1, 1, -1, 0), "multilabel", sets) == []


def test_far_away_in_one_feature_is_three_deviations_at_most():
    """Both are far away in rows, and the one with half as many is further away, because of its columns."""
    sets = [known(str(i), at=(i % 2 * 2.0, i // 2 % 2 * 2.0, 1, 0, 0)) for i in range(4_000)]
    sets += [known("one", at=(100.0, 1.0, 1, 0, 0)), known("both", at=(50.0, 3.5, 1, 0, 0))]
    order = [one.name for one in nearest((1.0, 1.0, 1, 0, 0), "classification", sets, len(sets))]
    assert order[-2:] == ["one", "both"]


def test_means_are_over_what_all_have():
    sets = [known("a", l1=0.1, l2=0.3), known("b", l2=0.1)]
    assert mean_effects(sets) == pytest.approx({"l2": 0.2})
    assert mean_effects([]) == {}


@pytest.fixture
def content(monkeypatch):
    """Results of a comparison, beside an atlas in which dropout helps on small data sets and L2 on large ones."""
    sets = [
        known(f"set {i}", at=(2.0 + 0.2 * i, 1, 1, -0.5, 0.5), dropout=0.2 - 0.02 * i, l2=0.02 * i) for i in range(10)
    ]
    sets.append(known("variant", at=(2.0, 1, 1, -0.5, 0.5), family="set 0", dropout=9.0, l2=9.0))
    made = {"margin": 0.02, "techniques": {"dropout": "dropout", "l2": "L2"}, "rule": RULE, "data_sets": sets}
    monkeypatch.setattr(atlas, "table", lambda: made)
    return {
        "dataset": "mine", "task": "classification", "chance": {"loss": 0.69},
        "settings": {"loss": {"name": "cross_entropy"}, "inputs": 10, "classes": 2, "train_examples": 100},
        "baseline": {"train_loss": {"mean": 0.2}, "grid": [{"select_loss": 0.4}]},
    }  # fmt: skip


def test_what_helped_is_counted(content):
    found = similar(content)
    assert found["nearest"][:3] == ["set 0", "variant", "set 1"]
    assert (found["of"], len(found["nearest"])) == (11, 7)
    # Beyond -log(0.98) = 0.0202: L2 in sets 2 to 9 and the variant, dropout in sets 0 to 8 and the variant.
    assert found["helped"] == {"dropout": 7, "L2": 5}
    assert found["all"] == {"dropout": 10, "L2": 9}
    assert found["rule"] == RULE


def test_a_data_set_of_the_atlas_is_not_its_own_neighbour(content):
    for name in ("set 0", "variant"):
        found = similar({**content, "dataset": name})
        assert found["nearest"][0] == "set 1"
        assert found["of"] == 9


@pytest.mark.parametrize(
    "change",
    [{"task": "multilabel"}, {"chance": {}}, {"settings": {"loss": {"name": "focal"}}}, {"settings": {}},
     {"baseline": {"train_loss": {"mean": None}, "grid": [{"select_loss": 0.4}]}}],
)  # fmt: skip
def test_where_it_cannot_be_told_there_is_no_atlas(content, change):
    assert similar({**content, **change}) is None


def test_the_table_of_the_package():
    """Every data set has all features, and effects of techniques that have a title; it stays small."""
    text = resources.files("regjax.comparison").joinpath("atlas.json").read_text()
    made = atlas.table()
    assert len(text) < 60_000
    assert json.loads(text)["features"] == list(atlas.FEATURES)
    assert json.loads(text)["count"] == atlas.NEAREST
    for one in made["data_sets"]:
        assert len(one.features) == len(atlas.FEATURES)
        assert np.isfinite(one.features).all()
        assert set(one.effects) <= set(made["techniques"])
        assert np.isfinite(list(one.effects.values())).all()


@pytest.mark.slow
def test_a_comparison_says_it_at_its_end():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(120, 4)).astype(np.float32)
    result = rj.compare("linear", (x, (x[:, 0] > 0).astype(np.int32)), {"l2": [0.1]}, seeds=1, epochs=2)
    content = result.to_json()
    assert content["settings"]["inputs"] == 4
    assert content["settings"]["classes"] == 2
    assert len(content["atlas"]["nearest"]) == min(atlas.NEAREST, content["atlas"]["of"])
    said = [note for note in str(result).splitlines() if note.startswith("Atlas: ")]
    assert re.match(r"Atlas: on the \d most similar of \d+ other classification data sets \(", said[0])
