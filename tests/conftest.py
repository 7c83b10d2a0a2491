import ctypes
import gc
import json
import os
import shutil
import subprocess
import sys
import zlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import hypothesis
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import regjax as rj

HERE = Path(__file__).parent
os.environ.pop("PYTHONPATH", None)  # a command must find regjax in a clone without it


# Compiled programs stay until they are dropped: two megabytes and several of the 65,530 memory maps of a process each,
# and a worker that runs out of either dies.
MOST_MEMORY = 1.3e9
MOST_PROGRAMS = 1e9  # bytes on disk; those of one session take a tenth of it


class DropPrograms:
    """Between two tests, drop the compiled programs of a worker that has grown large."""

    def pytest_runtest_teardown(self, item: pytest.Item, nextitem: pytest.Item | None) -> None:
        statm = Path("/proc/self/statm")
        if nextitem is None or not statm.exists():
            return
        if int(statm.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") > MOST_MEMORY:
            jax.clear_caches()
            gc.collect()
            # glibc keeps what was freed until it is asked.
            getattr(ctypes.CDLL(None), "malloc_trim", lambda _: None)(0)


class RestoreRegistries:
    """After a test or an example that registers a method, the registries hold what they held."""

    def __init__(self) -> None:
        self.before: list[tuple[Any, Any]] = []

    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        del item
        if not self.before:
            self.before = [(registry, registry.copy()) for registry in registries()]

    def pytest_runtest_teardown(self, item: pytest.Item) -> None:
        del item
        for registry, before in self.before:
            if registry != before:
                registry.clear()
                (registry.extend if isinstance(registry, list) else registry.update)(before)


def registries() -> list[Any]:
    """Everything that `regjax.plugins` adds to."""
    from regjax import catalog, noise, stopping
    from regjax.augment import AUGMENTATIONS
    from regjax.comparison.registry import MAKERS
    from regjax.data.readers import FORMATS
    from regjax.models.registry import MODELS
    from regjax.optim.optimizers import OPTIMIZERS
    from regjax.penalties import PENALTIES
    from regjax.penalties.outputs import OUTPUT_PENALTIES

    listed = [value for name, value in vars(catalog).items() if name.isupper() and isinstance(value, dict | list)]
    others = [noise.NOISES, noise.WEIGHT_NOISES, noise.UNBOUNDED, stopping.CRITERIA, stopping.REASONS]
    return [*listed, *others, FORMATS, AUGMENTATIONS, MAKERS, MODELS, OPTIMIZERS, PENALTIES, OUTPUT_PENALTIES]


def share_programs(config: pytest.Config) -> None:
    """Keep compiled programs in one folder for all workers and commands, and for the next session.

    Most of the time of the suite is compilation: two tests often compile the same program, and `DropPrograms` has a
    worker compile what it had. JAX names a program by all that it is compiled from, so none can be outdated.
    """
    variable = "JAX_COMPILATION_CACHE_DIR"
    if variable in os.environ or not hasattr(config, "cache"):  # workers have it from the process that starts them
        return
    folder = config.cache.mkdir("programs")
    drop_damaged(folder)
    os.environ[variable] = str(folder)
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0.05"
    os.environ["JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES"] = "-1"
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.05)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)


def compile_quickly() -> None:
    """Have this process compile with XLA's older emitters: a third less time, programs a quarter slower.

    Most programs of the tests run for milliseconds. Commands, which are processes of their own, compile as users do.
    XLA reads its flags once, when the first device is asked for.
    """
    flags = os.environ.get("XLA_FLAGS")
    os.environ["XLA_FLAGS"] = f"{flags or ''} --xla_cpu_use_fusion_emitters=false".strip()
    jax.devices()
    if flags is None:
        del os.environ["XLA_FLAGS"]
    else:
        os.environ["XLA_FLAGS"] = flags


def share_bytecode(config: pytest.Config) -> None:
    """Keep bytecode in one folder for all workers and commands, also where the environment turns it off.

    Without it, each process that is started compiles a thousand modules: more than half of the time of a small run.
    """
    variable = "PYTHONPYCACHEPREFIX"
    if variable not in os.environ and hasattr(config, "cache"):
        os.environ[variable] = str(config.cache.mkdir("bytecode"))
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


def drop_damaged(folder: Path) -> None:
    """Remove programs that a killed process has written in part; and all of them where they take too much room.

    JAX warns of the first and never writes them again.
    """
    programs = list(folder.iterdir())
    if sum(program.stat().st_size for program in programs) > MOST_PROGRAMS:
        shutil.rmtree(folder)
        folder.mkdir()
        return
    for program in programs:
        try:
            zlib.decompress(program.read_bytes())
        except zlib.error:
            program.unlink()


def pytest_configure(config: pytest.Config) -> None:
    """For doctests too, which lie beside the tests."""
    # How long an example takes says more about the machine than about the code.
    hypothesis.settings.register_profile("suite", deadline=None)
    hypothesis.settings.load_profile("suite")
    share_programs(config)
    share_bytecode(config)
    compile_quickly()
    config.pluginmanager.register(DropPrograms())
    config.pluginmanager.register(RestoreRegistries())


@pytest.fixture(scope="session")
def blobs() -> rj.TrainData:
    """Two overlapping classes, 96 rows in training and 64 in validation, with label noise for two seeds."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(160, 6)).astype(np.float32)
    y = (x[:, 0] + 0.5 * rng.normal(size=160) > 0).astype(np.int32)
    order = np.stack([rng.permutation(96), rng.permutation(96)]).astype(np.int32)
    labels = np.stack([y[:96], np.where(rng.random(96) < 0.1, 1 - y[:96], y[:96])])
    return rj.TrainData(
        *(jnp.asarray(a) for a in (x[:96], labels, order, x[96:], y[96:])),
    )


@pytest.fixture(scope="session")
def spec() -> rj.Spec:
    model = rj.models.make_model("mlp", num_outputs=2, widths=(16,))
    return rj.Spec(model, num_classes=2, batch_size=16, steps_per_epoch=3, epochs=6)


@pytest.fixture(scope="session")
def cache(tmp_path_factory):
    """One cache of datasets and compiled programs for all commands of the session."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def environment(cache):
    return {"XDG_CACHE_HOME": str(cache), "PYTHONPATH": str(HERE.parent), "COLUMNS": "200", "NO_COLOR": "1"}


@pytest.fixture(scope="session")
def server(environment):
    command = [sys.executable, "-W", "ignore", str(HERE / "server.py")]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, text=True, env={**os.environ, **environment}, **pipes) as process:
        yield process


@pytest.fixture
def run(request, server, environment, tmp_path):
    """Run a command in `tmp_path` and check its exit code, if one is expected.

    With `kill_after` it gets SIGKILL after so many seconds, if it is still there, counted from when it writes a file
    that matches the glob pattern `once_written` if one is given; with `variables` more of an environment; without the
    packages `hidden`.
    """
    assert request.node.get_closest_marker("slow"), "a test that runs a command takes seconds: mark it as slow"

    def command(module, *arguments, code=0, kill_after=None, once_written=None, variables=None, hidden=()):
        argv, known = [module, *arguments], environment | (variables or {})
        wanted = {"argv": argv, "cwd": str(tmp_path), "env": known}
        wanted |= {"kill_after": kill_after, "once_written": once_written, "hidden": list(hidden)}
        server.stdin.write(json.dumps(wanted) + "\n")
        server.stdin.flush()
        done = SimpleNamespace(**json.loads(server.stdout.readline()))
        assert code is None or done.code == code, f"exit {done.code}\n{done.stdout}\n{done.stderr}"
        return done

    return command


@pytest.fixture(scope="session")
def prepared_dir():
    """Directory of prepared TFDS sets; the test is skipped by name where there is none."""
    named = os.environ.get("REGJAX_TEST_DATA_DIR")
    folder = Path(named) if named else HERE.parents[1] / "shared" / "data" / "tensorflow_datasets"
    if not (folder / "mnist").is_dir():
        pytest.skip(f"no prepared mnist in {folder}; set REGJAX_TEST_DATA_DIR")
    return folder
