"""What a forge reads: workflows, hooks, citation and issue forms say the same as the project itself."""

import re
import shlex
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))


def load(name: str | Path) -> dict:
    return yaml.safe_load((ROOT / name).read_text())


def jobs() -> list[tuple[str, dict]]:
    return [(path.name, job) for path in WORKFLOWS for job in load(path)["jobs"].values()]


def commands(job: dict) -> list[str]:
    return [step["run"] for step in job["steps"] if "run" in step]


def test_the_workflows_are_those_of_the_project():
    assert {path.name for path in WORKFLOWS} == {"test.yml", "wheel.yml", "docs.yml"}
    assert {name: commands(job) for name, job in jobs()} == {
        "test.yml": [".ci/run"],
        "wheel.yml": [".ci/wheel"],
        "docs.yml": [".ci/docs"],
    }
    for name in ("run", "wheel", "docs"):
        tracked = subprocess.run(["git", "ls-files", "-s", f".ci/{name}"], cwd=ROOT, capture_output=True, text=True)
        assert not tracked.stdout or tracked.stdout.startswith("100755"), name
        subprocess.run(["bash", "-n", f".ci/{name}"], cwd=ROOT, check=True)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_workflows_run_on_changes_with_no_more_rights_than_they_need(path):
    content = load(path)
    # YAML 1.1 reads the key `on` as true.
    assert set(content[True]) == {"push", "pull_request"}
    assert content["permissions"] == {"contents": "read"}
    for job in content["jobs"].values():
        assert job["timeout-minutes"] <= 180
        for step in job["steps"]:
            assert re.fullmatch(r"actions/[\w-]+@v\d+", step.get("uses", "actions/none@v0"))


def test_the_matrix_begins_with_the_oldest_python_that_is_supported():
    versions = load(".github/workflows/test.yml")["jobs"]["test"]["strategy"]["matrix"]["python-version"]
    assert versions == ["3.11", "3.12", "3.13"]  # text: as a number, 3.10 would be 3.1
    assert PROJECT["requires-python"] == f">={versions[0]}"
    for name, job in jobs():
        setup = next(step for step in job["steps"] if "setup-python" in step.get("uses", ""))
        assert setup["with"]["python-version"] in ("${{ matrix.python-version }}", versions[0]), name
        assert (ROOT / setup["with"]["cache-dependency-path"]).exists(), name


def test_hooks_run_the_locked_tools_as_the_checks_do():
    repos = load(".pre-commit-config.yaml")["repos"]
    assert [repo["repo"] for repo in repos] == ["local"]
    hooks = {hook["id"]: hook for hook in repos[0]["hooks"]}
    assert set(hooks) == {"ruff", "ruff-format", "mypy", "records"}
    checks = (ROOT / ".ci/run").read_text() + (ROOT / ".ci/docs").read_text()
    for name, hook in hooks.items():
        assert hook["language"] == "system", name
        assert not hook["pass_filenames"], name  # the tools choose the files, as in .ci/run
        assert hook["entry"] in checks, name
        assert (ROOT / shlex.split(hook["entry"])[0]).exists(), name


def test_the_citation_is_that_of_the_project():
    citation = load("CITATION.cff")
    assert citation["cff-version"] == "1.2.0"
    assert citation["message"]
    assert citation["type"] == "software"
    assert citation["title"] == PROJECT["name"]
    assert citation["version"] == PROJECT["version"]
    assert citation["license"] == PROJECT["license"]
    assert citation["abstract"] == PROJECT["description"]
    assert citation["keywords"] == PROJECT["keywords"]
    assert citation["authors"] == [{"name": "The regjax contributors"}]


@pytest.mark.parametrize("name", ["bug", "feature"])
def test_issue_forms_can_be_filled_in(name):
    form = load(f".github/ISSUE_TEMPLATE/{name}.yml")
    assert form["name"]
    assert form["description"]
    fields = [part for part in form["body"] if part["type"] != "markdown"]
    ids = [field["id"] for field in fields]
    assert len(set(ids)) == len(ids) > 0
    for field in fields:
        assert field["type"] in {"textarea", "input", "dropdown", "checkboxes"}
        assert field["attributes"]["label"]
    assert any(field.get("validations", {}).get("required") for field in fields)


def test_what_a_bug_report_asks_for_can_be_found_out():
    """The form names a command that prints the versions."""
    body = (ROOT / ".github/ISSUE_TEMPLATE/bug.yml").read_text()
    code = re.search(r'python -c "([^"]+)"', body)[1]
    python = str(ROOT / ".venv/bin/python")
    printed = subprocess.run([python, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert PROJECT["version"] in printed
    assert "jax" in printed


def test_the_source_archive_holds_the_documents():
    content = tomllib.loads((ROOT / "pyproject.toml").read_text())
    included = content["tool"]["hatch"]["build"]["targets"]["sdist"]["include"]
    assert {"README.md", "CONTRIBUTING.md", "CHANGELOG.md", "LICENSE", "CITATION.cff"} <= set(included)
    for name in included:
        assert (ROOT / name).exists(), name
