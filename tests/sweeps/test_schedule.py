import math
import random

import pytest

from regjax.sweeps.rungs import Rung, epochs_in_all, halving_rungs
from regjax.sweeps.schedule import Asha, AskTell, Halving, Schedule, Score, Task


def play(schedule, score_of, seed=0, at_once=4):
    """Train tasks in a random order, as a machine might on which they take different times; returns the log."""
    order, under_way = random.Random(seed), []
    while True:
        while len(under_way) < at_once and (task := schedule.next()) is not None:
            under_way.append(task)
        if not under_way:
            assert schedule.finished
            return schedule.log
        task = under_way.pop(order.randrange(len(under_way)))
        schedule.report(task, score_of(task))


def by_trial(task):
    """The score is the number of the trial, whatever the rung."""
    return Score(float(task.trial))


def trials_on(log, rung):
    return sorted(task.trial for task, _ in log if task.rung == rung)


def test_halving_keeps_the_best_of_each_rung():
    rungs = halving_rungs(9, 9, min_epochs=1)
    log = play(Schedule(Halving(rungs)), by_trial)
    assert [trials_on(log, rung) for rung in range(3)] == [list(range(9)), [6, 7, 8], [8]]
    assert sum(task.until - task.start for task, _ in log) == epochs_in_all(rungs)


def test_each_task_goes_on_where_the_one_before_ended():
    log = play(Schedule(Halving(halving_rungs(27, 27, min_epochs=1))), by_trial)
    assert [(task.start, task.until) for task, _ in log if task.trial == 26] == [(0, 1), (1, 3), (3, 9), (9, 27)]


def test_scores_that_are_not_finite_never_go_on():
    def score_of(task):
        return Score([math.nan, 0.1, math.inf, -math.inf][task.trial % 4])

    for policy in (Halving(halving_rungs(9, 9, min_epochs=3)), Asha(halving_rungs(9, 9, min_epochs=3))):
        assert set(trials_on(play(Schedule(policy, 2), score_of), 1)) <= {1, 5}
    nothing = play(Schedule(Halving(halving_rungs(9, 9, min_epochs=1))), lambda task: Score(math.nan))
    assert len(nothing) == 9


def test_ties_are_broken_by_the_second_number_and_then_by_the_order():
    rungs = [Rung(1, 4), Rung(2, 2)]
    log = play(Schedule(Halving(rungs)), lambda task: Score(0.5, -float(task.trial != 3)))
    assert trials_on(log, 1) == [0, 3]


def test_trials_that_are_halted_have_ended():
    halving = Halving([Rung(1, 4), Rung(2, 2), Rung(4, 1)])
    first = [halving.choose() for _ in range(4)]
    for task in first[:-1]:
        halving.record(task, by_trial(task))
    assert halving.ended == set()
    halving.record(first[-1], by_trial(first[-1]))
    assert halving.ended == {0, 1}
    for task in (halving.choose(), halving.choose()):
        halving.record(task, by_trial(task))
    assert halving.ended == {0, 1, 2}


def test_asha_by_hand():
    """Two places, reduction 2, rungs at 1 and 2 epochs. Scores: 3, 1, 2, 4 for the trials 0 to 3."""
    values = [3.0, 1.0, 2.0, 4.0]
    log = play(Schedule(Asha([Rung(1, 4), Rung(2, 2)], 2), 2), lambda task: Score(values[task.trial]))
    # At 1 the first ends and trial 2 begins; then the second ends, and trial 0 is in the best half of two. At 2 trials
    # 2 and 0 end, and trial 3 begins, which is then in the best two of four.
    assert [(task.trial, task.rung) for task, _ in log] == [(0, 0), (1, 0), (2, 0), (0, 1), (3, 0), (3, 1)]


@pytest.mark.parametrize("places", [1, 3, 8])
@pytest.mark.parametrize("trials", [1, 5, 40])
def test_asha_lets_at_least_as_many_go_on_as_halving(places, trials):
    values = [random.Random(trials).random() for _ in range(trials)]
    rungs = halving_rungs(trials, 27, min_epochs=1)
    log = play(Schedule(Asha(rungs), places), lambda task: Score(values[task.trial]))
    assert trials_on(log, 0) == list(range(trials))
    for rung, expected in enumerate(rungs):
        assert len(trials_on(log, rung)) >= expected.trials
        assert len(set(trials_on(log, rung))) == len(trials_on(log, rung))
    best = max(range(trials), key=values.__getitem__)
    assert best in trials_on(log, len(rungs) - 1)


@pytest.mark.parametrize("make", [lambda rungs: Asha(rungs), lambda rungs: Halving(rungs)])
def test_the_order_does_not_depend_on_how_long_tasks_take(make):
    rungs = halving_rungs(30, 27, min_epochs=1)

    def score_of(task):
        return Score(random.Random(task.trial * 100 + task.rung).random())

    logs = [play(Schedule(make(rungs), 6), score_of, seed, at_once) for seed, at_once in ((0, 1), (1, 3), (2, 6))]
    assert logs[0] == logs[1] == logs[2]


def test_no_more_tasks_than_places_are_given_out():
    schedule = Schedule(Asha(halving_rungs(20, 9)), 3)
    assert [schedule.next() is not None for _ in range(4)] == [True] * 3 + [False]


def test_a_sampler_is_asked_and_told_in_an_order_that_does_not_depend_on_speed():
    """With two places a trial is proposed when all but one of those before it are known."""

    def calls(seed):
        made = []
        policy = AskTell(lambda trial: made.append(("ask", trial)), lambda *told: made.append(told), 4, 10)
        log = play(Schedule(policy, 2), by_trial, seed, at_once=2)
        assert [task for task, _ in log] == [Task(trial, 0, 0, 10) for trial in range(4)]
        return made

    expected = [("ask", 0), ("ask", 1), (0, 0.0), ("ask", 2), (1, 1.0), ("ask", 3), (2, 2.0), (3, 3.0)]
    assert calls(0) == calls(1) == calls(5) == expected


def test_wrong_numbers_are_refused():
    with pytest.raises(ValueError, match="places"):
        Schedule(Halving([Rung(1, 1)]), 0)
    with pytest.raises(ValueError, match="reduction"):
        Asha([Rung(1, 1)], 1)
