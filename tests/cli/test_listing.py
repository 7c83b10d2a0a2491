"""The lists of methods: all of the catalogue, in lines that fit, and what is asked for wrongly is refused."""

import subprocess
import sys

import pytest

from regjax import catalog
from regjax.cli import listing
from regjax.cli.listing import KINDS, WIDTH
from regjax.core.errors import InputError


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_listed_in_lines_that_fit(kind, capsys):
    assert listing.main([kind]) == 0
    lines = capsys.readouterr().out.splitlines()
    names = [line.split()[0] for line in lines if not line.startswith(" ")]
    assert names == list(KINDS[kind]())
    assert max(map(len, lines)) <= WIDTH


def test_penalties_are_those_of_the_catalogue_with_their_source(capsys):
    listing.main(["penalties"])
    out = capsys.readouterr().out
    assert all(name in out for name in catalog.PENALTIES)
    assert "Tibshirani 1996" in out


def test_without_a_kind_the_kinds_are_named(capsys):
    assert listing.main([]) == 0
    out = capsys.readouterr().out
    assert all(kind in out for kind in KINDS)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["penaltys"], "did you mean 'penalties'"),
        (["zebra"], "list 'zebra': accepted"),
        (["losses", "l1"], "list 'l1'"),
    ],
)
def test_what_is_no_kind_is_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        listing.main(arguments)


def test_a_list_starts_no_jax():
    code = "import sys; from regjax.cli import listing; listing.main(['noises']); print('jax' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.splitlines()[-1] == "False"
