import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import regjax as rj
from regjax.core.errors import InputError
from regjax.core.parse import parse_sum
from regjax.penalties import parse_penalty_modes

PARAMS = {"a": {"kernel": jnp.array([[1.0, -2.0], [0.0, 3.0]])}, "b": {"kernel": jnp.ones((2, 2))}}


@pytest.mark.parametrize(
    ("text", "penalty"),
    [
        ("l1(1e-3)", lambda: rj.l1(1e-3)),
        ("  l2(0.5, 'a/') ", lambda: rj.l2(0.5, "a/")),
        ("group_lasso(1e-3, where='.*kernel', axis=0)", lambda: rj.group_lasso(1e-3, axis=0)),
        ("elastic_net(2, l1_ratio=0.25) + l1(1) + l2(3)", lambda: rj.elastic_net(2, 0.25) + rj.l1(1) + rj.l2(3)),
        ("group_lasso(1, axis=(0, -1))", lambda: rj.group_lasso(1, axis=(0, -1))),
        ("spectral(1, iterations=None)", lambda: rj.spectral(1)),
        ("orthogonal(0.1, method='srip')", lambda: rj.orthogonal(0.1, "srip")),
    ],
)
def test_text_is_the_same_penalty(text, penalty):
    parsed = rj.parse_penalty(text)
    expected = penalty().terms(PARAMS)
    got = parsed.terms(PARAMS)
    assert list(got) == list(expected)
    np.testing.assert_allclose(list(got.values()), list(expected.values()), rtol=1e-6)


@pytest.mark.parametrize(
    ("text", "strengths"),
    [
        ("0.5 * l1(3)", [1.5]),
        ("2 * (l1(3) + 0.5 * (l1(1) + l1(5))) + l1(7)", [6.0, 1.0, 5.0, 7.0]),
        ("0 * l1(3)", [0.0]),
    ],
)
def test_a_factor_multiplies_every_strength(text, strengths):
    assert [float(term.strength) for term in rj.parse_penalty(text).flat()] == strengths


@pytest.mark.parametrize("text", ["-1 * l1(1)", "1e999 * l1(1)", "'a' * l1(1)", "True * l1(1)", "2 * 3 * l1(1)"])
def test_another_factor_is_refused(text):
    with pytest.raises(InputError, match=r"is not a factor|is not a call"):
        rj.parse_penalty(text)


def test_constraints_have_no_factor():
    with pytest.raises(InputError, match="is not a call"):
        rj.parse_constraint("2 * max_norm(1)")


def test_a_term_names_its_route():
    text = "l2(1) + 3 * (l1(2, mode='proximal') + l1(4)) + mcp(5, where='a', mode='proximal')"
    by_mode = parse_penalty_modes(text, "decoupled")
    assert {mode: [float(t.strength) for t in p.flat()] for mode, p in by_mode.items()} == {
        "decoupled": [1.0, 12.0],
        "proximal": [6.0, 5.0],
    }
    assert by_mode["proximal"].flat()[1].where == "a"


def test_a_route_that_does_not_exist_is_refused_with_the_nearest():
    with pytest.raises(InputError, match="did you mean 'proximal'"):
        parse_penalty_modes("l1(1, mode='proximl')", "loss")


def test_constraints_too():
    expected = (rj.non_negative() + rj.max_norm(2.0, axis=0)).project(PARAMS)
    parsed = rj.parse_constraint("non_negative() + max_norm(2, axis=0)").project(PARAMS)
    np.testing.assert_array_equal(parsed["a"]["kernel"], expected["a"]["kernel"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the text is empty"),
        ("l1(", "cannot be read: '\\(' was never closed"),
        ("l1", "'l1' is not a call"),
        ("l1(0.1) * 2", r"'l1\(0.1\)' is not a factor; write NUMBER \* CALL"),
        ("l1(0.1) - l2(0.1)", "is not a call"),
        ("lasso(0.1)", "'lasso' is not known .*; accepted: elastic_net"),
        ("l1_(0.1)", "did you mean 'l1'"),
        ("l1(-0.1)", "penalty: l1: strength must be >= 0, got -0.1"),
        ("l1('x')", "l1: strength must be a number"),
        ("l1(True)", "'True' is not accepted"),
        ("l1(1e999)", "l1: strength must be >= 0 and finite, got inf"),
        ("l1()", "l1: missing a required argument: 'strength'"),
        ("l1(1, 2, 3)", "too many positional arguments"),
        ("l1(0.1, axes=1)", r"takes no argument 'axes'.*accepted: strength, where"),
        ("group_lasso(0.1, axes=1)", "did you mean 'axis'"),
        ("l1(**{})", "cannot be unpacked"),
        ("l1(*[1])", r"is not accepted"),
        ("l1(__import__('os').getcwd())", "is not accepted"),
        ("(lambda: l1(1))()", "is not a call"),
        ("rj.l1(1)", "is not a call"),
        ("l1(0.1, where='(')", "is not a regular expression"),
        ("l1(0.1, where=3)", "where must be None"),
        ("mcp(0.1, gamma=0.5)", "mcp: gamma must be > 1"),
        ("l1(1)" + " + l1(1)" * 400, "at most 2000 characters"),
        ("l1(" + "(" * 900 + ")" * 900 + ")", "cannot be read|is not accepted|strength"),
        ("l1(" + "9" * 1900 + ")", "strength"),
        ("l1(\x00)", "cannot be read"),
    ],
)
def test_anything_else_is_refused_in_one_line(text, message):
    with pytest.raises(InputError, match=message) as caught:
        rj.parse_penalty(text)
    assert "\n" not in str(caught.value)


@settings(max_examples=300)
@given(st.text(max_size=60) | st.text("l12mcp()+-.,='e3 *[]{}:_", max_size=40))
def test_any_text_gives_a_penalty_or_one_line(text):
    try:
        penalty = rj.parse_penalty(text)
    except InputError:
        return
    assert isinstance(penalty, rj.Penalty)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("pair(a=1, b=2, a=3)", "cannot be read: keyword argument repeated: a|pair: a is given twice"),
        ("pair(--1, 2)", "is not accepted"),
        ("pair(1, **{})", "cannot be unpacked"),
        ("  ", "the text is empty"),
    ],
)
def test_what_the_grammar_does_not_have(text, message):
    with pytest.raises(rj.InputError, match=message):
        parse_sum(text, {"pair": lambda a, b: (a, b)}, "example")
