"""The tests notice small faults in the arithmetic and the decisions of the package: a mutation run.

Command: `python -m experiments.studies.mutation --own --most=70` (about 45 minutes on one core). It needs cosmic-ray,
which the extra `bench` installs. It prints one JSON object; `experiments/records/mutation.json` is that object with a
judgement of each mutant that survived: `equivalent` where no test could tell it from the original, or `accepted`.

The operators of cosmic-ray change one thing in a module: an operator, a number, a condition, a decorator, a loop. Each
mutant is tested by the tests of the module itself, and without `--own` by others that concern it, in a fork of a
process that has imported JAX and everything else but this package. It is killed if a test fails or if it cannot be
imported; running out of time is counted apart, and is noticed as well.

Left out by rule, because no value of the program depends on them or because nearly any test kills them:

- positions in an annotation, in a `raise` statement (the text of an error) and in `__all__`; docstrings have none;
- replacements of an arithmetic operator by one on bits and the reverse, and of a comparison by `is` and the reverse.
"""

from __future__ import annotations

import ast
import importlib
import importlib.abc
import importlib.machinery
import importlib.metadata
import importlib.util
import json
import os
import random
import signal
import sys
import tempfile
import time
import traceback
import types
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from absl import app, flags

ROOT = Path(__file__).resolve().parents[2]
STOPPING = [f"tests/stopping/test_{name}.py" for name in ("early_stopping", "gains", "criteria", "peers")]
STEPS = ["tests/optim/stepsizes", "tests/optim/verify/test_step.py", "tests/optim/test_penalized.py"]
PENALTIES = [f"tests/penalties/test_{name}.py" for name in ("prox", "base", "suite")]

# By module, the arguments of pytest for mutants that the tests of the module itself do not kill.
TESTS = {
    "regjax/stopping/criteria.py": STOPPING,
    "regjax/stopping/early_stopping.py": STOPPING,
    "regjax/stopping/gains.py": STOPPING,
    "regjax/analysis/selection.py": [],
    "regjax/analysis/statistics.py": [],
    "regjax/optim/stepsizes/adaptive.py": STEPS,
    "regjax/optim/stepsizes/base.py": STEPS,
    "regjax/optim/stepsizes/uniform.py": STEPS,
    "regjax/penalties/elementwise.py": [*PENALTIES, "-k", "l1 or l2 or elastic or test_base"],
    "regjax/penalties/nonconvex.py": [*PENALTIES, "-k", "mcp or scad or log_sum or l0 or test_base"],
    "regjax/penalties/groups.py": ["tests/penalties/test_layout.py", *PENALTIES, "-k", "group or layout or test_base"],
    "regjax/penalties/prox.py": PENALTIES,
    "regjax/data/splits.py": [],
}
# The tests of a module itself are its doctest, the test file of its name, and these.
FURTHER = {
    "regjax/stopping/early_stopping.py": [f"tests/stopping/test_{name}.py" for name in ("definition", "criteria")]
}
FAMILIES = (
    {"Add", "Sub", "Mul", "Div", "FloorDiv", "Mod", "Pow"}, {"BitAnd", "BitOr", "BitXor"}, {"LShift", "RShift"},
    {"Eq", "NotEq", "Lt", "LtE", "Gt", "GtE"}, {"Is", "IsNot"},
)  # fmt: skip

MODULES = flags.DEFINE_list("modules", list(TESTS), "Modules to mutate.")
MOST = flags.DEFINE_integer("most", 60, "Mutants of each module at most, drawn at random.")
SEED = flags.DEFINE_integer("seed", 0, "Of the draw.")
SURVIVORS = flags.DEFINE_string("survivors", None, "Test only the mutants that survived in this earlier output.")
OWN = flags.DEFINE_bool("own", False, "Only the tests of the module itself, which are quick.")


class Mutant(NamedTuple):
    """One change of a module: the `occurrence`-th place, from 0, where the operator applies."""

    operator: str
    occurrence: int
    line: int


def left_out(source: str) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """The ranges, as pairs of (line, column), in which nothing is changed."""
    nodes: list[ast.AST] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Raise):
            nodes.append(node)
        elif isinstance(node, ast.AnnAssign | ast.arg) and node.annotation is not None:
            nodes.append(node.annotation)
        elif isinstance(node, ast.FunctionDef) and node.returns is not None:
            nodes.append(node.returns)
        elif isinstance(node, ast.Assign) and "__all__" in [getattr(target, "id", "") for target in node.targets]:
            nodes.append(node)
    places: list[Any] = list(nodes)
    return [((n.lineno, n.col_offset), (n.end_lineno, n.end_col_offset)) for n in places]


def is_kept(operator: str) -> bool:
    """Whether an operator replaces like by like; its name ends in `_OLD_NEW` if it replaces operators."""
    words = operator.split("_")
    family = next((names for names in FAMILIES if words[1:2] and words[1] in names), None)
    return family is None or len(words) < 3 or words[2] in family


def operators() -> dict[str, Any]:
    """The operators of cosmic-ray that are used, by name."""
    from cosmic_ray.operators.provider import OperatorProvider

    provider = OperatorProvider()
    return {name: provider[name] for name in sorted(provider) if is_kept(name) and not provider[name].arguments()}


def mutants(source: str) -> Iterator[Mutant]:
    """All mutants of a module, but for those left out by rule."""
    from cosmic_ray.ast import ast_nodes, get_ast

    ranges, nodes = left_out(source), list(ast_nodes(get_ast(source)))
    for name, kind in operators().items():
        operator = kind()
        places = (place for node in nodes for place in operator.mutation_positions(node))
        for occurrence, (start, _) in enumerate(places):
            if not any(first <= start < last for first, last in ranges):
                yield Mutant(name, occurrence, start[0])


def mutate(source: str, mutant: Mutant) -> str:
    """The text of a mutant."""
    from cosmic_ray.mutating import mutate_code

    return str(mutate_code(source, operators()[mutant.operator](), mutant.occurrence))


class OtherText(importlib.machinery.SourceFileLoader):
    """Loads a module from another text than that of its file."""

    text = ""

    def get_code(self, fullname: str) -> types.CodeType:
        """The text, compiled; no compiled file is read or written."""
        return compile(self.text, self.path, "exec")


class Substitute(importlib.abc.MetaPathFinder):
    """Finds one module, which is to be loaded from another text."""

    def __init__(self, path: str, text: str):
        self.name = path.removesuffix(".py").replace("/", ".")
        self.loader = OtherText(self.name, str(ROOT / path))
        self.loader.text = text

    def find_spec(
        self, fullname: str, path: Any, target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """The module, if it is this one."""
        if fullname != self.name:
            return None
        return importlib.util.spec_from_file_location(fullname, self.loader.path, loader=self.loader)


def stages(path: str) -> list[list[str]]:
    """The arguments of pytest: the tests of the module itself, then, if those pass, the others."""
    own = "tests" + path.removeprefix("regjax").replace(Path(path).name, f"test_{Path(path).name}")
    groups = [[*FURTHER.get(path, []), path, own], [] if OWN.value else TESTS[path]]
    options = ["-x", "-q", "-n0", "-p", "no:cacheprovider", "--hypothesis-profile=ci"]
    options += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]  # plugins were imported before
    return [[*options, *group] for group in groups if group]


def judge(path: str, text: str, limit: float, report: str = os.devnull) -> tuple[str, float]:
    """What the tests of a module say about a text of it, and after how many seconds.

    Args:
      path: of the module, from the root.
      text: instead of that in its file.
      limit: in seconds.
      report: a file for the output of the tests and, in its last line, the modules that they imported.

    Returns:
      `"killed"`, `"survived"` or `"timed out"`, and the time.
    """
    started, child = time.monotonic(), os.fork()
    if child == 0:
        _judge_and_exit(path, text, report)
    while time.monotonic() < started + limit:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return "killed" if status else "survived", time.monotonic() - started
        time.sleep(0.01)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return "timed out", limit


def _judge_and_exit(path: str, text: str, report: str) -> None:
    """In the child, which never returns."""
    code = 1
    try:
        os.setsid()
        with open(report, "w") as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
        substitute = Substitute(path, text)
        sys.meta_path.insert(0, substitute)
        importlib.import_module(substitute.name)
        code = next((failed for group in stages(path) if (failed := int(pytest.main(group)))), 0)
        print("\n" + " ".join(sys.modules), flush=True)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def warm_up(path: str, source: str) -> float:
    """Import what the tests of a module import, but for this package and its tests; returns their time.

    Raises:
      RuntimeError: the tests fail without a mutation.
    """
    seconds = 0.0
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(2):  # the first also fills the cache of compiled programs
            verdict, seconds = judge(path, source, 600.0, f"{folder}/report")
            text = (Path(folder) / "report").read_text()
            if verdict != "survived":
                raise RuntimeError(f"the tests of {path} do not pass:\n{text}")
            names = text.strip().split("\n")[-1].split()
            for name in names:
                if name.split(".")[0] not in ("regjax", "tests", "experiments", "conftest", "helpers"):
                    try:
                        importlib.import_module(name)
                    except Exception:  # a module that only its parent or a test can import
                        continue
    return seconds


def run(path: str, most: int, seed: int, chosen: Sequence[Mutant] = ()) -> dict[str, Any]:
    """Test the mutants of a module: those chosen, or else a random sample of at most `most`."""
    source = (ROOT / path).read_text()
    found = list(mutants(source))
    drawn = list(chosen) or sorted(random.Random(f"{seed} {path}").sample(found, min(most, len(found))))
    seconds = warm_up(path, source)
    counts, survivors = {"killed": 0, "survived": 0, "timed out": 0}, []
    for mutant in drawn:
        text = mutate(source, mutant)
        verdict, _ = judge(path, text, 3 * seconds + 5)
        counts[verdict] += 1
        if verdict == "survived":
            lines = zip(source.split("\n"), text.split("\n"), strict=False)
            before, after = next((a.strip(), b.strip()) for a, b in lines if a != b)
            survivors.append({**mutant._asdict(), "before": before, "after": after})
        print(path, verdict, *mutant, file=sys.stderr, flush=True)
    return {"possible": len(found), "tested": len(drawn), **counts, "survivors": survivors}


def main(argv: list[str]) -> None:
    """Print the record."""
    del argv
    os.chdir(ROOT)
    started = time.time()
    earlier = json.loads(Path(SURVIVORS.value).read_text())["modules"] if SURVIVORS.value else {}
    found = {}
    with tempfile.TemporaryDirectory() as programs:  # most mutants change few compiled programs
        os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", programs)
        os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
        for path in MODULES.value:
            before = earlier.get(path, {}).get("survivors", ())
            chosen = [Mutant(*(entry[key] for key in Mutant._fields)) for entry in before]
            if chosen or not earlier:
                found[path] = run(path, MOST.value, SEED.value, chosen)
    from regjax.cli.app import reproduce  # imports the package, which the forks must not find imported

    made = reproduce("studies.mutation", started)
    made["versions"]["cosmic-ray"] = importlib.metadata.version("cosmic-ray")
    kinds = sorted({name.split("_")[0] for name in operators()})
    record = {"seed": SEED.value, "most": MOST.value, "operators": kinds, "modules": found, "reproduce": made}
    print(json.dumps(record, indent=2))


if __name__ == "__main__":
    app.run(main)
