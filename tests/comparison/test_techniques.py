import numpy as np
import pytest

import regjax as rj
from regjax.comparison.registry import TechniqueContext, resolve
from regjax.comparison.techniques import combination, merge


def technique_of(name):
    return resolve([name], TechniqueContext(100, 1000))[0][0]


def test_merge_unites_routes_and_refuses_conflicts():
    both = merge([{"penalties": {"loss": rj.l2(0.1)}}, {"penalties": {"loss": rj.l1(0.1)}, "rates": {"dropout": 0.5}}])
    assert [term.kind for term in both["penalties"]["loss"].flat()] == ["l2", "l1"]
    assert both["rates"] == {"dropout": 0.5}
    with pytest.raises(rj.InputError, match="two techniques set augment"):
        merge([{"augment": 1.0}, {"augment": 0.5}])


def test_of_two_that_exclude_each_other_the_better_one_joins_the_combination():
    params = {"dense": {"kernel": np.ones((2, 2))}}
    l2, decoupled, dropout = (technique_of(name) for name in ("l2", "decoupled", "dropout"))
    gained = [(l2, 0.01, 0.7), (decoupled, 0.3, 0.8), (dropout, 0.4, 0.75)]
    made, parts = combination(gained, {}, params)
    assert parts == ["decoupled", "dropout"]
    assert made.arguments(0.5)["rates"] == {"dropout": 0.2}
    assert combination([(l2, 0.01, 0.9), *gained[1:]], {}, params)[1] == ["l2", "dropout"]
    assert combination(gained[:2], {}, params) == (None, [])
    always = {"penalties": {"loss": rj.l2(0.1)}}
    assert combination(gained, always, params)[1] == ["l2", "dropout"]


def test_penalties_on_outputs_add_up():
    both = merge([technique_of(name).arguments(0.1) for name in ("confidence", "jacobian")])
    assert [penalty.kind for penalty in both["output_penalties"]] == ["confidence", "jacobian"]
