import numpy as np

import regjax as rj
from regjax.comparison.train import Outcome, Runner, Trial, diverged
from regjax.core.rng import run_key
from regjax.data import Preprocessors
from regjax.stopping import REASONS
from tests.helpers import assert_trees_equal


class Ended:
    def __init__(self, reason):
        self.reason = np.int32(REASONS.index(reason))


def test_diverged_runs_are_counted_by_their_reason():
    ended = [Ended(reason) for reason in REASONS]
    assert [diverged(run) for run in ended] == [reason == "diverged" for reason in REASONS]
    assert Outcome(Trial("l2", 0.1, {}), [*ended, *ended], [], [], 0.0).diverged == 2


def test_a_trial_has_one_run_and_one_evaluation_for_each_seed(stages):
    for technique, outcomes in stages.trained.values():
        assert [outcome.trial.value for outcome in outcomes] == list(technique.values)
        assert {(len(outcome.results), len(outcome.select)) for outcome in outcomes} == {(2, 2)}
    (l2, first), second = stages.trained["l2"][1][0].results, stages.trained["l2"][1][1].results[0]
    kernels = [np.asarray(run.weights.params["output"]["kernel"]) for run in (l2, first, second)]
    assert not np.array_equal(kernels[0], kernels[1])  # another seed
    assert not np.array_equal(kernels[0], kernels[2])  # another strength


def test_a_run_is_that_of_its_seed_alone(stages):
    plan = stages.plan
    hparams = rj.make_hparams(
        learning_rate=plan.options.learning_rate,
        n_train=40,
        penalties={"loss": rj.l2(0.1)},
        standardization=Preprocessors(plan.splits).of(6, 40).standardization,
    )
    (alone,) = rj.run_lanes([rj.Lane(stages.runner.run_fn, hparams, run_key(6), 1)], stages.runner.data)
    assert_trees_equal(stages.trained["l2"][1][1].results[1], alone)


def test_progress_names_the_technique_and_ends_at_the_number_expected(stages):
    assert [done for done, _, _ in stages.steps] == list(range(1, 11))
    # Two seeds each: a baseline and two strengths choose; two rows are trained anew for the test.
    assert {total for _, total, _ in stages.steps} == {10}
    assert {name for _, _, name in stages.steps} == {"baseline", "l2"}


def test_what_is_left_is_counted_from_what_is_done_with_that_of_later_splits():
    runner = Runner(None, {}, {}, None, range(3), None, None, None, None, None, done=7, later=20)
    runner.expect(12)
    assert runner.total == 39
    runner.expect(0)
    assert runner.total == 27
