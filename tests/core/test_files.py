import fcntl
import hashlib
import json
import os
import subprocess
import sys
import threading
import time

import pytest

from regjax.core import files
from regjax.core.files import (
    DamagedError,
    Lock,
    LockedError,
    file_digests,
    remove_stale,
    replace_directory,
    temporary_sibling,
    verify_manifest,
    write_manifest,
)


@pytest.fixture
def sealed(tmp_path):
    """A directory with two files, one in a folder, and a manifest."""
    (tmp_path / "deep").mkdir()
    (tmp_path / "a").write_bytes(b"first")
    (tmp_path / "deep/b").write_bytes(b"second")
    write_manifest(tmp_path, {"step": 3})
    return tmp_path


def test_a_sealed_directory_gives_its_facts(sealed):
    assert verify_manifest(sealed) == {"step": 3}


@pytest.mark.parametrize("name", ["a", "deep/b", "manifest.json"])
def test_every_flipped_bit_of_every_file_is_noticed(sealed, name):
    path = sealed / name
    content = path.read_bytes()
    for position in range(len(content)):
        path.write_bytes(content[:position] + bytes([content[position] ^ 1]) + content[position + 1 :])
        with pytest.raises(DamagedError):
            verify_manifest(sealed)
    path.write_bytes(content)
    verify_manifest(sealed)


@pytest.mark.parametrize("name", ["a", "deep/b", "manifest.json"])
def test_a_truncated_or_missing_file_is_noticed(sealed, name):
    os.truncate(sealed / name, 3)
    with pytest.raises(DamagedError, match=r"3 bytes|manifest"):
        verify_manifest(sealed)
    (sealed / name).unlink()
    with pytest.raises(DamagedError, match=r"is missing|manifest"):
        verify_manifest(sealed)


def test_a_flipped_bit_in_any_piece_of_a_large_file_is_noticed(tmp_path, monkeypatch):
    monkeypatch.setattr("regjax.core.files.PIECE_BYTES", 64)
    content = bytes(range(256)) + b"and a rest"
    (tmp_path / "large").write_bytes(content)
    write_manifest(tmp_path, {})
    size, pieces = json.loads((tmp_path / "manifest.json").read_text())["files"]["large"]
    assert (size, len(pieces)) == (266, 5)
    assert pieces == [hashlib.sha256(content[i : i + 64]).hexdigest() for i in range(0, 266, 64)]
    for position in (0, 63, 64, 200, 265):
        (tmp_path / "large").write_bytes(content[:position] + bytes([content[position] ^ 4]) + content[position + 1 :])
        with pytest.raises(DamagedError, match="large does not match"):
            verify_manifest(tmp_path)


@pytest.mark.parametrize("size", [1, 64, 65, 200])
def test_a_file_is_read_while_its_pieces_are_hashed(tmp_path, monkeypatch, size):
    monkeypatch.setattr("regjax.core.files.PIECE_BYTES", 64)
    content = bytes(range(size))
    (tmp_path / "file").write_bytes(content)
    written, into = file_digests(tmp_path / "file"), bytearray(size)
    assert file_digests(tmp_path / "file", memoryview(into)) == written
    assert into == content
    (tmp_path / "file").write_bytes(content[:-1])
    assert file_digests(tmp_path / "file", memoryview(bytearray(size))) != written


def test_a_file_too_many_is_noticed(sealed):
    (sealed / "deep/extra").write_bytes(b"")
    with pytest.raises(DamagedError, match="deep/extra is not of it"):
        verify_manifest(sealed)


def test_facts_cannot_be_changed_afterwards(sealed):
    manifest = json.loads((sealed / "manifest.json").read_text())
    manifest["facts"]["step"] = 4
    (sealed / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(DamagedError, match="its own checksum"):
        verify_manifest(sealed)


@pytest.mark.parametrize("exchanged", [True, False])
def test_a_replaced_directory_is_whole_in_either_way(tmp_path, monkeypatch, exchanged):
    if not exchanged:  # as on systems that cannot exchange two directories
        monkeypatch.setattr(files, "_exchanged", lambda source, target: False)
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "content").write_text(name)
    replace_directory(tmp_path / "new", tmp_path / "old")
    assert [path.name for path in tmp_path.iterdir()] == ["old"]
    assert (tmp_path / "old/content").read_text() == "new"


@pytest.mark.skipif(sys.platform != "linux", reason="two directories are exchanged in one step on Linux alone")
def test_there_is_always_an_old_or_a_new_directory(tmp_path):
    """A reader that looks as often as it can never finds none."""
    target, missing, done = tmp_path / "target", [], threading.Event()
    target.mkdir()

    def look():
        while not done.is_set():
            if not target.is_dir():
                missing.append(1)

    reader = threading.Thread(target=look)
    reader.start()
    for i in range(200):
        (tmp_path / f"new{i}").mkdir()
        replace_directory(tmp_path / f"new{i}", target)
    done.set()
    reader.join()
    assert not missing


@pytest.mark.parametrize("keep", [True, False])
def test_replace_directory(tmp_path, keep):
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "content").write_text(name)
    replace_directory(tmp_path / "new", tmp_path / "old", keep=keep)
    assert (tmp_path / "old" / "content").read_text() == ("old" if keep else "new")


def test_stale_directories_are_removed_and_young_ones_stay(tmp_path):
    target = tmp_path / "target"
    temporary_sibling(target).mkdir()
    remove_stale(tmp_path)
    assert len(list(tmp_path.iterdir())) == 1
    remove_stale(tmp_path, older_than=0.0)
    assert not list(tmp_path.iterdir())


def test_one_lock_at_a_time_and_no_file_left(tmp_path):
    path = tmp_path / "lock"
    with Lock(path), pytest.raises(LockedError, match="locked by another process"):
        Lock(path).acquire()
    assert not path.exists()
    with Lock(path):
        pass


def test_a_stale_lock_file_locks_nothing(tmp_path):
    (tmp_path / "lock").write_text("left by a killed process")
    with Lock(tmp_path / "lock"):
        pass


def test_a_killed_process_gives_its_lock_back(tmp_path):
    code = (
        "import sys, time, pathlib; from regjax.core.files import Lock\n"
        "lock = Lock(pathlib.Path(sys.argv[1])); lock.acquire(); print('held', flush=True); time.sleep(100)"
    )
    path = tmp_path / "lock"
    with subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "held\n"
        with pytest.raises(LockedError):
            Lock(path).acquire()
        process.kill()
    with Lock(path):
        pass


def test_a_lock_file_that_vanishes_before_it_is_locked_is_made_again(tmp_path, monkeypatch):
    flock, calls = fcntl.flock, []

    def late(file, how):
        flock(file, how)
        calls.append(how)
        if len(calls) < 3:  # its holder gives it back in this moment
            (tmp_path / "lock").unlink()

    monkeypatch.setattr(fcntl, "flock", late)
    with Lock(tmp_path / "lock"):
        assert len(calls) == 3
        with pytest.raises(LockedError):
            Lock(tmp_path / "lock").acquire()


def test_threads_that_race_for_a_lock_hold_it_one_at_a_time(tmp_path):
    holders, most, done = [], [], []

    def compete():
        while True:
            lock = Lock(tmp_path / "lock")
            try:
                lock.acquire()
            except LockedError:
                time.sleep(0.0005)
                continue
            holders.append(1)
            most.append(len(holders))
            time.sleep(0.0002)
            holders.pop()
            lock.release()
            done.append(1)
            return

    threads = [threading.Thread(target=compete) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(done), max(most)) == (20, 1)
