import dataclasses

import jax
import numpy as np
import pytest

import regjax as rj
from regjax.sweeps import programs
from tests.helpers import assert_trees_equal

pytestmark = pytest.mark.slow


def stopped_at(results):
    return [int(result.epochs) for result in results]


def test_the_lanes_of_the_fixture_stop_at_different_epochs(mapped):
    assert len(set(stopped_at(mapped))) >= 3


@pytest.mark.parametrize("compact", [True, False])
@pytest.mark.parametrize("chunk", [1, 3, 4, 64])
def test_vmapped_lanes_agree_with_mapped_ones(lanes, blobs, mapped, compact, chunk):
    found = rj.run_lanes(lanes, blobs, layout="vmap", chunk=chunk, compact=compact)
    assert stopped_at(found) == stopped_at(mapped)
    for one, other in zip(found, mapped, strict=True):
        assert_trees_equal(one, other, rtol=1e-4, atol=1e-5)


def test_compaction_compiles_a_program_for_each_power_of_two_at_most(lanes, blobs):
    before = programs.advance._cache_size()
    rj.run_lanes(lanes, blobs, layout="vmap", chunk=8)
    again = programs.advance._cache_size()
    assert again - before <= 4  # 8, 4, 2, 1
    rj.run_lanes(lanes[::-1], blobs, layout="vmap", chunk=8)
    assert programs.advance._cache_size() - again <= 1


def test_a_diverged_lane_leaves_the_others_alone(spec, blobs):
    run = rj.make_run(spec)
    rates = [0.01, 1e30, 0.02, 1e30]
    lanes = [rj.Lane(run, rj.make_hparams(learning_rate=r, n_train=80), jax.random.key(i)) for i, r in enumerate(rates)]
    for options in ({"layout": "map"}, {"layout": "vmap", "compact": False}, {"layout": "vmap"}):
        found = rj.run_lanes(lanes, blobs, **options)
        alone = rj.run_lanes([*lanes[:1], lanes[0], lanes[2], lanes[2]], blobs, **options)
        assert [int(r.reason) for r in found[::2]] == [0, 0]
        assert all(int(r.epochs) < spec.epochs for r in found[1::2])
        if not (options["layout"] == "vmap" and options.get("compact", True)):
            # With compaction the lanes that go on move to a smaller program, whose sums are in another order.
            assert_trees_equal(found[0].weights, alone[0].weights)
            assert_trees_equal(found[2].weights, alone[2].weights)


def test_programs_that_differ_are_mixed(lanes, blobs, spec, mapped):
    other = rj.make_run(dataclasses.replace(spec, epochs=2))
    mixed = [
        lane for pair in zip(lanes[:4], [lane._replace(run=other) for lane in lanes[:4]], strict=True) for lane in pair
    ]
    found = rj.run_lanes(mixed, blobs, layout="vmap", chunk=2)
    assert stopped_at(found[::2]) == stopped_at(mapped[:4])
    assert max(stopped_at(found[1::2])) <= 2


def test_weights_are_dropped_on_request(lanes, blobs, mapped):
    found = rj.run_lanes(lanes[:3], blobs, keep_weights=False)
    assert [result.weights for result in found] == [None] * 3
    np.testing.assert_array_equal(found[1].history.table, mapped[1].history.table)


def test_a_mesh_belongs_to_the_sweep(lanes, blobs):
    spec = dataclasses.replace(lanes[0].run.spec, mesh=rj.make_mesh(1, 1))
    with pytest.raises(rj.InputError, match="to the sweep, not to the Spec"):
        rj.run_lanes([lanes[0]._replace(run=rj.make_run(spec))], blobs)


def test_no_lanes_give_no_results(blobs):
    assert rj.run_lanes([], blobs) == []


def test_warm_starts_reach_every_layout(lanes, blobs):
    weights = rj.init_weights(lanes[0].run.spec, jax.random.key(99), blobs.x[:1])
    warm = [lane._replace(weights=weights) for lane in lanes[:3]]
    mapped = rj.run_lanes(warm, blobs)
    assert not np.array_equal(mapped[0].history.table, rj.run_lanes(lanes[:1], blobs)[0].history.table)
    for one, other in zip(rj.run_lanes(warm, blobs, layout="vmap", chunk=2), mapped, strict=True):
        assert_trees_equal(one, other, rtol=1e-4, atol=1e-5)
