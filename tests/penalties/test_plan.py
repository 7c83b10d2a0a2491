import jax.numpy as jnp

import regjax as rj
from regjax.penalties.plan import Plan, PlanRow, doubts

ROWS = (
    PlanRow("dense/kernel", (30, 40), 1200, ("l1(0.1)", "l2(0.2)"), ("which axis?",)),
    PlanRow("dense/bias", (40,), 40, ()),
    PlanRow("scale", (), 1, ("l1(0.1)",)),
)


def test_the_table_by_hand():
    assert str(Plan(ROWS)).splitlines() == [
        "leaf          shape   size   penalty",
        "dense/kernel  30x40   1,200  l1(0.1) + l2(0.2)",
        "dense/bias    40      40     -",
        "scale         scalar  1      l1(0.1)",
        "check dense/kernel (which axis?)",
        "2 of 3 leaves, 1,201 of 1,241 numbers penalized",
    ]


def test_a_plan_of_constraints_says_so():
    head, *_, totals = str(Plan(ROWS[1:], "constraint", "constrained")).splitlines()
    assert head.split() == ["leaf", "shape", "size", "constraint"]
    assert totals == "1 of 2 leaves, 1 of 41 numbers constrained"


def test_a_doubt_that_two_terms_share_is_listed_once():
    stack = jnp.ones((3, 4, 5))
    one, two = (doubts((rj.group_lasso(0.1),) * n, {"kernel": stack}, "kernel", stack.shape) for n in (1, 2))
    assert one == two
    assert len(one) == 1


def test_a_vector_without_a_name_is_doubtful_only_when_a_mask_chose_it():
    params = [(jnp.ones((2, 3, 4)), jnp.ones((2, 4)))]  # a mapped dense layer: the second may be its bias
    assert len(doubts((rj.l2(0.1),), params, "0/1", (2, 4))) == 1
    assert doubts((rj.l2(0.1, where="0/1"),), params, "0/1", (2, 4)) == ()
