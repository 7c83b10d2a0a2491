import json
import os
import threading
import time
import warnings

import numpy as np
import pytest

from regjax.core.errors import InputError
from regjax.core.files import seal
from regjax.data import CacheWarning, cache_root
from regjax.data.cache import cached_arrays, file_fingerprint

SOURCE = {"name": "toy", "files": {"a": (3, 4)}}


def decode():
    x = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    return {"x": x, "y": np.array([0.5, -1.0], np.float32)}, {"class_names": ["a", "b"]}


def never():
    raise AssertionError("decoded although the cache holds it")


def entry(cache):
    return cache / "arrays" / "toy"


def test_root_follows_the_environment(monkeypatch, tmp_path):
    assert cache_root("/given").as_posix() == "/given"
    assert cache_root() == tmp_path / "cache"
    monkeypatch.delenv("REGJAX_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/xdg")
    assert cache_root().as_posix() == "/xdg/regjax"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_root() == tmp_path / ".cache" / "regjax"


def test_read_equals_decoded(cache):
    first, facts = cached_arrays("toy", SOURCE, decode)
    again, facts_again = cached_arrays("toy", SOURCE, never)
    assert facts == facts_again == {"class_names": ["a", "b"]}
    for name, array in first.items():
        np.testing.assert_array_equal(array, again[name])
        assert array.dtype == again[name].dtype
        assert again[name].flags.writeable
    # The files are plain .npy files for anyone else.
    np.testing.assert_array_equal(np.load(entry(cache) / "x.npy", allow_pickle=False), first["x"])
    manifest = json.loads((entry(cache) / "manifest.json").read_text())
    assert manifest["arrays"]["x"] | {"sha256": "", "file_bytes": 0} == {
        "shape": [2, 3, 4], "dtype": "|u1", "count": 2, "bytes": 24, "sha256": "", "file_bytes": 0,
    }  # fmt: skip


def test_every_flipped_byte_is_noticed(cache):
    cached_arrays("toy", SOURCE, decode)
    expected, _ = decode()
    for name in ("x.npy", "manifest.json"):
        path = entry(cache) / name
        sound = path.read_bytes()
        for place in range(0, len(sound), 7):
            path.write_bytes(sound[:place] + bytes([sound[place] ^ 1]) + sound[place + 1 :])
            try:
                with pytest.warns(CacheWarning):
                    arrays, _ = cached_arrays("toy", SOURCE, decode)
            except pytest.fail.Exception:
                # JSON may carry the same content after a flip, as in white space; then nothing is lost.
                assert name == "manifest.json"
                arrays, _ = cached_arrays("toy", SOURCE, never)
            np.testing.assert_array_equal(arrays["x"], expected["x"])
            path.write_bytes(sound)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda e: os.truncate(e / "x.npy", 130), "x.npy has 130 bytes"),
        (lambda e: (e / "y.npy").unlink(), "y.npy cannot be read"),
        (lambda e: (e / "manifest.json").unlink(), "manifest cannot be read"),
        (lambda e: (e / "manifest.json").write_text("[]"), "does not match its own checksum"),
        (lambda e: (e / "manifest.json").write_bytes(b"\xff\xfe"), "manifest"),
    ],
)
def test_damage_leads_to_decoding_again(cache, damage, message):
    cached_arrays("toy", SOURCE, decode)
    damage(entry(cache))
    with pytest.warns(CacheWarning, match=message):
        arrays, _ = cached_arrays("toy", SOURCE, decode)
    np.testing.assert_array_equal(arrays["x"], decode()[0]["x"])
    cached_arrays("toy", SOURCE, never)


def test_another_source_is_decoded_again(cache):
    cached_arrays("toy", SOURCE, decode)
    with pytest.warns(CacheWarning, match="source has changed"):
        arrays, _ = cached_arrays("toy", {"name": "other"}, lambda: ({"x": np.zeros(2)}, {}))
    assert arrays["x"].tolist() == [0, 0]


@pytest.mark.parametrize(("change", "warned"), [(-1, False), (1, True)])
def test_an_entry_of_another_version_is_decoded_again(cache, change, warned):
    """Silently, if the version is earlier: nothing is damaged."""
    cached_arrays("toy", SOURCE, decode)
    path = entry(cache) / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["format"] += change
    path.write_text(json.dumps(manifest | {"seal": seal(manifest)}))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        arrays, _ = cached_arrays("toy", SOURCE, decode)
    assert [str(one.message).partition(" it has ")[2][:8] for one in caught] == ["format 3"] * warned
    np.testing.assert_array_equal(arrays["x"], decode()[0]["x"])
    cached_arrays("toy", SOURCE, never)


def test_unwritable_cache_costs_only_time(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.warns(CacheWarning, match="could not be written"):
        arrays, _ = cached_arrays("toy", SOURCE, decode, cache_dir=tmp_path / "file")
    assert arrays["y"].tolist() == [0.5, -1.0]


def test_objects_are_refused(cache):
    with pytest.raises(InputError, match="must be numeric"):
        cached_arrays("toy", SOURCE, lambda: ({"x": np.array([{}], object)}, {}))
    assert not list(cache.rglob("*.npy"))


def test_leftovers_of_a_killed_write_are_removed(cache):
    leftover = cache / "arrays" / ".tmp-toy-1-dead"
    leftover.mkdir(parents=True)
    fresh = cache / "arrays" / ".tmp-toy-2-busy"
    fresh.mkdir()
    os.utime(leftover, (time.time() - 10_000,) * 2)
    cached_arrays("toy", SOURCE, decode)
    assert not leftover.exists()
    assert fresh.exists()


def test_writers_at_once(cache):
    barrier, results = threading.Barrier(6), []

    def work():
        barrier.wait()
        results.append(cached_arrays("toy", SOURCE, decode)[0])

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 6
    assert all(np.array_equal(arrays["x"], decode()[0]["x"]) for arrays in results)
    cached_arrays("toy", SOURCE, never)
    assert not list(cache.rglob(".tmp-*"))


def test_fingerprint_sees_edits(tmp_path):
    (tmp_path / "a").write_text("1")
    before = file_fingerprint(tmp_path)
    assert list(before) == ["a"]
    (tmp_path / "a").write_text("12")
    assert file_fingerprint(tmp_path) != before
