"""Where the time of a program goes: what the profile of a few operations adds up to, by hand."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).resolve().parents[3] / "scripts/bench"))

from cases.explain import WAITING, Operation, Span, entry, kind_of, operations, shares, summarized, table

ROOT = Path(__file__).resolve().parents[3]

TEXT = """HloModule made

%fused (p: f32[2]) -> f32[2] {
  %p = f32[2] parameter(0)
  ROOT %add.1 = f32[2] add(%p, %p), metadata={op_name="jit(run)/optimizer/add"}
}

%packed (q: f32[2,2]) -> f32[2,2] {
  %q = f32[2,2] parameter(0)
  ROOT %dot.1 = f32[2,2] dot(%q, %q), lhs_contracting_dims={1}
}

ENTRY %main (a: f32[2], b: f32[2,2]) -> f32[2] {
  %a = f32[2] parameter(0)
  %ynn_fusion = f32[2,2] fusion(%b), kind=kCustom, calls=%packed, metadata={op_name="jit(run)/gradients/dot"}
  %copy.3 = f32[2] copy(%a)
  %while.1 = (s32[], f32[2]) while(%t), condition=%c, body=%d
  ROOT %add_fusion = f32[2]{0} fusion(%a), kind=kLoop, calls=%fused, metadata={op_name="jit(run)/optimizer/add"}
}
"""


def test_operations_are_read_with_what_they_call_and_loops_are_left_out():
    found = operations(TEXT)
    assert found["ynn_fusion"] == Operation("fusion", frozenset({"parameter", "dot"}), "jit(run)/gradients/dot")
    assert found["add_fusion"].origin == "jit(run)/optimizer/add"
    assert "while.1" not in found
    kinds = {name: kind_of(found[name]) for name in ("ynn_fusion", "copy.3", "add_fusion")}
    assert kinds == {"ynn_fusion": "products", "copy.3": "copies", "add_fusion": "optimizer"}


@pytest.mark.parametrize(
    ("origin", "kind"),
    [
        ("jit(run)/while/body/gradients/jvp(MLP)/relu/max", "model"),
        ("jit(run)/while/body/gradients/jvp(MLP)/dropout_0/cond/ge", "bits"),
        ("jit(run)/while/body/jit(_threefry_fold_in)/stream/add", "bits"),
        ("jit(run)/while/body/evaluate/reduce_sum", "evaluation"),
        ("jit(run)/while/body/batch/gather", "batch"),
        ("jit(run)/while/body/add", "rest"),
    ],
)
def test_elementwise_operations_are_put_by_their_origin(origin, kind):
    assert kind_of(Operation("fusion", frozenset({"add", "parameter"}), origin)) == kind


def test_an_instant_is_shared_by_what_runs():
    """Alone from 0 to 2, with another from 2 to 6, nothing until 8, and alone to 9."""
    lines = [[Span("a", 0, 6), Span("a", 8, 9)], [Span("b", 2, 6)]]
    assert shares(lines) == {"a": 2 + 4 / 2 + 1, "b": 4 / 2}
    assert shares([[Span("a", 0, 6), Span("a", 1, 2)]]) == {"a": 6.0}


def test_kinds_and_waiting_add_up_to_the_time():
    """10 ms for 4 updates: a product to 6 ms, beside an optimizer from 4 to 6 ms; then nothing, and to 10 a product."""
    known = {
        "dot": Operation("dot", frozenset(), "gradients"),
        "adam": Operation("fusion", frozenset({"multiply"}), "a/optimizer/b"),
    }
    lines = [[Span("dot", 0, 6e6), Span("unknown", 6e6, 9e6), Span("dot", 9e6, 10e6)], [Span("adam", 4e6, 6e6)]]
    made = summarized(known, lines, 0.010, 0.010, 4)
    assert made.wall == 2.5
    assert made.kinds["products"] == pytest.approx((4 + 1 + 1) / 4)
    assert made.kinds["optimizer"] == pytest.approx(1 / 4)
    assert made.kinds[WAITING] == pytest.approx(3 / 4)
    assert sum(made.kinds.values()) == pytest.approx(made.wall)
    assert list(made.names) == ["dot", "adam"]
    # With a profile it took twice as long: the same shares.
    slow = summarized(known, [[Span(s.name, 2 * s.start, 2 * s.end) for s in line] for line in lines], 0.01, 0.02, 4)
    assert slow.kinds == pytest.approx(made.kinds)
    assert "matrix products" in table(made)[1]
    assert entry("made", made)["names"] == {"dot": 1.5, "adam": 0.25}


@pytest.mark.slow
@pytest.mark.parametrize("case", ["dense_step", "conv_step", "sweep_64", "tables"])
def test_a_program_of_ours_is_explained(tmp_path, case):
    """Products, optimizer and bits are found in a real profile, and the parts are the whole."""
    path = tmp_path / "profile.json"
    command = [sys.executable, str(ROOT / "scripts/bench.py"), f"--explain={case}", "--quick", f"--json={path}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, env=dict(os.environ))
    assert done.returncode == 0, done.stderr
    (made,) = json.loads(path.read_text())
    assert sum(made["kinds"].values()) == pytest.approx(made["wall"], rel=1e-3)
    assert all(made["kinds"][kind] > 0 for kind in ("products", "optimizer", "model", "evaluation"))
    assert "matrix products" in done.stdout


@pytest.mark.slow
def test_what_has_no_program_is_refused_with_those_that_have():
    command = [sys.executable, str(ROOT / "scripts/bench.py"), "--explain=loading"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=dict(os.environ))
    assert done.returncode == 2
    assert "accepted: dense_step, conv_step, resnet_step, vit_step, sweep_64, sweep_512, tables" in done.stderr
