"""`regjax doctor`: what is installed, what runs it, what is missing, and whether it computes what it should."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from regjax.core.errors import InputError

PACKAGES = ("jax", "jaxlib", "flax", "optax", "numpy", "orbax-checkpoint", "tensorflow-datasets")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_EXTRA = re.compile(r"""extra\s*==\s*['"]([\w-]+)['"]""")


def main(arguments: Sequence[str]) -> int:
    """Print what was found; returns 1 if the self-test fails, else 0.

    Raises:
      InputError: there are arguments.
    """
    if arguments and arguments[0] in ("-h", "-help", "--help"):
        print("Versions, devices, caches, missing packages of each extra, and a self-test.\n\n  regjax doctor")
        return 0
    if arguments:
        raise InputError(f"doctor {arguments[0]!r}: takes no argument")
    failed = False
    for title, lines in (
        ("versions", versions()),
        ("devices", devices()),
        ("caches", caches()),
        ("extras", extras()),
        ("self-test", self_test()),
    ):
        print(title)
        for line in lines:
            failed |= line.startswith(_FAILED)
            print(f"  {line}", flush=True)
    return int(failed)


def versions() -> Iterator[str]:
    """Yield the versions of regjax, Python and the packages that compute."""
    import regjax

    yield f"regjax {regjax.__version__}, Python {platform.python_version()}, {platform.system()} {platform.machine()}"
    yield ", ".join(f"{name} {_version(name) or 'missing'}" for name in PACKAGES)


def devices() -> Iterator[str]:
    """Yield the devices that JAX has, cores and memory."""
    import jax

    for device in jax.devices():
        stats = device.memory_stats() or {}
        limit = f", {stats['bytes_limit'] / 2**30:.1f} GiB" if "bytes_limit" in stats else ""
        yield f"{device.platform} {device.id}: {device.device_kind}{limit}"
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    memory = ""
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        memory = f", {os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.1f} GiB of memory"
    yield f"{cores} cores{memory}"


def caches() -> Iterator[str]:
    """Yield where decoded data and compiled programs are kept, and how much there is."""
    from regjax.cli import program_cache
    from regjax.data.cache import cache_root

    programs = program_cache.folder()
    yield f"programs: {programs}, {_size(programs) / 2**20:.0f} MiB of {program_cache.LIMIT / 2**20:.0f}"
    root = cache_root()
    own = _size(root) - (_size(programs) if programs.is_relative_to(root) else 0)
    yield f"data: {root}, {own / 2**20:.0f} MiB"


def extras() -> Iterator[str]:
    """Yield for each extra which of its packages are missing."""
    try:
        required = importlib.metadata.requires("regjax") or []
    except importlib.metadata.PackageNotFoundError:
        yield "regjax is not installed here, so its extras are not known: pip install '.[run]'"
        return
    packages: dict[str, list[str]] = {}
    for line in required:
        found, name = _EXTRA.search(line), _NAME.match(line)
        if found and name and name[0] != "regjax":
            packages.setdefault(found[1], []).append(name[0])
    for extra, names in packages.items():
        missing = [name for name in dict.fromkeys(names) if not _version(name)]
        yield f"{extra}: {'complete' if not missing else 'missing ' + ', '.join(missing)}"


_FAILED = "FAILED"


def self_test() -> Iterator[str]:
    """Yield what each check of the computations says, and how long it took."""
    checks: tuple[tuple[str, Callable[[], bool]], ...] = (
        ("a penalty sets small weights to zero", _zeros),
        ("dropout keeps the mean", _dropout),
        ("training lowers the loss, twice with the same bits", _training),
    )
    for title, check in checks:
        started = time.perf_counter()
        try:
            good = check()
        except Exception as error:  # whatever is wrong here is what was asked for
            yield f"{_FAILED}: {title}: {type(error).__name__}: {error}"
            continue
        yield f"{'ok' if good else _FAILED}: {title} ({time.perf_counter() - started:.1f} s)"


def _zeros() -> bool:
    import jax
    import jax.numpy as jnp
    import optax

    import regjax as rj

    weights = {"kernel": jnp.array([[0.05], [1.0]])}
    tx = rj.make_optimizer("sgd", 0.1, penalty=rj.l1(1.0), mode="proximal")
    nothing = jax.tree.map(jnp.zeros_like, weights)
    updates, _ = tx.update(nothing, tx.init(weights), weights)
    found = optax.apply_updates(weights, updates)["kernel"]
    return bool(found[0, 0] == 0) and bool(jnp.isclose(found[1, 0], 0.9))


def _dropout() -> bool:
    import jax
    import jax.numpy as jnp

    import regjax as rj

    kept = rj.noise.dropout(jax.random.key(0), jnp.ones(100_000), 0.25)
    # Five standard deviations of the mean, and of the share of zeros.
    return bool(abs(kept.mean() - 1) < 0.01) and bool(abs((kept == 0).mean() - 0.25) < 0.01)


def _training() -> bool:
    import jax
    import jax.numpy as jnp

    import regjax as rj

    x = jax.random.normal(jax.random.key(0), (128, 4))
    y = (x[:, 0] > 0).astype(jnp.int32)
    model = rj.models.make_model("mlp", num_outputs=2, widths=(16,))
    spec = rj.Spec(model, num_classes=2, batch_size=32, steps_per_epoch=4, epochs=10)
    hparams = rj.make_hparams(learning_rate=0.01, n_train=128, rates={"dropout": 0.1})
    run = jax.jit(rj.make_run(spec))
    data = rj.TrainData(x, y, jnp.arange(128), x, y)
    first, second = (run(hparams, jax.random.key(1), data).history.values["val/loss"] for _ in range(2))
    return bool(first[-1] < 0.9 * first[0]) and bool(jnp.array_equal(first, second))


def _size(folder: Path) -> int:
    """Bytes of the files below a folder; 0 if it is not there."""
    total = 0
    for path, _, files in os.walk(folder):
        for name in files:
            try:
                total += os.lstat(os.path.join(path, name)).st_size
            except OSError:  # removed by another process
                continue
    return total


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""
