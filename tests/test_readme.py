"""The README's Python runs as written, its commands parse, and its table is that of the record."""

import json
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
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
