"""README and pages: Python runs as written, commands run, links lead to files, figures are those of the records."""

import csv
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import regjax as rj
from regjax.penalties import PENALTIES

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
PAGES = {
    path.relative_to(ROOT).as_posix(): path.read_text()
    for path in (ROOT / "README.md", *sorted((ROOT / "scripts/docs/pages").glob("*.md")))
}
README = PAGES["README.md"]


def page(name: str) -> str:
    return PAGES[f"scripts/docs/pages/{name}.md"]


def in_one_line(text: str) -> str:
    return " ".join(text.split())


def test_the_readme_is_short():
    lines = README.splitlines()
    assert len(lines) <= 150
    assert [line for line in lines if len(line) > 120] == []


def test_every_page_is_there_and_the_readme_points_to_it():
    subjects = "penalties noise augmentation stopping comparison runs devices data faults benchmarks"
    assert {f"scripts/docs/pages/{name}.md" for name in subjects.split()} <= set(PAGES)
    for name in set(PAGES) - {"README.md"}:
        assert f"]({name})" in README


PRINTED = {
    "stopping": "patience 0.8 1",
    "penalties": "[[2.5 0. ]]",
    "noise": "['confidence', 'data_loss', 'l2', 'r_drop']",
    "faults": "interrupted completed",
}


def blocks(text: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", text, re.S)


@pytest.mark.parametrize("name", [name for name, text in PAGES.items() if blocks(text)])
def test_python_blocks_run_in_order(name, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    scope: dict = {}
    for block in blocks(PAGES[name]):
        exec(compile(block, name, "exec"), scope)
    assert PRINTED.get(Path(name).stem, "") in capsys.readouterr().out


def test_every_page_says_what_it_prints():
    for stem, text in PRINTED.items():
        assert f"# {text}" in page(stem)


LONG = r"studies\.|reproduce\.|atlas\b|claims\b|cocktails\b"  # they have tests of their own


def commands(text: str) -> list[list[str]]:
    """Experiments that a page calls, `[module, argument, ...]`, without those that take long or data of their own."""
    joined = text.replace("\\\n", " ")
    return [shlex.split(line) for line in re.findall(rf"python -m experiments\.(?!{LONG})([^`\n]+)", joined)]


COMMANDS = [(name, command) for name, text in PAGES.items() for command in commands(text)]
PARSE = """
import importlib, json, sys
from regjax.cli import flags
module, *lines = json.loads(sys.argv[1])
config = importlib.import_module(f"regjax.cli.{module}").Config
flags.define(config)
for line in lines:
    flags.FLAGS.unparse_flags()
    flags.parse([module, *line], config, "")
"""


@pytest.mark.parametrize("module", sorted({command[0] for _, command in COMMANDS}))
def test_commands_parse(module):
    # `--help` would end the process before the others are read.
    lines = [command[1:] for _, command in COMMANDS if command[0] == module and "--help" not in command]
    done = subprocess.run(
        [sys.executable, "-c", PARSE, json.dumps([module, *lines])], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


# What makes them quick: the last of two flags counts.
SMALLER = {
    "train": ("--epochs=2", "--train_examples=64"),
    "compare": ("--epochs=1", "--seeds=1", "--train_examples=60"),
    "sweep": ("--epochs=1", "--seeds=1"),
}


def runnable(name: str) -> list[list[str]]:
    """The commands of a page that are whole and quick.

    Those without flags are named and not meant to be run as they stand, a `DIR` is for the reader to fill in, the
    gallery has a test of its own, and of comparisons of everything, which take longest, that of the README is enough.
    """
    found = [line for line in commands(PAGES[name]) if line[1:] and line[0] != "gallery" and "--help" not in line]
    found = [line for line in found if not any(re.search("=[A-Z]+$", part) for part in line)]
    everything = [line for line in found if line[0] == "compare" and not any("--techniques" in part for part in line)]
    return [line for line in found if name == "README.md" or line not in everything]


@pytest.mark.parametrize("name", [name for name in PAGES if runnable(name)])
def test_commands_run_in_order(name, run, tmp_path):
    rng = np.random.default_rng(0)
    with (tmp_path / "my.csv").open("w") as file:
        table = csv.writer(file)
        table.writerow(["width", "height", "label"])
        table.writerows([*rng.normal(size=2), "large" if rng.random() < 0.5 else "small"] for _ in range(150))
    for module, *flags in runnable(name):
        extends = any(flag.startswith("--checkpoint_steps") for flag in flags)  # its number of epochs is the point
        run(module, *flags, *(() if extends else SMALLER.get(module, ())))


def test_scripts_that_are_named_are_there():
    named = {path for text in PAGES.values() for path in re.findall(r"(?<![\w/.])(?:\.ci|scripts)/[\w./]+", text)}
    assert {"scripts/demo", "scripts/test", "scripts/bench.py", "scripts/faults.py"} <= named
    for path in named:
        assert (ROOT / path.rstrip(".")).exists(), path


def test_cases_of_the_benchmarks_are_known():
    lines = re.findall(r"python (scripts/bench\.py .+)", page("benchmarks"))
    assert lines
    for line in lines:
        subprocess.run([sys.executable, *shlex.split(line), "--list"], cwd=ROOT, capture_output=True, check=True)


def headings(text: str) -> set[str]:
    """The anchors that a forge makes of the headings of a page."""
    lines = re.findall(r"^#+ (.+)$", re.sub(r"```.*?```", "", text, flags=re.S), re.M)
    return {re.sub(r"[^\w\- ]", "", line.lower()).replace(" ", "-") for line in lines}


@pytest.mark.parametrize("name", [*PAGES, "CONTRIBUTING.md", "CHANGELOG.md"])
def test_links_lead_to_files(name):
    text = re.sub(r"```.*?```|`[^`\n]*`", "", (ROOT / name).read_text(), flags=re.S)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        found = (ROOT / name).parent / file if file else ROOT / name
        assert not file.startswith("/"), target
        assert found.exists(), target
        assert found.resolve().is_relative_to(ROOT), target
        assert not anchor or anchor in headings(found.read_text()), target


def test_table_is_that_of_the_record():
    record = json.loads((ROOT / "experiments/records/digits/results.json").read_text())
    rows = [
        line.split("|")[1:-1] for line in README.splitlines() if re.match(r"\| [a-zL]", line) and line.count("|") == 9
    ]
    shown = [[cell.strip() for cell in row] for row in rows][1:]
    measured = [record["baseline"], *record["techniques"].values()]
    assert len(shown) == len(measured)
    for cells, row in zip(shown, measured, strict=True):
        assert cells[2] == f"{100 * row['train']['mean']:.1f}"
        assert cells[3] == f"{100 * row['test']['mean']:.1f}"
        assert cells[6] == f"{row['test_loss']['mean']:.3f}"
        assert cells[7] == f"{100 * row['zero_fraction']:.0f}%"
        if row["improvement"]:
            gain = row["improvement"]
            half = (gain["ci95"][1] - gain["ci95"][0]) / 2
            assert cells[4] == f"{100 * gain['mean']:+z.1f} ± {100 * half:.1f}".replace("-", "−")
            assert cells[5] == f"{gain['p_adjusted']:.3f}"


def test_sentences_about_the_record_have_its_numbers():
    record = json.loads((ROOT / "experiments/records/digits/results.json").read_text())
    text = in_one_line(README)
    settings = record["settings"]
    assert f"{record['seconds']:.0f} seconds" in text
    assert f"trains a network on {settings['train_examples']} handwritten digits" in text
    assert f"{100 * settings['label_noise']:.0f}% of whose *training* labels are wrong" in text
    accuracies = [row["test"]["mean"] for row in (record["baseline"], *record["techniques"].values())]
    errors = sorted(100 * np.sqrt(p * (1 - p) / settings["test_examples"]) for p in accuracies)
    assert f"the {settings['test_examples']} test examples alone carry" in text
    assert f"{record['seeds']} runs are spread over {record['splits']} splits" in text
    assert f"a standard error of {errors[0]:.1f} to {errors[-1]:.1f} points" in text
    rows = list(record["techniques"].values())
    higher = sum(row["improvement"]["ci95"][0] > 0 and row["improvement"]["p_adjusted"] <= 0.05 for row in rows)
    assert f"{higher} of {len(rows)} are shown to have a higher accuracy" in text
    l1 = record["techniques"]["l1"]
    assert f"{l1['title']} sets {100 * l1['zero_fraction']:.0f}% of the weights to exactly zero" in text
    assert f"adjusted p {l1['improvement']['p_adjusted']:.3f}" in text
    diagnosis = record["diagnosis"]
    onset = f"{diagnosis['median_onset']:g}"
    assert diagnosis["verdicts"] == {"overfit": 10}
    shown = sum(epoch is not None for epoch in diagnosis["onset_epochs"])
    assert (
        f"overfits in all ten runs; in the {shown} that show when, the validation loss rises from epoch {onset} on"
        in text
    )
    assert f"turns up at epoch {onset}]" in text


def test_the_table_of_penalties_and_modes_is_what_the_code_does():
    anchor = {"kernel": np.ones((2, 2), np.float32)}
    penalties = {name: make(0.1) for name, make in PENALTIES.items()} | {"l2_to": rj.l2_to(anchor, 0.1)}
    section = page("penalties").split("## Every penalty")[1].split("\n## ")[0]
    rows = {}
    for line in section.splitlines():
        cells = [cell.strip() for cell in line.split("|")[1:-1]]
        if len(cells) == 5 and cells[0].startswith("`"):
            rows[cells[0].strip("`")] = cells[2:]
    assert set(rows) == set(penalties)
    for name, (gradient, proximal, adam) in rows.items():
        modes = penalties[name].modes
        assert gradient.startswith("yes") == ({"loss", "coupled", "decoupled", "independent"} <= set(modes)), name
        assert proximal.startswith("no ") != ("proximal" in modes), name
        try:
            tx = rj.make_optimizer("adam", 0.1, penalty=penalties[name], mode="proximal")
            tx.update(anchor, tx.init(anchor), anchor)
            works = True
        except ValueError:
            works = False
        assert adam.startswith("yes") == works, name


def test_each_fault_of_the_table_names_a_test_that_is_there():
    section = page("faults").split("## What happens")[1]
    rows = [line for line in section.splitlines() if line.startswith("|")][2:]
    assert len(rows) >= 24
    for row in rows:
        path, name = re.fullmatch(r"\|.+\|.+\| `([\w/]+\.py)::(\w+)` \|", row).groups()
        assert f"def {name}(" in (ROOT / "tests" / path).read_text(), row
