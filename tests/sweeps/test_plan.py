import dataclasses

import jax
import pytest

import regjax as rj
from regjax.sweeps.plan import fit_chunk
from regjax.training.compilations import CompilationCounter

pytestmark = pytest.mark.slow


def test_lanes_are_mapped_on_cpu_and_the_plan_says_why(lanes, blobs):
    plan = rj.plan_lanes(lanes, blobs)
    assert (plan.layout, plan.chunk, plan.programs, plan.lanes) == ("map", 1, 1, 10)
    text = plan.describe()
    assert "one lane a call" in text
    assert "because" in text
    assert "predicted" in text
    assert plan.predicted_bytes < plan.limit_bytes
    assert plan.to_json()["predicted_bytes"] == plan.predicted_bytes


@pytest.mark.parametrize("compact", [True, False])
def test_chunks_shrink_until_they_fit(lanes, blobs, compact):
    whole = rj.plan_lanes(lanes, blobs, layout="vmap", compact=compact, workers=1)
    assert whole.chunk == 10
    half = rj.plan_lanes(
        lanes, blobs, layout="vmap", compact=compact, workers=1, memory_limit=str(whole.predicted_bytes - 1)
    )
    assert half.chunk == 8
    small = rj.plan_lanes(
        lanes, blobs, layout="vmap", compact=compact, workers=1, memory_limit=str(whole.predicted_bytes // 3)
    )
    assert small.chunk < 8
    assert small.predicted_bytes <= small.limit_bytes
    assert any("to stay within the memory limit" in reason for reason in small.reasons)


def test_fewer_calls_at_a_time_where_memory_is_short(lanes, blobs):
    four = rj.plan_lanes(lanes, blobs, workers=4)
    assert four.at_once == 4
    limit = four.resident_bytes + 2 * four.call_bytes + 10
    assert rj.plan_lanes(lanes, blobs, workers=4, memory_limit=str(limit)).at_once == 2


def test_a_lane_that_does_not_fit_is_refused_by_plan_and_sweep(lanes, blobs):
    for layout in ("map", "vmap"):
        with pytest.raises(rj.InputError, match=r"memory_limit: one lane needs .* beside the data"):
            rj.plan_lanes(lanes, blobs, layout=layout, memory_limit="20KB")
        with pytest.raises(rj.InputError, match=r"memory_limit: one lane needs .* beside the data"):
            rj.run_lanes(lanes, blobs, layout=layout, memory_limit="20KB")


def test_a_small_limit_changes_the_layout_and_no_result(lanes, blobs, mapped):
    limit = str(rj.plan_lanes(lanes, blobs, layout="vmap").predicted_bytes // 3)
    found = rj.run_lanes(lanes, blobs, layout="vmap", memory_limit=limit)
    assert [int(r.epochs) for r in found] == [int(r.epochs) for r in mapped]


def test_the_prediction_does_not_depend_on_the_number_of_lanes_beyond_a_chunk(lanes, blobs):
    few, many = (rj.plan_lanes(lanes * times, blobs, layout="vmap", chunk=4) for times in (1, 20))
    assert few.predicted_bytes == many.predicted_bytes
    assert many.lanes == 200


def test_predicting_compiles_what_the_sweep_uses(lanes, blobs, spec):
    run = rj.make_run(dataclasses.replace(spec, epochs=3))
    own = [lane._replace(run=run) for lane in lanes[:2]]
    rj.plan_lanes(own, blobs)
    with CompilationCounter() as counter:
        rj.run_lanes(own, blobs)
    assert counter.count == 0


def test_larger_chunks_take_more(lanes, blobs):
    plan = rj.plan_lanes(lanes, blobs, layout="vmap", predict=False)
    place = jax.devices()[0]
    sizes = [fit_chunk(dataclasses.replace(plan, chunk=n), lanes, blobs, place, 2**40)[1] for n in (1, 4)]
    assert sizes[0] < sizes[1] < 8 * sizes[0]


@pytest.mark.parametrize("options", [{"layout": "diagonal"}, {"chunk": 0}, {"workers": 0}, {"memory_limit": "much"}])
def test_wrong_options_are_refused(lanes, blobs, options):
    with pytest.raises(ValueError, match=next(iter(options))):
        rj.run_lanes(lanes, blobs, **options)
