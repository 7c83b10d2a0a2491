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

EVERYWHERE = tuple(name for name, part in PARTS.items() if not part.group)
COVER = [  # programs that have every part whose strength is a number, between them
    Program((*EVERYWHERE, "sam", "drop_connect", "ema")),
    Program((*EVERYWHERE, "fgsm", "weight_noise", "lookahead")),
    Program((*EVERYWHERE, "r_drop", "gradient_noise", "swa")),
]


def weights(problem, lanes):
    made = [problem.lane(program, {"learning_rate": 0.01, **strengths}, 0) for program, strengths in lanes]
    found = rj.run_lanes(made, problem.arrays)
    return [np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(one.weights.params)]) for one in found]


@pytest.mark.slow
def test_a_part_is_off_at_strength_zero_and_has_an_effect_at_the_middle_of_its_range():
    problem = Problem(rj.data.load("wine"), 1, epochs=3)
    noise = {"dropout": 0.3}  # without which the two passes of R-Drop are the same
    plain, *off, noisy = weights(problem, [(Program(()), {}), *((program, {}) for program in COVER), (COVER[2], noise)])
    for program, found in zip(COVER, off, strict=True):
        # Rounding differs between programs, and Adam divides by gradients that are small.
        np.testing.assert_allclose(found, plain, atol=2e-3, err_msg=str(program))
    middle = {name: part.strengths._replace(off=0.0).at(0.5) for name, part in PARTS.items() if name not in STRUCTURE}
    middle |= {"swa": 4.0}  # of 12 updates
    of = {name: next(i for i, program in enumerate(COVER) if name in program.parts) for name in middle}
    lanes = [(COVER[of[name]], {name: value} | (noise if name == "r_drop" else {})) for name, value in middle.items()]
    for name, found in zip(middle, weights(problem, lanes), strict=True):
        without = noisy if name == "r_drop" else off[of[name]]
        # The best of three epochs may be the last one, so that keeping it changes nothing.
        assert name == "early_stopping" or np.abs(found - without).max() > 1e-4, name


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
