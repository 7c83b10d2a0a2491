"""The loader: which examples it reads, how far ahead, and where it puts them."""

import os
import subprocess
import sys
import threading
import time
import tracemalloc
from pathlib import Path

import jax
import numpy as np
import pytest

import regjax as rj
from regjax.data import as_rows
from regjax.training.batches import batch_rows
from tests.helpers import Reading

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
X = np.arange(60, dtype=np.float32)[:, None]
ORDER = np.random.default_rng(0).permutation(60).astype(np.int32)


@pytest.fixture(scope="module")
def small(spec):
    return rj.Spec(spec.model, num_classes=2, batch_size=8, steps_per_epoch=7, epochs=3)


def loader_of(rows, **options):
    return rj.StreamLoader(rows, np.arange(60, dtype=np.int32), ORDER, **options)


@pytest.mark.parametrize("start", [0, 5, 14, 20])
@pytest.mark.parametrize("steps", [1, 3, 7])
def test_blocks_are_the_rows_of_the_updates(small, start, steps):
    key = jax.random.key(4)
    loader = loader_of(as_rows("toy", X), block_bytes=steps * 8 * 4)
    blocks = list(loader.blocks(small, key, 50, start))
    lengths = [block.x.shape[0] for block in blocks]
    assert max(lengths) <= steps == loader.block_steps(small)
    assert {start + end for end in np.cumsum(lengths)} >= {end for end in (7, 14, 21) if end > start}  # ends of epochs
    expected = batch_rows(small, key, start, 21 - start, ORDER, 50)
    np.testing.assert_array_equal(np.concatenate([block.y for block in blocks]), expected)
    np.testing.assert_array_equal(np.concatenate([block.x for block in blocks])[..., 0], expected)


def test_blocks_are_spread_over_an_epoch(small):
    sizes = {
        steps: loader_of(as_rows("toy", X), block_bytes=steps * 8 * 4).block_steps(small) for steps in (2, 4, 6, 9)
    }
    assert sizes == {2: 2, 4: 4, 6: 4, 9: 7}  # 6 would leave a block of 1
    assert loader_of(as_rows("toy", X), block_bytes=1).block_steps(small) == 1
    with pytest.raises(ValueError, match="threads"):
        loader_of(as_rows("toy", X), threads=0)


@pytest.mark.parametrize("threads", [1, 4])
def test_reading_goes_ahead_by_a_block_and_no_further(small, threads):
    taken = []

    def read(index):
        taken.append(len(index))
        return X[index]

    rows = as_rows("toy", Reading(read, (60, 1)))
    blocks = loader_of(rows, threads=threads, block_bytes=2 * 8 * 4).blocks(small, jax.random.key(0), 60)
    for done in (2, 4, 6, 7, 9):
        next(blocks)
        wanted = min(done + max(2, threads), 21)
        ends = time.monotonic() + 10
        while len(taken) < wanted and time.monotonic() < ends:  # the next ones are read without being asked for
            time.sleep(0.01)
        time.sleep(0.05)
        assert len(taken) == wanted
    blocks.close()


def test_memory_is_bounded_by_four_blocks(spec):
    """A set of 64 MB passes through blocks of 1 MB; numpy tells tracemalloc what it holds."""
    wide = rj.Spec(spec.model, num_classes=2, batch_size=64, steps_per_epoch=64, epochs=1)

    def read(index):
        return np.ones((len(index), 4096), np.float32)

    rows = as_rows("toy", Reading(read, (4096, 4096)))
    loader = rj.StreamLoader(rows, np.zeros(4096, np.int32), np.arange(4096), threads=1, block_bytes=2**20)
    assert loader.block_steps(wide) == 1
    sum(1 for _ in loader.blocks(wide, jax.random.key(0), 4096))  # compiles and imports
    tracemalloc.start()
    try:
        for block in loader.blocks(wide, jax.random.key(0), 4096):
            assert block.x.shape == (1, 64, 4096)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 5 * 2**20


def test_a_bad_record_ends_the_stream_with_its_own_error(small):
    x = X.copy()
    x[33] = np.nan
    threads = threading.active_count()
    with pytest.raises(rj.InputError, match="toy: values of record 33 must be finite"):
        list(loader_of(as_rows("toy", x)).blocks(small, jax.random.key(0), 60))
    ends = time.monotonic() + 10
    while threading.active_count() > threads and time.monotonic() < ends:
        time.sleep(0.01)
    assert threading.active_count() <= threads  # those of other tests may have ended meanwhile


PROCESS = """
import sys, jax, numpy as np
port, rank = sys.argv[1], int(sys.argv[2])
jax.config.update("jax_num_cpu_devices", 2)
jax.distributed.initialize(f"localhost:{port}", 2, rank)
import regjax as rj
from regjax.data import as_rows
from regjax.training.batches import batch_rows
from tests.helpers import Reading

read_here = []
def read(index):
    read_here.extend(index.tolist())
    return index[:, None].astype(np.float32)

order = np.random.default_rng(0).permutation(64).astype(np.int32)
model = rj.models.make_model("mlp", num_outputs=2, widths=(4,))
spec = rj.Spec(model, batch_size=8, steps_per_epoch=8, epochs=1, mesh=rj.make_mesh(lane=1, data=4))
rows = as_rows("toy", Reading(read, (64, 1)))
loader = rj.StreamLoader(rows, np.arange(64, dtype=np.int32), order, block_bytes=3 * 8 * 4)
key = jax.random.key(1)
expected = np.asarray(batch_rows(spec, key, 0, 8, order, 64))
step = 0
for block in loader.blocks(spec, key, 64):
    assert block.x.shape[1:] == (8, 1), block.x.shape
    assert len(block.x.addressable_shards) == 2
    for part in (block.x, block.y):
        for shard in part.addressable_shards:
            rows_of = (slice(step, step + block.x.shape[0]), shard.index[1])
            np.testing.assert_array_equal(np.asarray(shard.data).reshape(shard.data.shape[:2]), expected[rows_of])
    step += block.x.shape[0]
assert step == 8
own = slice(4 * rank, 4 * rank + 4)
assert sorted(read_here) == sorted(expected[:, own].ravel().tolist()), "read what another process needs"
print("fine")
"""


def test_each_process_reads_its_own_share(tmp_path):
    import socket

    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = str(free.getsockname()[1])
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu"}
    command = [sys.executable, "-W", "ignore", "-c", PROCESS, port]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    running = [subprocess.Popen([*command, str(rank)], env=environment, **pipes) for rank in range(2)]
    for process in running:
        out, errors = process.communicate(timeout=120)
        assert out.strip() == "fine", errors[-3000:]
