"""The shape of the project: imports point downward, files are short, what is exported is documented."""

import ast
import graphlib
import inspect
import os
import subprocess
import sys
from pathlib import Path

import pytest

import regjax as rj

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted(p for folder in ("regjax", "experiments", "scripts") for p in (ROOT / folder).rglob("*.py"))


def rows() -> list[list[str]]:
    """The rooms of each row, lowest first, from the table of CONTRIBUTING.md."""
    lines = (ROOT / "CONTRIBUTING.md").read_text().splitlines()
    cells = [line.split("|") for line in lines if line.startswith("| ") and line[2].isdigit()]
    table: dict[int, list[str]] = {}
    for cell in cells:
        table.setdefault(int(cell[1]), []).extend(cell[2].replace("`", "").split())
    assert list(table) == list(range(len(table)))
    return list(table.values())


ROW = {room: row for row, rooms in enumerate(rows()) for room in rooms}


def module_of(path: Path) -> str:
    """The dotted name of a source file; a package by its own name."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(path): path for path in SOURCES}


def room_of(module: str) -> str:
    parts = module.split(".")
    first = parts[0] if parts[0] != "regjax" else parts[1]
    return first


def imports_of(path: Path) -> set[str]:
    """The modules of the project that a file imports, wherever in the file."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if name in MODULES else node.module for name in names}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return {name for name in found if name in MODULES}


IMPORTS = {name: imports_of(path) for name, path in MODULES.items()}


@pytest.mark.parametrize("module", [name for name in MODULES if name != "regjax"])
def test_imports_point_downward(module):
    """No room imports one of its own row or of a higher one; commands may read the whole package."""
    own = room_of(module)
    assert own in ROW, f"{own} is in no row of the table in CONTRIBUTING.md"
    rooms = {room_of(name) for name in IMPORTS[module] if name != "regjax"} - {own}
    wrong = {room for room in rooms if ROW[room] >= ROW[own]}
    assert not wrong, f"{module} (row {ROW[own]}) imports {sorted(wrong)}"
    assert "regjax" not in IMPORTS[module] or ROW[own] >= ROW["cli"], f"{module} imports the whole package"


def test_no_modules_import_each_other():
    """Modules in an order in which each imports earlier ones only exist."""
    graph = {name: found - {name, "regjax"} for name, found in IMPORTS.items()}
    tuple(graphlib.TopologicalSorter(graph).static_order())


def picture() -> str:
    """The rooms as a Mermaid graph, lowest row at the bottom; imports that others imply are left out."""
    rooms: dict[str, set[str]] = {room: set() for room in ROW}
    for name, found in IMPORTS.items():
        if name != "regjax":
            rooms[room_of(name)] |= {room_of(other) for other in found if other != "regjax"} - {room_of(name)}
    reached: dict[str, set[str]] = {}
    lines = ["graph TD"]
    for room in sorted(ROW, key=lambda room: ROW[room]):
        reached[room] = rooms[room].union(*(reached[other] for other in rooms[room]))
        implied = set().union(*(reached[other] for other in rooms[room]))
        lines += [f"    {room} --> {other}" for other in sorted(rooms[room] - implied)]
    return "```mermaid\n" + "\n".join(lines) + "\n```\n"


def test_the_picture_of_the_rooms_is_that_of_the_imports():
    """`UPDATE_PAGES=1` in the environment draws it anew."""
    notes = ROOT / "CONTRIBUTING.md"
    head, mark, rest = notes.read_text().partition("<!-- rooms -->\n")
    drawn, end, tail = rest.partition("<!-- end of rooms -->")
    if os.environ.get("UPDATE_PAGES"):
        notes.write_text(head + mark + picture() + end + tail)
    else:
        assert drawn == picture()


def test_every_room_of_the_table_is_there():
    assert set(ROW) == {room_of(name) for name in MODULES if name != "regjax"}


def test_only_the_commands_know_flags():
    for path in SOURCES:
        if path.relative_to(ROOT).parts[0] == "regjax" and path.parent.name != "cli":
            assert "absl" not in path.read_text(), path


def test_every_module_has_its_test_file():
    """`regjax/a/b.py` has `tests/a/test_b.py`."""
    modules = {path.relative_to(ROOT / "regjax") for path in (ROOT / "regjax").rglob("*.py")}
    named = {module.with_suffix("").as_posix(): module for module in modules if module.name != "__init__.py"}
    missing = {
        name
        for name, module in named.items()
        if not (ROOT / "tests" / module.with_name(f"test_{module.name}")).exists()
    }
    assert not missing


# Rooms in which `Any` has a name that says what is meant: `core/typing.py` defines the names.
ROOMS_WITHOUT_ANY = {
    "core", "stopping", "noise", "analysis", "penalties", "models", "optim", "solvers", "training", "comparison",
}  # fmt: skip


def test_any_is_imported_where_its_names_are_defined_alone():
    importing = {
        path.relative_to(ROOT / "regjax").as_posix()
        for room in ROOMS_WITHOUT_ANY
        for path in (ROOT / "regjax" / room).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if (isinstance(node, ast.ImportFrom) and node.module == "typing" and "Any" in [a.name for a in node.names])
        or (isinstance(node, ast.Import) and "typing" in [a.name for a in node.names])
    }
    assert importing == {"core/typing.py"}


def test_files_can_be_read_in_one_sitting():
    files = [*SOURCES, *(ROOT / "tests").rglob("*.py")]
    long = {str(p): n for p in files if (n := p.read_text().count("\n")) > 400}
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
        "CITATION.cff", "CONTRIBUTING.md", "requirements.lock", "requirements-test.lock", "requirements-uv.lock",
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


def test_importing_the_package_imports_nothing_heavy():
    heavy = ("jax", "numpy", "flax", "optax", "tensorflow_datasets", "sklearn", "matplotlib", "orbax", "PIL", "scipy")
    code = f"""
import sys, time
start = time.perf_counter()
import regjax
print(time.perf_counter() - start, [m for m in {heavy} if m in sys.modules])
"""
    seconds = []
    for _ in range(5):
        done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
        took, imported = done.stdout.strip().split(" ", 1)
        assert imported == "[]"
        seconds.append(float(took))
    assert min(seconds) < 0.06


@pytest.mark.slow
def test_an_own_loop_needs_no_package_of_the_commands():
    heavy = ("tensorflow_datasets", "sklearn", "matplotlib", "orbax", "PIL", "scipy", "grain", "jinja2")
    code = f"""
import sys, regjax as rj
rj.l1, rj.make_optimizer, rj.EarlyStopping, rj.build_loss, rj.layers, rj.augment, rj.noise, rj.make_step
print([m for m in {heavy} if m in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
