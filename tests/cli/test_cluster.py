"""A run of one process, and flags; several processes are tested in `tests/system/devices`."""

import jax
import pytest

from regjax.cli import cluster
from regjax.cli.flags import FlagError
from regjax.cli.options import DeviceOptions

BY_HAND = {"coordinator": "host:1234", "num_processes": 2, "process_id": 1}


@pytest.mark.parametrize("options", [{}, {"distributed": True}, {"distributed": True, **BY_HAND}])
def test_flags_that_belong_together(options):
    cluster.check(DeviceOptions(**options))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (BY_HAND, "coordinator: is for --distributed"),
        ({"distributed": True, "num_processes": 2}, "num_processes: give .* together"),
        ({"distributed": True, **BY_HAND, "coordinator": "host"}, "coordinator: must be HOST:PORT"),
        ({"distributed": True, **BY_HAND, "coordinator": "host:port"}, "coordinator: must be HOST:PORT"),
        ({"distributed": True, **BY_HAND, "coordinator": ":1234"}, "coordinator: must be HOST:PORT"),
        ({"distributed": True, **BY_HAND, "process_id": 2}, "process_id: must be below --num_processes"),
    ],
)
def test_flags_that_do_not(options, message):
    with pytest.raises(FlagError, match=message):
        cluster.check(DeviceOptions(**options))


def test_the_process_that_is_started_watches_and_its_member_works(monkeypatch):
    monkeypatch.delenv(cluster._MEMBER, raising=False)
    assert cluster.is_watcher(DeviceOptions(distributed=True))
    assert not cluster.is_watcher(DeviceOptions())
    monkeypatch.setenv(cluster._MEMBER, "1")
    assert not cluster.is_watcher(DeviceOptions(distributed=True))


def test_one_process_leads_and_asks_nobody():
    assert cluster.leads()
    assert cluster.count() == 1
    assert [cluster.any_of(mine) for mine in (True, False)] == [True, False]
    assert cluster.first(lambda: 7) == 7
    with pytest.raises(KeyError):
        cluster.first(lambda: {}["missing"])


def test_one_process_cannot_lose_another():
    assert not cluster.lost_another(jax.errors.JaxRuntimeError("UNAVAILABLE: connection to peer"))


def test_joining_is_for_distributed_runs_alone():
    cluster.join(DeviceOptions())
    assert jax.process_count() == 1
