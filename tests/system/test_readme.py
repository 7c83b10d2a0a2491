"""The README's Python runs as written, its commands parse, and its table is that of the record."""

import json
import re
from pathlib import Path

import numpy as np

import regjax as rj
from regjax.penalties import PENALTIES

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()


def test_python_blocks_run_in_order(capsys):
    scope: dict = {}
    for block in re.findall(r"```python\n(.*?)```", README, re.S):
        exec(compile(block, "README.md", "exec"), scope)
    assert "patience 0.8 1" in capsys.readouterr().out


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
            assert cells[4] == f"{100 * gain['mean']:+.1f} ± {100 * half:.1f}".replace("-", "−")
            assert cells[5] == f"{gain['p_holm']:.3f}"


def test_sentences_about_the_record_have_its_numbers():
    record = json.loads((ROOT / "experiments/records/digits/results.json").read_text())
    text = " ".join(README.split("*Record:")[1].split("![")[0].split())
    assert f"{record['seconds']:.0f} seconds" in text
    accuracies = [row["test"]["mean"] for row in (record["baseline"], *record["techniques"].values())]
    errors = sorted(100 * np.sqrt(p * (1 - p) / record["settings"]["test_examples"]) for p in accuracies)
    assert f"a standard error of {errors[0]:.1f} to {errors[-1]:.1f} points" in text
    early = record["techniques"]["early_stopping"]
    assert f"lowers the loss (Holm p {early['loss_improvement']['p_holm']:.3f})" in text
    assert f"in accuracy (p {early['improvement']['p_holm']:.3f})" in text
    assert f"removes {100 * record['techniques']['l1']['zero_fraction']:.0f}% of the weights" in text
    onset = int(record["diagnosis"]["median_onset"])
    assert f"overfits from epoch {onset} on" in " ".join(README.split())


def test_the_table_of_penalties_and_routes_is_what_the_code_does():
    anchor = {"kernel": np.ones((2, 2), np.float32)}
    penalties = {name: make(0.1) for name, make in PENALTIES.items()} | {"l2_to": rj.l2_to(anchor, 0.1)}
    section = README.split("### Every penalty")[1]
    rows = {}
    for line in section.splitlines():
        cells = [cell.strip() for cell in line.split("|")[1:-1]]
        if len(cells) == 5 and cells[0].startswith("`"):
            rows[cells[0].strip("`")] = cells[2:]
    assert set(rows) == set(penalties)
    for name, (gradient, proximal, adam) in rows.items():
        routes = penalties[name].routes
        assert gradient.startswith("yes") == ({"loss", "coupled", "decoupled", "independent"} <= set(routes)), name
        assert proximal.startswith("no ") != ("proximal" in routes), name
        try:
            tx = rj.make_optimizer("adam", 0.1, penalty=penalties[name], mode="proximal")
            tx.update(anchor, tx.init(anchor), anchor)
            works = True
        except ValueError:
            works = False
        assert adam.startswith("yes") == works, name


def test_the_table_of_speed_is_that_of_the_record():
    record = {row["case"]: row for row in json.loads((ROOT / "experiments/records/bench.json").read_text())}
    section = " ".join(README.split("## Speed")[1].split("## Install")[0].split())
    for case, unit in (
        ("dense_step", "ms"),
        ("conv_step", "ms"),
        ("sweep_64", "s"),
        ("early_stop_reclaim", ""),
        ("scaling", ""),
    ):
        digits = 2 if unit == "" else 1
        assert f"| {record[case]['ours']:.{digits}f} {unit}".rstrip() in section, case
    for case, column in (("dense_step", "0.81"), ("conv_step", "0.88"), ("sweep_64", "0.74")):
        assert f"{record[case]['fraction_of_floor']:.2f}" == column
        assert f"| {column} |" in section
    assert f"{record['lasso_path']['ours']:.2f} s" in section
    assert f"| {record['dropout']['ours']:.1f}% |" in section
    variants = record["penalties"]["variants"]
    assert f"group lasso {variants['proximal group_lasso, momentum']:.1f}%" in section
    assert f"{max(variants.values()):.1f}%, with a noise of about 2 points" in section
    assert f"| {record['augment']['ours']:.1f} ms |" in section
    assert f"| {record['cold_start']['ours']:.1f} s |" in section
    assert f"({record['checkpoint']['ours']:.0f}%, torch".replace("-", "−") in section
    resume, verify = record["resume"], record["verify"]
    assert f"{resume['ours'] * resume['fraction_of_floor']:.1f} s) | {resume['ours']:.1f} s |" in section
    assert f"{verify['ours'] * verify['fraction_of_floor']:.0f} ms) | {verify['ours']:.0f} ms |" in section
    share = record["scaling"]["variants"]["a lane among 64, of one among 16"]
    assert f"A run among 64 takes {share:.2f} of the time" in section
    for name, text in (("l1", "L1"), ("elastic_net", "elastic net"), ("mcp", "MCP")):
        assert f"{text} {variants[f'proximal {name}']:.1f}%" in section


def test_each_fault_of_the_table_names_a_test_that_is_there():
    section = README.split("### When something goes wrong")[1].split("## Speed")[0]
    rows = [line for line in section.splitlines() if line.startswith("|")][2:]
    assert len(rows) >= 24
    for row in rows:
        path, name = re.fullmatch(r"\|.+\|.+\| `([\w/]+\.py)::(\w+)` \|", row).groups()
        assert f"def {name}(" in (ROOT / "tests" / path).read_text(), row


def test_the_table_of_noises_outputs_and_augmentations_names_everything():
    from regjax.augment import AUGMENTATIONS
    from regjax.penalties.outputs import OUTPUT_PENALTIES

    section = README.split("### Activations, outputs")[1].split("```python")[0]
    named = set(re.findall(r"\w+", section))
    assert set(rj.noise.NOISES) | set(OUTPUT_PENALTIES) <= named
    # The flag calls Gaussian noise "noise", as it is the only one.
    assert {name.replace("noise", "gaussian_noise") for name in AUGMENTATIONS} <= named
