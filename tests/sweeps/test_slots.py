import jax
import pytest

import regjax as rj
from regjax.sweeps.slots import bucket, epochs_at_once, train_in_slots

DEVICE = jax.devices()[0]


@pytest.mark.parametrize("count", range(1, 70))
def test_a_bucket_is_the_next_power_of_two(count):
    size = bucket(count)
    assert size & (size - 1) == 0
    assert size / 2 < count <= size


@pytest.mark.parametrize(("epochs", "block"), [(1, 1), (49, 1), (100, 2), (1000, 20)])
def test_lanes_are_checked_fifty_times_a_run(epochs, block):
    assert epochs_at_once(epochs) == block


@pytest.fixture(scope="module")
def short():
    """Five lanes that train for one epoch more than their patience: only the first evaluation improves by enough."""
    spec = rj.Spec(rj.models.make_model("linear", num_outputs=2), num_classes=2, batch_size=16, epochs=6)
    run = rj.make_run(spec)
    rules = [rj.EarlyStopping(patience=patience, min_delta=100.0) for patience in (1, 1, 2, 1, 3)]
    return [rj.Lane(run, rj.make_hparams(n_train=80, stopping=rule), jax.random.key(0)) for rule in rules]


def train(lanes, data, first, **options):
    waiting, done = [i for i in range(len(lanes)) if i not in first], {}

    def take_more(count):
        taken, waiting[:] = waiting[:count], waiting[count:]
        return taken

    def finish(indices, results):
        done.update({i: int(r.epochs) for i, r in zip(indices, results, strict=True)})

    train_in_slots(first, lanes, data, DEVICE, take_more=take_more, finish=finish, **options)
    return done


@pytest.mark.slow
def test_every_lane_finishes_once_and_frees_its_slot_for_the_next(short, blobs):
    done = train(short, blobs, [0, 4])
    # Lane 1 takes the slot of lane 0 and ends together with lane 4, so that lanes 2 and 3 begin together.
    assert list(done.items()) == [(0, 2), (1, 2), (4, 4), (3, 2), (2, 3)]


def test_lanes_that_are_abandoned_do_not_finish(short, blobs):
    checks = []
    assert train(short, blobs, [2, 4], stopped=lambda: checks.append(1) or len(checks) == 2) == {}
    assert len(checks) == 2
