"""Random bits on the host, as a pure function of a key: the same on every machine and with every version of NumPy.

NumPy guarantees the stream of a bit generator, but not the results of `permutation` or `choice`. Reported results
depend on the splits, so splits are drawn from hashed integers instead.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from operator import index

import numpy as np

from regjax.core.errors import InputError

_STEP = 0x9E3779B97F4A7C15  # 2**64 / golden ratio, the increment of SplitMix64


def bits(n: int, *key: int | str) -> np.ndarray:
    """Return `n` random 64-bit words from the stream `key`: SplitMix64, started at a hash of the key.

    Word `i` depends only on the key and on `i`, so a shorter draw is a prefix of a longer one.

    Args:
      n: number of words.
      key: integers and strings that name the stream.

    Returns:
      `uint64[n]`.

    Example:
      >>> bool((bits(3, "shuffle", 0) == bits(9, "shuffle", 0)[:3]).all())
      True

    Reference: Steele, Lea, Flood, Fast Splittable Pseudorandom Number Generators, 2014,
      https://doi.org/10.1145/2660193.2660195
    """
    text = "\x1f".join(f"str:{part}" if isinstance(part, str) else f"int:{index(part)}" for part in key)
    start = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little")
    # Array arithmetic on uint64 wraps around silently, as the generator requires.
    z = np.arange(1, n + 1, dtype=np.uint64) * np.uint64(_STEP) + np.full(n, start, np.uint64)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def uniform(n: int, *key: int | str) -> np.ndarray:
    """Return `n` numbers in [0, 1), multiples of 2**-53, from the stream `key`.

    Example:
      >>> u = uniform(1000, "example")
      >>> bool((u >= 0).all() and (u < 1).all())
      True
    """
    return (bits(n, *key) >> np.uint64(11)) * 2.0**-53


def order(n: int, *key: int | str) -> np.ndarray:
    """Return a random permutation `int64[n]` of `0..n-1` from the stream `key`.

    Example:
      >>> sorted(order(4, "example").tolist())
      [0, 1, 2, 3]
    """
    return np.argsort(bits(n, *key), kind="stable")


def seed_list(what: str, seeds: Sequence[int] | int) -> list[int]:
    """Return the seeds as Python integers; an integer S means `range(S)`.

    Args:
      what: the function, for the message.
      seeds: the seeds, or their number.

    Raises:
      InputError: there is none.

    Example:
      >>> seed_list("toy", 3), seed_list("toy", np.array([7]))
      ([0, 1, 2], [7])
    """
    listed = [int(seed) for seed in (range(seeds) if isinstance(seeds, (int, np.integer)) else seeds)]
    if not listed:
        raise InputError(f"{what}: at least one seed is needed, got {seeds}")
    return listed
