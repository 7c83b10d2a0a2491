import dataclasses

import jax
import numpy as np
import pytest

import regjax as rj
from regjax.sweeps import programs
from regjax.sweeps.rungs import Rung, epochs_in_all, halving_rungs
from regjax.sweeps.schedule import Asha, AskTell, Halving, Schedule, Score
from regjax.sweeps.search import search
from tests.helpers import assert_trees_equal

pytestmark = pytest.mark.slow

RUNGS = halving_rungs(8, 6, min_epochs=2, reduction=2)  # 8 trials for 2 epochs, 4 for 3, 2 for 6


@pytest.fixture(scope="module")
def trials(spec):
    """Eight trials of two seeds; their learning rates make some much better than others."""
    run = rj.make_run(spec)
    return [
        [
            rj.Lane(
                run,
                rj.make_hparams(
                    learning_rate=rate, n_train=80, rates={"dropout": 0.2}, average=rj.ema(0.9), restore_best=True
                ),
                jax.random.key(seed),
                seed,
            )
            for seed in (0, 1)
        ]
        for rate in (1e-4, 0.02, 1e-3, 0.05, 3e-4, 0.01, 3e-3, 0.03)
    ]


@pytest.fixture(scope="module")
def whole(trials, blobs):
    """Every trial trained to its end in one go."""
    return rj.run_lanes([lane for lanes in trials for lane in lanes], blobs, keep_weights=False)


def halved(trials, blobs, **options):
    return search(Schedule(Halving(RUNGS)), trials.__getitem__, blobs, **options)


@pytest.fixture(scope="module")
def found(trials, blobs):
    return halved(trials, blobs)


def losses_at(whole, epochs):
    """The lowest loss of each trial up to some epochs, a mean over its seeds."""
    curves = np.array([result.history.values["val/loss"][:epochs] for result in whole])
    return curves.min(axis=1).reshape(-1, 2).mean(axis=1)


def test_what_goes_on_is_bitwise_the_run_that_was_not_paused(found, whole):
    kept = [step for step in found.steps if step.task.until == 6]
    assert len(kept) == 2
    for step in kept:
        for k, result in enumerate(step.results):
            assert_trees_equal(result, whole[step.task.trial * 2 + k])


def test_what_is_halted_is_the_beginning_of_the_whole_run(found, whole):
    for step in found.steps:
        for k, result in enumerate(step.results):
            assert int(result.epochs) == step.task.until
            own = whole[step.task.trial * 2 + k].history.table[: step.task.until]
            np.testing.assert_array_equal(result.history.table[: step.task.until], own)
            assert np.isnan(result.history.table[step.task.until :]).all()


def test_the_best_by_the_mean_over_seeds_go_on(found, whole):
    alive = list(range(8))
    for rung, following in zip(RUNGS, [*RUNGS[1:], Rung(6, 0)], strict=True):
        assert sorted(step.task.trial for step in found.steps if step.task.until == rung.epochs) == sorted(alive)
        loss = losses_at(whole, rung.epochs)
        alive = sorted(alive, key=loss.__getitem__)[: following.trials]


def test_every_epoch_is_trained_once(found):
    assert found.epochs == 2 * epochs_in_all(RUNGS)
    assert {trial: step.task.until for trial, step in found.last().items() if step.task.until == 6}.keys() <= set(
        range(8)
    )


def test_one_program_serves_all_trials_rungs_and_schedules(trials, blobs, spec):
    run = rj.make_run(dataclasses.replace(spec, steps_per_epoch=2))  # one that no other test compiles
    others = [[lane._replace(run=run) for lane in lanes] for lanes in trials]
    functions = (programs.advance_lane, programs.initial_state)
    before = [function._cache_size() for function in functions]
    halved(others, blobs, layout="map")
    search(Schedule(Asha(RUNGS, 2), 3), others.__getitem__, blobs, layout="map")
    assert [function._cache_size() - old for function, old in zip(functions, before, strict=True)] == [1, 1]


@pytest.mark.parametrize("chunk", [1, 4, 64])
def test_side_by_side_it_finds_the_same(trials, blobs, found, chunk):
    other = halved(trials, blobs, layout="vmap", chunk=chunk)
    assert [step.task for step in other.steps] == [step.task for step in found.steps]
    for one, two in zip(found.steps, other.steps, strict=True):
        assert two.epochs == one.epochs
        for left, right in zip(one.results, two.results, strict=True):
            assert_trees_equal(left, right, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("chunk", [4, 64])
def test_side_by_side_nothing_is_compiled_for_a_further_rung(trials, blobs, chunk):
    halved(trials, blobs, layout="vmap", chunk=chunk)
    before = programs.advance._cache_size()
    two_rungs = Schedule(Halving(halving_rungs(8, 6, min_epochs=3, reduction=2)))
    search(two_rungs, trials.__getitem__, blobs, layout="vmap", chunk=chunk)
    assert programs.advance._cache_size() == before


@pytest.mark.parametrize("layout", ["map", "vmap"])
def test_asha_finds_the_same_on_any_number_of_workers(trials, blobs, layout):
    def asha(workers):
        return search(Schedule(Asha(RUNGS, 2), 3), trials.__getitem__, blobs, workers=workers, layout=layout, chunk=3)

    one, three = asha(1), asha(3)
    assert [step.task for step in one.steps] == [step.task for step in three.steps]
    assert {step.task.until for step in one.steps} == {2, 3, 6}
    if layout == "map":
        assert [step.score for step in one.steps] == [step.score for step in three.steps]


def test_a_run_that_stops_early_trains_no_further_and_is_counted_as_long_as_it_trained(trials, blobs):
    stopping = rj.EarlyStopping(patience=1, min_delta=100.0)  # the second evaluation is no gain
    short = [[lane._replace(hparams=lane.hparams._replace(stopping=stopping)) for lane in lanes] for lanes in trials]
    found = halved(short, blobs)
    assert [step.epochs for step in found.steps] == [4] * 8 + [0] * 6
    kept = [step for step in found.steps if step.task.until == 6]
    alone = rj.run_lanes(short[kept[0].task.trial], blobs, keep_weights=False)
    for one, other in zip(kept[0].results, alone, strict=True):
        assert_trees_equal(one, other)


class Stop(Exception):
    """Ends a search in the middle."""


@pytest.mark.parametrize("layout", ["map", "vmap"])
@pytest.mark.parametrize("after", [3, 9, 13])
def test_a_search_that_was_interrupted_goes_on(trials, blobs, found, tmp_path, layout, after):
    options = {"store": rj.LaneStore(tmp_path), "layout": layout, "chunk": 4}
    calls = []

    def fail(task, results):
        calls.append(task)
        if len(calls) == after:
            raise Stop

    with pytest.raises(Stop):
        halved(trials, blobs, on_done=fail, **options)
    kept = {path: path.stat().st_mtime_ns for path in tmp_path.glob("epoch-*/*.npz")}
    assert len(kept) >= 2 * after
    seen = []
    resumed = halved(trials, blobs, on_done=lambda task, _: seen.append(task), **options)
    assert len(seen) == len(found.steps)
    assert {path: path.stat().st_mtime_ns for path in kept} == kept  # nothing was trained again
    assert [step.task for step in resumed.steps] == [step.task for step in found.steps]
    for one, other in zip(resumed.steps, found.steps, strict=True):
        assert one.epochs == other.epochs
        tolerance = {} if layout == "map" else {"rtol": 1e-4, "atol": 1e-5}
        assert_trees_equal(one.results, other.results, **tolerance)


def test_states_of_trials_that_ended_are_removed(trials, blobs, tmp_path):
    halved(trials, blobs, store=rj.LaneStore(tmp_path))
    assert list((tmp_path / "states").iterdir()) == []


def test_a_sampler_that_is_told_scores_proposes_the_lanes(trials, blobs, whole):
    """Each trial is proposed by the score of the one before: as long as it got better, the next rate is larger."""
    proposed, told = [], []

    def ask(trial):
        assert trial == len(proposed)
        proposed.append(trial)

    schedule = Schedule(AskTell(ask, lambda *one: told.append(one), 4, 6), 1)
    found = search(schedule, lambda trial: trials[proposed[trial]], blobs)
    assert proposed == [0, 1, 2, 3]
    assert [trial for trial, _ in told] == [0, 1, 2, 3]
    np.testing.assert_allclose([-score for _, score in told], losses_at(whole, 6)[:4], rtol=1e-6)
    assert found.epochs == 4 * 2 * 6


def test_own_scores_decide(trials, blobs):
    found = halved(trials, blobs, score=lambda task, results: Score(-float(task.trial)))
    assert sorted(step.task.trial for step in found.steps if step.task.until == 6) == [0, 1]


def test_what_cannot_be_searched_is_refused(trials, blobs, spec):
    other = rj.make_run(dataclasses.replace(spec, epochs=7))
    mixed = [*trials[:7], [lane._replace(run=other) for lane in trials[7]]]
    with pytest.raises(rj.InputError, match="trial 7 needs another program"):
        halved(mixed, blobs)
    with pytest.raises(rj.InputError, match="trial 7 has 1 runs, others have 2"):
        halved([*trials[:7], trials[7][:1]], blobs)
    with pytest.raises(rj.InputError, match="at least one run"):
        halved([[]] * 8, blobs)
    with pytest.raises(rj.InputError, match="memory_limit: one call needs"):
        halved(trials, blobs, memory_limit="20KB")
