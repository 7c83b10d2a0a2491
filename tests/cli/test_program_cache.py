"""The cache of compiled programs stays within its limit, and loses what was not used for longest."""

import os
from pathlib import Path

import pytest

from regjax.cli.program_cache import folder, prune


@pytest.fixture
def programs(tmp_path):
    """Ten programs of 100 bytes; the first was used last, the others in their order."""
    for i in range(10):
        path = tmp_path / f"jit_{i}-cache"
        path.write_bytes(bytes(100))
        os.utime(path, (9_000 if i == 0 else i, i))
    return tmp_path


def names(directory):
    return sorted(int(path.name[4]) for path in directory.iterdir())


def test_below_the_limit_nothing_is_removed(programs):
    prune(programs, limit=1_000)
    assert names(programs) == list(range(10))


def test_above_it_half_is_left_of_what_was_used_last(programs):
    prune(programs, limit=999)
    assert names(programs) == [0, 7, 8, 9]


def test_a_program_that_another_process_removes_is_no_error(programs, monkeypatch):
    unlink = os.unlink

    def twice(path):
        unlink(path)
        unlink(path)

    monkeypatch.setattr("regjax.cli.program_cache.os.unlink", twice)
    prune(programs, limit=500)
    assert names(programs) == [0, 9]


def test_a_directory_that_is_not_there_is_no_error(tmp_path):
    prune(tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_it_is_below_the_cache_of_the_user(monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert folder() == Path("/somewhere/regjax/xla")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert folder() == Path.home() / ".cache/regjax/xla"
