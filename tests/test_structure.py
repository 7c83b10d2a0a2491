"""The shape of the project: imports point downward, files are short, what is exported is documented."""

import ast
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import regjax as rj

ROOT = Path(__file__).resolve().parents[1]
SOURCES = sorted(p for folder in ("regjax", "experiments", "scripts") for p in (ROOT / folder).rglob("*.py"))

# Lowest first; a module may import from its own layer's siblings only where the order below allows it, and from
# every layer before it.
LAYERS = [
    {"typing", "checks"},
    {"dtypes", "gains", "tree", "rng", "bits", "fusion", "parse", "mesh", "files"},
    {"labels", "losses", "prox", "averaging", "noise", "augment", "stopping", "shuffle", "conv", "stepsizes", "layers"},
    {"penalties", "constraints", "convert", "models", "adapt", "analysis"},
    {
        "routes",
        "verify",
        "transforms",
        "penalized",
        "optimizers",
        "sam",
        "gradient_noise",
        "solvers",
        "monitor",
        "output_penalties",
    },
    {"objective", "accumulate", "step"},
    {"evaluate", "spec", "assemble", "epoch", "preflight", "uncertainty"},
    {"run", "fit", "pace", "checkpoint", "data", "loader"},
    {"sweep", "compare", "report"},
    {"experiments", "scripts"},
]
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}


def imported(path: Path) -> set[str]:
    """First-level modules of regjax that a file imports, wherever in the file."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "regjax":
            parts = node.module.split(".")
            found |= {parts[1]} if len(parts) > 1 else {alias.name for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {a.name.split(".")[1] for a in node.names if a.name.startswith("regjax.")}
    return found


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return parts[1] if parts[0] == "regjax" else parts[0]


@pytest.mark.parametrize("path", [p for p in SOURCES if p.parent.name != "regjax" or p.name != "__init__.py"], ids=str)
def test_imports_point_downward(path):
    own = module_of(path)
    assert own in LEVEL, f"{own} has no layer yet"
    above = {name for name in imported(path) if name in LEVEL and LEVEL[name] > LEVEL[own]}
    assert not above, f"{path.name} (layer {LEVEL[own]}) imports {sorted(above)} from above"


def test_only_experiments_and_scripts_know_flags():
    for path in SOURCES:
        if path.relative_to(ROOT).parts[0] == "regjax":
            assert "absl" not in path.read_text(), path


def test_files_can_be_read_in_one_sitting():
    long = {str(p): n for p in SOURCES if (n := p.read_text().count("\n")) > 400}
    assert not long


def test_nothing_dangerous():
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in {"eval", "exec"}, path
            if isinstance(node, ast.Import):
                assert not {"pickle", "marshal", "shelve"} & {alias.name for alias in node.names}, path


def test_top_level_holds_what_it_should():
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if tracked.returncode:
        pytest.skip("not a git checkout")
    top = {line.split("/")[0] for line in tracked.stdout.splitlines()}
    assert {name for name in top if not name.startswith(".")} <= {
        "pyproject.toml", "README.md", "regjax", "experiments", "tests", "scripts", "LICENSE", "CHANGELOG.md",
        "CONTRIBUTING.md", "requirements.lock", "requirements-test.lock", "requirements-uv.lock",
    }  # fmt: skip


@pytest.mark.parametrize("name", rj.__all__)
def test_every_export_is_documented(name):
    thing = getattr(rj, name)
    text = inspect.getdoc(thing) or ""
    assert len(text) > 20, name
    if inspect.isfunction(thing):
        assert "Example:" in text, name
        parameters = [p for p in inspect.signature(thing).parameters if not p.startswith("_")]
        if len(parameters) > 1:
            assert "Args:" in text or all(p in text for p in parameters), name


def test_importing_reads_no_network_and_no_heavy_package():
    heavy = ("tensorflow_datasets", "sklearn", "matplotlib", "orbax", "PIL", "scipy", "grain")
    code = f"import sys, regjax; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_contributing_notes_list_the_layers():
    lines = (ROOT / "CONTRIBUTING.md").read_text().splitlines()
    listed = [set(line.split("`")[1].split()) for line in lines if line.startswith("| ") and line[2].isdigit()]
    assert listed == [LAYERS[0] | LAYERS[1], *LAYERS[2:]]  # the notes count both as layer 0
