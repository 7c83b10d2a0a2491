"""Named streams of randomness: every key derives from (root key, stream name, step).

There is no generator state: the key of step 1000 is a function of the root key, so a resumed run draws the same
numbers as an uninterrupted one, and two streams of a run never share a draw.
"""

from __future__ import annotations

import zlib

import jax

from regjax.core.typing import Array, PRNGKey

# The streams of a run.
INIT = "init"  # initial weights
SHUFFLE = "shuffle"  # the order of the examples
STEP = "step"  # all draws of an update; the streams below are within one update
GRADIENT = "gradient"  # the draws of the loss, for each micro-batch
BATCH = "batch"  # changes to a batch before the loss:
AUGMENT = "augment"  # augmentation
MIXUP = "mixup"  # mixup
CUTMIX = "cutmix"  # CutMix
# Within one augmentation or one mix of examples:
APPLIED = "applied"  # which examples it is applied to
OPERATION = "operation"  # which operation of a policy
STRENGTH = "strength"  # how strong it is
SIGN = "sign"  # its direction
LENGTH = "length"  # of a chain of operations
WEIGHTS = "weights"  # of the chains
MIX = "mix"  # of the chains with the image
FIELD = "field"  # of an elastic deformation
SHARE = "share"  # of the other example in a mix
PARTNER = "partner"  # the other example
PLACE = "place"  # where its patch is
# Each noise and each augmentation draws from the stream of its own name, as "dropout".


def run_key(seed: int) -> PRNGKey:
    """Root key of the run with this seed, in every command; all randomness of the run derives from it.

    The data of a run (its examples and its wrong labels) are drawn on the host from the same seed; see
    `regjax.data.keyed_random`.

    Example:
      >>> bool(run_key(3) == jax.random.key(3))
      True
    """
    return jax.random.key(seed)


def stream(key: PRNGKey, name: str, step: Array | int | None = None) -> PRNGKey:
    """Key of the stream `name` at `step`: `fold_in(fold_in(key, crc32(name)), step)`.

    Args:
      key: root key of the run.
      name: name of the stream, as `"dropout"` or `"shuffle"`; different names give independent keys.
      step: optional int, may be traced.

    Returns:
      A key. The same arguments give the same key on every machine.

    Example:
      >>> key = jax.random.key(0)
      >>> bool(stream(key, "dropout", 3) == stream(key, "dropout", 3))
      True
    """
    key = jax.random.fold_in(key, zlib.crc32(name.encode()))
    return key if step is None else jax.random.fold_in(key, step)
