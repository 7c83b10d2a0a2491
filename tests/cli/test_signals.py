import os
import signal
import time

import pytest

from regjax.cli.signals import Signals

NUMBERS = (signal.SIGINT, signal.SIGTERM)


@pytest.fixture
def signals():
    before = [signal.getsignal(number) for number in NUMBERS]
    yield Signals()
    for number, handler in zip(NUMBERS, before, strict=True):
        signal.signal(number, handler)


@pytest.mark.parametrize("number", NUMBERS)
def test_the_first_signal_is_remembered_and_its_echo_ignored(signals, number, capsys):
    assert not signals.received
    for sent in (number, signal.SIGTERM, signal.SIGINT):  # a watcher passes on what its member got too
        os.kill(os.getpid(), sent)
    assert signals.received
    assert capsys.readouterr().err.count(number.name) == 1


def test_a_later_signal_ends_at_once(signals, monkeypatch):
    os.kill(os.getpid(), signal.SIGTERM)
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + 3.0)
    with pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGTERM)
