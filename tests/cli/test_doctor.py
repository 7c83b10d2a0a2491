"""The doctor: it names what is there and what is not, and a computation that is wrong fails it."""

import importlib.metadata

import jax
import pytest

from regjax.cli import doctor
from regjax.core.errors import InputError

pytestmark = pytest.mark.slow


def test_a_healthy_installation_passes(capsys):
    assert doctor.main([]) == 0
    out = capsys.readouterr().out
    assert f"jax {jax.__version__}" in out
    assert str(jax.devices()[0].device_kind) in out
    assert out.count("ok: ") == 3


@pytest.mark.parametrize("broken", ["wrong", "raises"])
def test_a_computation_that_is_wrong_fails(monkeypatch, capsys, broken):
    import regjax as rj

    def dropout(key, x, rate):
        if broken == "raises":
            raise RuntimeError("no such instruction")
        return x

    monkeypatch.setattr(rj.noise, "dropout", dropout)
    assert doctor.main([]) == 1
    assert "FAILED" in capsys.readouterr().out


def test_missing_packages_are_named_by_extra(monkeypatch):
    required = [
        "jax>=0.8",
        "no-such-thing>=1; extra == 'docs'",
        "numpy; extra == 'run'",
        "regjax[run]; extra == 'docs'",
    ]
    monkeypatch.setattr(importlib.metadata, "requires", lambda name: required)
    assert list(doctor.extras()) == ["docs: missing no-such-thing", "run: complete"]


def test_an_argument_is_refused():
    with pytest.raises(InputError, match="takes no argument"):
        doctor.main(["now"])
