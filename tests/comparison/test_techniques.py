import numpy as np
import pytest

import regjax as rj
from regjax import noise
from regjax.catalog import COMBINATION, DEFAULT_TECHNIQUES, TECHNIQUES
from regjax.comparison.registry import TechniqueContext, resolve
from regjax.comparison.techniques import Technique, combination, merge
from regjax.training.spec import make_hparams

NOISES = tuple(name for name in noise.NOISES if name != "concrete_dropout")
CONTEXT = TechniqueContext(train_examples=100, pool=1000, noises=(*NOISES, "input_dropout", "attention_dropout"))


def technique_of(name):
    return resolve([name], CONTEXT)[0][0]


@pytest.mark.parametrize("name", [name for name in TECHNIQUES if name != COMBINATION])
def test_every_value_of_every_grid_makes_valid_hyperparameters(name):
    technique = technique_of(name)
    assert list(technique.values) == sorted(technique.values)
    for value in technique.values:
        make_hparams(**{"n_train": 100, **technique.arguments(value)})


def test_default_is_the_guide():
    found, combination = resolve(None, CONTEXT)
    assert combination
    assert [t.name for t in found] == [name for name in DEFAULT_TECHNIQUES if name != COMBINATION]


def test_more_data_needs_a_pool():
    sizes = {pool: resolve(["more_data"], TechniqueContext(100, pool))[0][0].values for pool in (150, 500, 5000)}
    assert sizes == {150: (150,), 500: (200, 400, 500), 5000: (200, 400, 800)}
    with pytest.raises(rj.InputError, match="nothing to compare"):
        resolve(["more_data"], TechniqueContext(100, 100))


def test_what_a_model_cannot_do_is_left_out():
    found, _ = resolve(None, TechniqueContext(100, 1000, noises=(), has_augmentation=False))
    assert {"dropout", "augmentation"}.isdisjoint(t.name for t in found)


def test_grids_are_replaced_and_sorted():
    found, combination = resolve({"l2": [0.1, 0.01], "early_stopping": []}, CONTEXT)
    assert found[0].values == (0.01, 0.1)
    assert not combination


def test_custom_technique():
    own = Technique("own", "own", "strength", (1.0,), lambda s: {"mixup": s})
    assert resolve([own], CONTEXT)[0] == [own]


def test_merge_unites_routes_and_refuses_conflicts():
    both = merge([{"penalties": {"loss": rj.l2(0.1)}}, {"penalties": {"loss": rj.l1(0.1)}, "rates": {"dropout": 0.5}}])
    assert [term.kind for term in both["penalties"]["loss"].flat()] == ["l2", "l1"]
    assert both["rates"] == {"dropout": 0.5}
    with pytest.raises(rj.InputError, match="two techniques set augment"):
        merge([{"augment": 1.0}, {"augment": 0.5}])


@pytest.mark.parametrize(
    ("techniques", "message"),
    [
        (["l3"], "did you mean"),
        (["l2", "l2"], "different names"),
        ({"early_stopping": [1.0]}, "takes no grid"),
    ],
)
def test_errors(techniques, message):
    with pytest.raises(rj.InputError, match=message):
        resolve(techniques, CONTEXT)


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


def test_what_was_asked_for_and_does_not_apply_is_refused():
    for name, setting in (
        ("drop_path", TechniqueContext(100, 1000)),
        ("r_drop", TechniqueContext(100, 1000, classes=False)),
        ("label_smoothing", TechniqueContext(100, 1000, classes=False)),
    ):
        with pytest.raises(rj.InputError, match=rf"technique '{name}' does not fit this model or task"):
            resolve([name], setting)
    assert resolve(["drop_connect"], TechniqueContext(100, 1000, noises=()))[0]  # noise on weights fits every model


def test_penalties_on_outputs_add_up():
    both = merge([technique_of(name).arguments(0.1) for name in ("confidence", "jacobian")])
    assert [penalty.kind for penalty in both["output_penalties"]] == ["confidence", "jacobian"]
