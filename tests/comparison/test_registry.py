"""Which techniques a comparison tries, and what each means for a run."""

import pytest

import regjax as rj
from regjax import noise
from regjax.catalog import COMBINATION, DEFAULT_TECHNIQUES, TECHNIQUES
from regjax.comparison.registry import MAKERS, TechniqueContext, resolve
from regjax.comparison.techniques import Technique
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


def test_what_was_asked_for_and_does_not_apply_is_refused():
    for name, setting in (
        ("drop_path", TechniqueContext(100, 1000)),
        ("r_drop", TechniqueContext(100, 1000, task="regression")),
        ("label_smoothing", TechniqueContext(100, 1000, task="regression")),
    ):
        with pytest.raises(
            rj.InputError, match=rf"technique '{name}' does not fit this model or the task {setting.task}"
        ):
            resolve([name], setting)
    assert resolve(["drop_connect"], TechniqueContext(100, 1000, noises=()))[0]  # noise on weights fits every model


@pytest.mark.parametrize("technique", [rj.mcp(0.1), rj.l2, 3, ("l2", 0.1)])
def test_what_is_no_technique_is_named_with_the_way_out(technique):
    with pytest.raises(rj.InputError, match=r"rj\.penalty_technique" if technique != 3 else "3") as caught:
        resolve(["l1", technique], CONTEXT)
    assert "\n" not in str(caught.value)
    if not isinstance(technique, tuple):
        with pytest.raises(rj.InputError, match=r"rj\.penalty_technique"):
            resolve(technique, CONTEXT)


def test_every_technique_has_a_maker():
    assert TECHNIQUES.keys() - {COMBINATION} <= MAKERS.keys()


@pytest.mark.parametrize(
    ("name", "value", "flags"),
    [
        ("l1", 0.1, {"penalty": "l1(0.1, mode='proximal')"}),
        ("decoupled", 0.1, {"penalty": "l2(0.1, mode='decoupled')"}),
        ("dropout", 0.5, {"dropout": 0.5}),
        ("mixup", 0.2, {"mixup": 0.2}),
        ("confidence", 0.1, {"output_penalty": "confidence(0.1)"}),
        ("augmentation", 0.5, {"augment_strength": 0.5}),
        ("more_data", 200, {"train_examples": 200}),
    ],
)
def test_the_flags_of_train_that_do_the_same(name, value, flags):
    assert technique_of(name).flags(value) == flags


def test_early_stopping_follows_the_options():
    context = TechniqueContext(100, 1000, patience=3, min_delta=0.5)
    technique = resolve(["early_stopping"], context)[0][0]
    arguments = technique.arguments(1.0)
    assert (int(arguments["stopping"].patience), arguments["restore_best"]) == (3, True)
    assert technique.flags(1.0) == {"stop_criterion": "patience", "restore_best": True, "patience": 3, "min_delta": 0.5}
    other = resolve(["early_stopping"], TechniqueContext(100, 1000, criterion="gl"))[0][0]
    assert other.flags(1.0) == {"stop_criterion": "gl", "restore_best": True}


def test_more_data_is_no_part_of_a_combination():
    assert [t.name for t in resolve(None, CONTEXT)[0] if not t.combines] == ["more_data"]
