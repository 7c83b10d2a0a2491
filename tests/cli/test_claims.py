"""The command claims: what it writes, resumes and refuses."""

import json

import pytest

from regjax.claims.registry import CLAIMS
from regjax.cli import claims
from regjax.cli.claims import Config
from regjax.cli.flags import FlagError

QUICK = "dropout_drops_stated_fraction,l2_needs_equal_ranges"


@pytest.mark.parametrize(
    ("only", "message"),
    [("l2_shrink", "l2_shrink: no such claim; --names lists them"), (", ,", "names no claim")],
)
def test_unknown_claims_are_refused(only, message):
    with pytest.raises(FlagError, match=message):
        claims._wanted(Config(only=only), list(CLAIMS))


def test_claims_come_in_the_order_of_the_guide():
    wanted = claims._wanted(Config(only=" l1_makes_zeros, training_error_falls "), list(CLAIMS))
    assert wanted == ["training_error_falls", "l1_makes_zeros"]
    assert claims._wanted(Config(), list(CLAIMS)) == list(CLAIMS)


@pytest.mark.slow
def test_what_is_measured_is_written_and_not_repeated(run, tmp_path):
    done = run("claims", f"--only={QUICK}", "--seeds=3", "--workdir=w")
    content = json.loads((tmp_path / "w/claims.json").read_text())
    assert [claim["name"] for claim in content["claims"]] == ["l2_needs_equal_ranges", "dropout_drops_stated_fraction"]
    verdicts = {claim["name"]: claim["verdict"] for claim in content["claims"]}
    assert verdicts["l2_needs_equal_ranges"] == "depends on"
    assert all(f"{name}  " in done.stdout for name in verdicts)
    assert content["seeds"] == [0, 1, 2]
    assert {"claims.json", "config.json", "report.html", "figures"} == {
        path.name for path in (tmp_path / "w").iterdir()
    }
    before = (tmp_path / "w/claims.json").read_bytes()
    again = run("claims", f"--only={QUICK}", "--seeds=3", "--workdir=w", "--resume")
    assert "nothing to do" in again.stdout
    assert (tmp_path / "w/claims.json").read_bytes() == before


@pytest.mark.slow
def test_the_names_are_listed_and_nothing_is_written(run, tmp_path):
    listed = run("claims", "--names").stdout
    assert [line.split()[0] for line in listed.splitlines()] == list(CLAIMS)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_a_measurement_that_was_broken_off_goes_on(run, tmp_path, monkeypatch):
    """The first claim is stored, with a mark that a second measurement would not have."""
    flags = [f"--only={QUICK}", "--seeds=3", "--workdir=w"]
    run("claims", *flags)
    content = json.loads((tmp_path / "w/claims.json").read_text())
    config = (tmp_path / "w/config.json").read_text()
    unfinished = tmp_path / "v/unfinished"
    unfinished.mkdir(parents=True)
    (unfinished / "config.json").write_text(config)
    kept = content["claims"][0] | {"seconds": -1.0}
    (unfinished / "l2_needs_equal_ranges.json").write_text(json.dumps(kept))
    run("claims", *flags[:-1], "--workdir=v", "--resume")
    resumed = json.loads((tmp_path / "v/claims.json").read_text())
    assert [claim["seconds"] == -1.0 for claim in resumed["claims"]] == [True, False]
    assert resumed["claims"][1]["circumstances"] == content["claims"][1]["circumstances"]
