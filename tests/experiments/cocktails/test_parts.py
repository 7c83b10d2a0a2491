"""The parts of cocktails: at strength 0 none has an effect, and each has one where it is on."""

import jax
import numpy as np
import pytest

import regjax as rj
from experiments.cocktails.parts import (
    LEARNING_RATE,
    OFF,
    PARTS,
    STRUCTURE,
    Program,
    drawn_programs,
    on,
    programs,
)
from experiments.cocktails.problem import Problem

TRACED = [name for name in PARTS if name not in STRUCTURE]


@pytest.fixture(scope="module")
def problem():
    return Problem(rj.data.load("wine"), 1, epochs=3)


def trained(problem, program, **strengths):
    lane = problem.lane(program, {"learning_rate": 0.01, **strengths}, 0)
    [result] = rj.run_lanes([lane], problem.arrays)
    return np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(result.weights.params)])


@pytest.fixture(scope="module")
def plain(problem):
    return trained(problem, Program(()))


@pytest.mark.slow
@pytest.mark.parametrize("name", TRACED)
def test_a_part_is_off_at_strength_zero_and_has_an_effect_at_the_middle_of_its_range(problem, plain, name):
    part, program = PARTS[name], Program((name,))
    # Rounding differs between programs, and Adam divides by gradients that are small.
    np.testing.assert_allclose(trained(problem, program), plain, atol=2e-3)
    middle = part.strengths._replace(off=0.0).at(0.5)
    if name == "swa":
        middle = 4.0  # within the 12 updates of this run
    changed = np.abs(trained(problem, program, **{name: middle}) - plain).max()
    # The best of three epochs may be the last one; whether it is kept is a matter of the run's end, tested elsewhere.
    assert name == "early_stopping" or changed > 5e-3


def test_programs_have_one_part_of_a_group_at_most_and_none_that_exclude_each_other():
    known = programs()
    # bn x skip x (none, sam, fgsm, r_drop) x (none, three of weights) x (none, three averages), less sam with noise
    assert len(known) == 2 * 2 * (4 * 4 - 1) * 4 == len(set(known))
    for program in known:
        groups = [PARTS[name].group for name in program.parts if PARTS[name].group]
        assert len(groups) == len(set(groups))
        assert not {"sam", "gradient_noise"} <= set(program.parts)
    assert set(PARTS) == {name for program in known for name in program.parts}


def test_a_space_has_the_learning_rate_and_every_part_that_may_be_left_out():
    program = Program(("dropout", "batch_norm"))
    assert program.space() == {"learning_rate": LEARNING_RATE, "dropout": PARTS["dropout"].strengths._replace(off=OFF)}
    assert program.structure == {"batch_norm": True, "skip": False}
    assert program.without("batch_norm") == Program(("dropout",))
    assert on(program, {"dropout": 0.0}) == ("batch_norm",)
    assert on(program, {"dropout": 0.1}) == ("dropout", "batch_norm")


def test_draws_are_different_programs_and_depend_on_the_seed():
    assert len(set(drawn_programs(6, 0))) == 6
    assert drawn_programs(3, 0) == drawn_programs(6, 0)[:3]
    assert drawn_programs(6, 0) != drawn_programs(6, 1)


def test_ranges_are_in_order():
    for name, part in PARTS.items():
        part.strengths._replace(off=OFF).check(name)
