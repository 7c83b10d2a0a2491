"""What `import regjax as rj` offers, and what it says of what it does not."""

import subprocess
import sys
import typing

import pytest

import regjax as rj
from regjax.catalog import PENALTY_MODES
from regjax.core.typing import PenaltyMode


@pytest.mark.parametrize(
    ("name", "places"),
    [
        ("dropout", ["rj.noise.dropout", "rj.layers.Dropout"]),
        ("drop_path", ["rj.noise.drop_path", "rj.layers.DropPath"]),
        ("cutmix", ["rj.augment.cutmix"]),
        ("mixup", ["rj.augment.mixup"]),
        ("weight_decay", ["rj.l2", "decoupled"]),
        ("lasso", ["rj.l1", "rj.lasso_path"]),
        ("ridge", ["rj.l2"]),
        ("early_stopping", ["rj.EarlyStopping"]),
        ("label_smoothing", ["rj.smooth_labels"]),
        ("weighted_mean", ["rj.losses.weighted_mean"]),
        ("Elastic_Net", ["rj.elastic_net"]),
        ("lasso_pth", ["rj.lasso_path"]),
    ],
)
def test_a_name_that_is_elsewhere_is_pointed_to(name, places):
    with pytest.raises(AttributeError, match=name) as caught:
        getattr(rj, name)
    for place in places:
        assert place in str(caught.value)
        if "(" not in place and place.startswith("rj."):
            thing = rj
            for part in place.split(".")[1:]:
                thing = getattr(thing, part)


def test_other_names_fail_as_they_should():
    assert not hasattr(rj, "qqq")
    with pytest.raises(AttributeError, match="qqq"):
        getattr(rj, "qqq")  # noqa: B009
    with pytest.raises(ImportError):
        from regjax import qqq  # noqa: F401


def test_modes_are_literals():
    assert set(typing.get_args(PenaltyMode)) == set(PENALTY_MODES)
    assert typing.get_type_hints(rj.penalty_technique)["mode"] == PenaltyMode


@pytest.mark.slow
def test_a_type_checker_sees_a_misspelt_mode_and_a_name_that_is_not_there(tmp_path):
    file = tmp_path / "use.py"
    file.write_text(
        "import regjax as rj\n"
        "rj.penalty_technique('a', rj.l1(0.1), mode='proximal')\n"
        "rj.penalty_technique('a', rj.l1(0.1), mode='proximl')\n"
        "rj.dropout\n"
    )
    command = [sys.executable, "-m", "mypy", "--follow-imports=silent", "--ignore-missing-imports", str(file)]
    found = subprocess.run(command, capture_output=True, text=True, cwd=rj.__path__[0] + "/..").stdout
    assert [line.split(":")[1] for line in found.splitlines() if ": error:" in line] == ["3", "4"], found
