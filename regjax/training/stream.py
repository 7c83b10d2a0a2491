"""Prefetches batches of a training pool that does not fit in memory.

The examples of an update are a function of the root key and its position (`regjax.training.batches.batch_rows`), so
no iterator state has to be saved: a loader can start at any update, and selects the same examples as a run with all
data in memory.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Generator, Iterator

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from regjax.core.checks import check_range
from regjax.core.extras import require
from regjax.core.mesh import DATA
from regjax.core.typing import Array, ArrayLike, Batch, PRNGKey
from regjax.data.source import Source
from regjax.training.batches import batch_rows
from regjax.training.spec import Spec
from regjax.training.state import TrainData

MAX_VALIDATION, MAX_VALIDATION_BYTES = 10_000, 2**30
"""Limits of the validation examples of a streamed run, which are kept in memory: their number and their bytes."""

Pair = tuple[np.ndarray, np.ndarray]  # inputs and targets on the host


def validation_limit(example_shape: tuple[int, ...], dtype: np.dtype) -> int:
    """Return the maximum number of validation examples that a streamed run keeps in memory.

    Args:
      example_shape: shape of one example.
      dtype: dtype of the examples before standardization.

    Example:
      >>> validation_limit((28, 28, 1), np.dtype("float32")), validation_limit((224, 224, 3), np.dtype("uint8"))
      (10000, 7133)
    """
    example = dtype.itemsize * int(np.prod(example_shape, dtype=np.int64))
    return max(min(MAX_VALIDATION, MAX_VALIDATION_BYTES // max(example, 1)), 1)


@dataclasses.dataclass(frozen=True, eq=False)
class StreamLoader:
    """The training pool of one run on disk; pass it to `rj.fit` as `loader`.

    A block of batches has at most `block_bytes` of inputs, or is a single batch. There are at most four blocks in
    memory, whatever the size of the dataset: one that is read, one that is assembled, one that waits and one that
    trains on the device. Each reading thread also keeps the stored records of a batch. With several processes, each
    keeps its share.

    Attributes:
      x: inputs of the pool, a `regjax.data.Source` such as `regjax.data.Rows`.
      y: `[N, ...]`, the preprocessed targets, in memory.
      order: `int32[N]`; a run uses the examples `order[:n_train]`.
      threads: number of reading threads, >= 1.
      block_bytes: maximum size of the inputs of a block.

    Raises:
      ValueError: a size is below 1, or the numbers of targets and examples differ.

    Example:
      >>> import flax.linen as nn
      >>> from regjax.data import as_rows
      >>> x = np.arange(8, dtype=np.float32)[:, None]
      >>> loader = StreamLoader(as_rows("toy", x), np.zeros(8, np.int32), np.arange(8))
      >>> spec = Spec(nn.Dense(2), batch_size=4, steps_per_epoch=2)
      >>> [block.x.shape for block in loader.blocks(spec, jax.random.key(0), 8)]
      [(2, 4, 1)]
    """

    x: Source
    y: np.ndarray
    order: np.ndarray
    threads: int = 2
    block_bytes: int = 32 * 2**20

    def __post_init__(self) -> None:
        check_range("StreamLoader: threads", self.threads, 1)
        check_range("StreamLoader: block_bytes", self.block_bytes, 1)
        if len(self.y) != self.x.shape[0]:
            raise ValueError(f"StreamLoader: y has {len(self.y)} targets, x {self.x.shape[0]} examples")

    def example(self) -> Array:
        """Return the first example of the pool, `[1, ...]`, to initialize the model."""
        return jnp.asarray(self.x.take(np.arange(1)))

    def evaluation_data(self, spec: Spec, x_val: np.ndarray, y_val: np.ndarray) -> TrainData:
        """Read the data of evaluations, which `fit` needs in memory.

        Args:
          spec: the specification of the run; `eval_train_examples` limits the number of training examples.
          x_val: validation inputs, before standardization.
          y_val: validation targets.

        Returns:
          `TrainData` whose pool consists of the training examples that are evaluated.
        """
        seen = self.order[: spec.eval_train_examples]
        return TrainData(
            x=jnp.asarray(self.x.take(seen)),
            y=jnp.asarray(self.y[seen]),
            order=jnp.arange(len(seen), dtype=jnp.int32),
            x_val=jnp.asarray(x_val),
            y_val=jnp.asarray(y_val),
        )

    def block_steps(self, spec: Spec) -> int:
        """Return the number of updates of a full block; blocks fit in `block_bytes` and divide an epoch evenly."""
        example = int(np.prod(self.x.shape[1:], dtype=np.int64)) * self.x.dtype.itemsize
        fit = max(self.block_bytes // max(spec.batch_size * example, 1), 1)
        return -(-spec.steps_per_epoch // -(-spec.steps_per_epoch // fit))

    def blocks(self, spec: Spec, key: PRNGKey, n_train: ArrayLike, start: int = 0) -> Generator[Batch]:
        """Yield the batches of all updates from `start` to the end of the run, in blocks `[steps, batch_size, ...]`.

        A block ends at the end of an epoch at the latest. The next blocks are read while the caller uses one. If the
        devices of `spec.mesh` belong to several processes, each process reads only the examples of its own devices.

        Args:
          spec: the specification of the run.
          key: root key of the run.
          n_train: number of training examples.
          start: number of updates that are already done.

        Raises:
          InputError: a record cannot be read.
        """
        require("grain")
        import grain

        size = self.block_steps(spec)
        updates = _Updates(self, spec, key, n_train, start, size)
        options = grain.ReadOptions(num_threads=self.threads, prefetch_buffer_size=max(size, self.threads))
        batches = iter(grain.MapDataset.source(updates).to_iter_dataset(options))
        try:
            step = start
            while step < spec.total_steps:
                done = step % spec.steps_per_epoch
                steps = min(size - done % size, spec.steps_per_epoch - done)
                yield _placed(_stacked(batches, steps), spec)
                step += steps
        finally:
            batches.close()


class _Updates:
    """Random access to the batches of a run for grain: `len` and `[i]`, which are called from its threads."""

    def __init__(self, loader: StreamLoader, spec: Spec, key: PRNGKey, n_train: ArrayLike, start: int, size: int):
        self.loader, self.spec, self.start, self.size = loader, spec, start, size
        self.own = _own_rows(spec)
        key_data, impl = np.asarray(jax.random.key_data(key)), str(jax.random.key_impl(key))
        order, n_train = np.asarray(loader.order, np.int32), np.asarray(n_train, np.int32)

        # Computing the rows of several updates takes no longer than for one, so neighbours share them.
        @functools.lru_cache(maxsize=4)
        def rows_from(first: int) -> np.ndarray:
            with jax.default_device(_host()):
                return np.asarray(_rows(spec, impl, size, key_data, np.int32(first), order, n_train))

        self.rows_from = rows_from

    def __len__(self) -> int:
        return self.spec.total_steps - self.start

    def __getitem__(self, index: int) -> Pair:
        step = self.start + index
        rows = self.rows_from(step - step % self.size)[step % self.size][self.own]
        return self.loader.x.take(rows), self.loader.y[rows]


@functools.partial(jax.jit, static_argnums=(0, 1, 2))
def _rows(
    spec: Spec, impl: str, steps: int, key_data: Array, step: ArrayLike, order: Array, n_train: ArrayLike
) -> Array:
    return batch_rows(spec, jax.random.wrap_key_data(key_data, impl=impl), step, steps, order, n_train)


def _host() -> jax.Device:
    """Return a CPU device if there is one, because the accelerator is busy with training."""
    try:
        return jax.local_devices(backend="cpu")[0]
    except RuntimeError:  # JAX was told to start no CPU backend
        return jax.local_devices()[0]


def _own_rows(spec: Spec) -> np.ndarray:
    """Return the positions in a batch whose examples belong to devices of this process, ascending."""
    if spec.mesh is None:
        return np.arange(spec.batch_size)
    parts = NamedSharding(spec.mesh, PartitionSpec(DATA)).addressable_devices_indices_map((spec.batch_size,))
    everything = np.arange(spec.batch_size)
    return np.unique(np.concatenate([everything[index] for index in parts.values() if index is not None]))


def _stacked(batches: Iterator[Pair], steps: int) -> Pair:
    """Stack the next batches; each batch is released as soon as it is copied."""
    block: Pair | None = None
    for step in range(steps):
        x, y = next(batches)
        if block is None:
            block = np.empty((steps, *x.shape), x.dtype), np.empty((steps, *y.shape), y.dtype)
        block[0][step], block[1][step] = x, y
    assert block is not None  # steps >= 1
    return block


def _placed(block: Pair, spec: Spec) -> Batch:
    """Transfer a block to the device, or split it over the devices of the mesh."""
    if spec.mesh is None:
        return Batch(*map(jnp.asarray, block))
    return Batch(*(_split(part, spec.mesh, spec.batch_size) for part in block))


def _split(part: np.ndarray, mesh: Mesh, batch_size: int) -> jax.Array:
    sharding = NamedSharding(mesh, PartitionSpec(None, DATA))
    return jax.make_array_from_process_local_data(sharding, part, (part.shape[0], batch_size, *part.shape[2:]))
