"""Every optimizer and wrapper of optax, in every mode: the right solution, or a refusal before training.

The verdicts make the table of `scripts/docs/pages/optimizers.md`; `UPDATE_PAGES=1` in the environment writes it anew.
"""

import os
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from sklearn.linear_model import Lasso, Ridge

import regjax as rj
from regjax.optim import stepsizes
from tests.optim.verify import optimizers as every

pytestmark = pytest.mark.slow
PAGE = Path(__file__).resolve().parents[3] / "scripts/docs/pages/optimizers.md"
STRENGTH, STEPS = 0.8, 1500
RATE = 0.05
WHERE = "kernel"


@pytest.fixture(scope="module")
def problem():
    """A standardized regression 60 x 8 with 5 true zeros: (x, y), and what scikit-learn makes of it."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 8))
    x = (x - x.mean(0)) / x.std(0)
    y = x @ [2.0, -1.5, 1.0, 0, 0, 0, 0, 0] + 0.5 * rng.normal(size=60)
    y -= y.mean()
    # sklearn's 1/(2n) ||y - Xw||^2 + alpha ||w||_1 is half of our mse + l1(2 alpha); Ridge's sum is n times our mean.
    lasso = Lasso(alpha=STRENGTH / 2, fit_intercept=False, tol=1e-10, max_iter=100_000).fit(x, y).coef_
    ridge = Ridge(alpha=60 * STRENGTH, fit_intercept=False, tol=1e-10).fit(x, y).coef_
    assert (lasso == 0).sum() == 5
    return {"x": jnp.asarray(x, jnp.float32), "y": jnp.asarray(y, jnp.float32), "l1": lasso, "l2": ridge}


DECAY = rj.l2(0.1, where=WHERE)
PARAMS = {"kernel": jnp.ones((4, 2)), "other": jnp.ones((2,))}


def mse(problem):
    return lambda params: jnp.mean(jnp.square(problem["y"] - problem["x"] @ params["kernel"].reshape(8)))


@pytest.fixture(scope="module")
def objectives(problem):
    """The loss, and the loss with `DECAY`: functions that all tests share, and with them the compiled gradients."""
    loss = mse(problem)
    return [Objective(loss), Objective(lambda params: loss(params) + DECAY.value(params))]


class Objective:
    """A function of the parameters, with its gradient compiled once for all tests."""

    def __init__(self, function):
        self.value_and_grad = jax.jit(jax.value_and_grad(function))
        self.value = jax.jit(function)
        self.grad = jax.jit(jax.grad(function))


def solve(tx, loss):
    """The weights after training, with the further arguments that some optimizers want."""
    tx = optax.with_extra_args_support(tx)

    def body(carry, _):
        params, state = carry
        updates, state = tx.update(jax.grad(loss)(params), state, params)
        return (optax.apply_updates(params, updates), state), None

    return jax.jit(lambda p: jax.lax.scan(body, (p, tx.init(p)), None, length=STEPS)[0][0])(PARAMS)


def verdict(make, solution, loss):
    """`"right"` or `"refused"`; fails where the solution is another."""
    try:
        tx = make()
        tx.init(PARAMS)
        rj.check_optimizer(tx, PARAMS)
    except (ValueError, TypeError):  # optax itself refuses some schedules by a TypeError
        return "refused"
    w = np.asarray(solve(tx, loss)["kernel"]).reshape(8)
    np.testing.assert_allclose(w, solution, atol=2e-3)
    np.testing.assert_array_equal(w == 0, solution == 0)
    return "right"


FALLING = optax.cosine_decay_schedule(RATE, STEPS)
# Two do not take a schedule; Adagrad slows down by itself and wants a large one.
RATES = {"rprop": RATE, "optimistic_adam": RATE, "adagrad": 1.0}
OWN_STEPS = {
    "adam": stepsizes.adam,
    "adamw": stepsizes.adam,
    "scale_by_adam": stepsizes.adam,
    "nadam": stepsizes.nadam,
    "nadamw": stepsizes.nadam,
    "amsgrad": stepsizes.amsgrad,
    "scale_by_amsgrad": stepsizes.amsgrad,
    "adamax": stepsizes.adamax,
    "adamaxw": stepsizes.adamax,
    "scale_by_adamax": stepsizes.adamax,
    "rmsprop": stepsizes.rmsprop,
    "adagrad": lambda rate: stepsizes.adagrad(rate),
    "momentum": lambda rate: stepsizes.sgd(rate, 0.9),
    "trace": lambda rate: stepsizes.sgd(rate, 0.9),
    "nesterov": lambda rate: stepsizes.sgd(rate, 0.9, nesterov=True),
}
OPTIMIZERS = {**every.COMPLETE, **{name: (lambda rate, n=name: every.direction(n, rate)) for name in every.DIRECTIONS}}
SECTIONS = (
    (OPTIMIZERS, "optimizer", ("coupled", "decoupled", "proximal")),
    (
        {**every.WRAPPERS, **every.FACTORIES},
        "wrapper",
        ("coupled", "decoupled", "decoupled, around", "proximal, inside", "proximal, around"),
    ),
    (every.DIRECTIONS, "in a chain with a proximal penalty", ("before", "behind")),
)
VERDICTS: dict[tuple[str, str], str] = {}  # filled where the page is made anew


def table(verdicts):
    """The verdicts in Markdown: optimizers, wrappers, neighbours."""
    lines = []
    for names, title, columns in SECTIONS:
        lines += ["", f"| {title} | {' | '.join(columns)} |", f"|---|{'---|' * len(columns)}"]
        lines += [f"| `{name}` | {' | '.join(verdicts.get((name, c), '') for c in columns)} |" for name in names]
    return "\n".join(lines[1:]) + "\n"


def read_table(text):
    """The verdicts by name and column, from Markdown."""
    verdicts, columns = {}, []
    for line in text.splitlines():
        first, *cells = [cell.strip() for cell in line.strip("|").split("|")]
        if first.startswith("`"):
            verdicts |= {(first.strip("`"), column): cell for column, cell in zip(columns, cells, strict=True)}
        elif cells and not first.startswith("-"):
            columns = cells
    return verdicts


def on_the_page():
    return PAGE.read_text().partition("<!-- verdicts -->\n")[2].partition("<!-- end -->")[0]


def judged(name, column, found):
    """Compare a verdict with the page, or keep it for the new page."""
    if os.environ.get("UPDATE_PAGES"):
        VERDICTS[name, column] = found
    else:
        page = read_table(on_the_page())
        assert page[name, column] == found, "UPDATE_PAGES=1 scripts/test tests/optim/verify -n0 makes the page anew"


def test_all_that_optax_exports_has_been_judged():
    assert every.exported() <= every.judged(), sorted(every.exported() - every.judged())


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_proximal_around_an_optimizer(name, problem):
    rate = RATES.get(name, FALLING)
    own = OWN_STEPS.get(name)
    candidates = [stepsizes.sgd, stepsizes.adam, *([own] if own else [])]
    found = [
        verdict(
            lambda step=step: rj.regularize(
                OPTIMIZERS[name](rate), rj.l1(STRENGTH, where=WHERE), mode="proximal", stepsize=step(rate)
            ),
            problem["l1"],
            mse(problem),
        )
        for step in candidates
    ]
    if own:
        assert found[-1] == "right"
    judged(name, "proximal", "right" if "right" in found else "refused")


@pytest.mark.parametrize("name", every.WRAPPERS)
@pytest.mark.parametrize(
    ("mode", "placement"), [("proximal", "inside"), ("proximal", "around"), ("decoupled", "around")]
)
def test_a_wrapper_of_gradient_descent(name, mode, placement, problem):
    """Decay beside gradient descent has the solution of the penalized problem."""
    kind, needs = ("l1", {"stepsize": stepsizes.sgd(RATE)}) if mode == "proximal" else ("l2", {"learning_rate": RATE})
    penalty = getattr(rj, kind)(STRENGTH, where=WHERE)
    wrap = every.WRAPPERS[name]

    def make():
        if placement == "inside":
            return rj.regularize(wrap(optax.sgd(RATE)), penalty, mode=mode, **needs)
        return wrap(rj.regularize(optax.sgd(RATE), penalty, mode=mode, **needs))

    judged(name, f"{mode}, {placement}", verdict(make, problem[kind], mse(problem)))


@pytest.mark.parametrize("name", every.DIRECTIONS)
@pytest.mark.parametrize("placement", ["before", "behind"])
def test_a_transform_beside_a_proximal_penalty(name, placement, problem):
    def make():
        ours = rj.regularize(
            optax.sgd(RATE), rj.l1(STRENGTH, where=WHERE), mode="proximal", stepsize=stepsizes.sgd(RATE)
        )
        beside = every.DIRECTIONS[name]()
        return optax.chain(beside, ours) if placement == "before" else optax.chain(ours, beside)

    judged(name, placement, verdict(make, problem["l1"], mse(problem)))


@pytest.mark.parametrize("name", every.FACTORIES)
@pytest.mark.parametrize(
    ("mode", "placement", "column"),
    [
        ("coupled", "inside", "coupled"),
        ("decoupled", "inside", "decoupled"),
        ("decoupled", "around", "decoupled, around"),
        ("proximal", "inside", "proximal, inside"),
        ("proximal", "around", "proximal, around"),
    ],
)
def test_injected_rates_are_followed_when_they_change(name, mode, placement, column):
    inject = every.FACTORIES[name]

    def regularized(tx, rate):
        needs = {"proximal": {"stepsize": stepsizes.sgd(rate)}, "decoupled": {"learning_rate": rate}}.get(mode, {})
        penalty = rj.l1(1.0, where=WHERE) if mode == "proximal" else rj.l2(0.5, where=WHERE)
        return rj.regularize(tx, penalty, mode=mode, **needs)

    if placement == "inside":
        tx = regularized(inject(optax.sgd)(learning_rate=0.1), 0.1)
    else:
        tx = inject(lambda learning_rate: regularized(optax.sgd(learning_rate), learning_rate))(learning_rate=0.1)
    rj.check_optimizer(tx, PARAMS)
    state = tx.init(PARAMS)
    (state.inner if placement == "inside" else state).hyperparams["learning_rate"] = jnp.float32(0.01)
    flat = jax.tree.map(jnp.zeros_like, PARAMS)
    updates, _ = tx.update(flat, state, PARAMS)
    np.testing.assert_allclose(updates["kernel"], -0.01, rtol=1e-5)  # lr * s, and lr * 2 * 0.5 * w
    judged(name, column, "right")


def _extras(objective, params, names):
    value, gradient = objective.value_and_grad(params)
    every_extra = {
        "value": value,
        "grad": gradient,
        "value_fn": objective.value,
        "grad_fn": lambda p, _=0: objective.grad(p),
    }
    return gradient, {name: every_extra[name] for name in names}


def _needs(name):
    if "sam" in name:
        return ["grad_fn"]
    return ["value", "grad", "value_fn"] if any(n in name for n in ("line", "polyak", "momo", "plateau")) else []


@pytest.mark.parametrize("name", [*OPTIMIZERS, *every.WRAPPERS])
def test_coupled_is_the_penalty_in_the_loss_step_by_step(name, objectives):
    """By its definition, whatever the optimizer; with the values and gradients that some ask for besides."""
    base, penalized = objectives
    tx = OPTIMIZERS[name](RATE) if name in OPTIMIZERS else every.WRAPPERS[name](optax.sgd(RATE))
    plain = optax.with_extra_args_support(tx)
    try:
        coupled = rj.regularize(tx, DECAY, mode="coupled")
        states = [plain.init(PARAMS), coupled.init(PARAMS)]
    except ValueError:
        judged(name, "coupled", "refused")
        return
    if "lookahead" in name:  # trains two sets of parameters by the gradient of one: the penalty goes inside
        both = optax.LookaheadParams.init_synced(PARAMS)
        with pytest.raises(ValueError, match="missing: fast/"):
            coupled.update(PARAMS, coupled.init(both), both)
        judged(name, "coupled", "refused")
        return
    params = [PARAMS, PARAMS]
    for _ in range(4):
        for i, (transform, objective) in enumerate(((plain, penalized), (coupled, base))):
            grads, extra = _extras(objective, params[i], _needs(name))
            updates, states[i] = transform.update(grads, states[i], params[i], **extra)
            params[i] = optax.apply_updates(params[i], updates)
    np.testing.assert_allclose(params[1]["kernel"], params[0]["kernel"], rtol=1e-4, atol=1e-6)
    judged(name, "coupled", "right")


@pytest.mark.parametrize("name", [*OPTIMIZERS, *every.WRAPPERS])
def test_decay_is_beside_the_update_of_the_optimizer(name, objectives):
    judged(name, "decoupled", verdict_on_decay(name, "decoupled", objectives[0]))


@pytest.mark.parametrize("name", ["adam", "sgd", "contrib.muon", "multi_transform"])
def test_independent_decay_leaves_the_rate_out(name, objectives):
    assert verdict_on_decay(name, "independent", objectives[0]) == "right"


def verdict_on_decay(name, mode, base):
    """By its definition: `w + u - lr grad P(w)`, or with the shape in place of the rate, whatever the optimizer."""
    tx = OPTIMIZERS[name](RATE) if name in OPTIMIZERS else every.WRAPPERS[name](optax.sgd(RATE))
    plain = optax.with_extra_args_support(tx)
    try:
        ours = rj.regularize(tx, DECAY, mode=mode, learning_rate=RATE)
        state = ours.init(PARAMS)
    except ValueError:
        return "refused"
    theirs, params, other = plain.init(PARAMS), PARAMS, PARAMS
    rate = RATE if mode == "decoupled" else 1.0
    for _ in range(4):
        grads, extra = _extras(base, params, _needs(name))
        updates, state = ours.update(grads, state, params, **extra)
        params = optax.apply_updates(params, updates)
        grads, extra = _extras(base, other, _needs(name))
        updates, theirs = plain.update(grads, theirs, other, **extra)
        decay = rate * 0.2 * other["kernel"]
        other = optax.apply_updates(other, updates)
        other = {**other, "kernel": other["kernel"] - decay}
    np.testing.assert_allclose(params["kernel"], other["kernel"], rtol=1e-4, atol=1e-6)
    return "right"


def test_the_page_has_a_verdict_for_everything():
    """Last: the table of the page, made anew from the verdicts above if that was asked for."""
    if os.environ.get("UPDATE_PAGES"):
        head, _, rest = PAGE.read_text().partition("<!-- verdicts -->\n")
        PAGE.write_text(
            head + "<!-- verdicts -->\n" + table(VERDICTS) + "<!-- end -->" + rest.partition("<!-- end -->")[2]
        )
    page = read_table(on_the_page())
    assert on_the_page() == table(page)
    empty = {key for key, cell in page.items() if cell not in ("right", "refused")}
    assert not empty, sorted(empty)
