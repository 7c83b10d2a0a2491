"""Bad input: one line on stderr that names flag, value and what is accepted; exit code 2; nothing written."""

import re

import numpy as np
import pytest

from regjax.cli import flags

pytestmark = pytest.mark.slow


@pytest.fixture
def fails(run, tmp_path):
    """Run a command that must be refused; gives its one line of stderr."""

    def call(module, *arguments):
        before = sorted(tmp_path.rglob("*"))
        done = run(module, *arguments, code=2)
        assert sorted(tmp_path.rglob("*")) == before
        assert done.stdout == ""
        lines = done.stderr.splitlines()
        assert len(lines) == 1, done.stderr
        return lines[0]

    return call


BAD = [
    (("train", "--l2=-1"), r"--l2=-1: .*must be a number >= 0"),
    (("train", "--l1=nan"), r"--l1=nan: .*must be a number >= 0"),
    (("train", "--dropout=1"), r"--dropout=1: .*\[0, 1\)"),
    (("train", "--dropout=abc"), r"--dropout=abc: .*\[0, 1\)"),
    (("train", "--learning_rate=0"), r"--learning_rate=0: .*> 0"),
    (("train", "--learning_rate=inf"), r"--learning_rate=inf"),
    (("train", "--patience=-1"), r"--patience=-1: .*>= 0"),
    (("train", "--epochs=0"), r"--epochs=0: .*>= 1"),
    (("train", "--epochs=1.5"), r"--epochs=1.5: .*whole number"),
    (("train", "--batch_size=0"), r"--batch_size=0"),
    (("train", "--label_noise=1"), r"--label_noise=1"),
    (("train", "--optimizer=adm"), r"--optimizer=adm: .*did you mean 'adam'"),
    (("train", "--penalty_mode=proximl"), r"did you mean 'proximal'"),
    (("train", "--model=mpl"), r"--model=mpl: .*did you mean 'mlp'"),
    (("train", "--widths=3,0"), r"--widths=3,0: .*>= 1"),
    (("train", "--widths=8", "--model=linear"), r"--widths=\(8,\): a linear model has no hidden layers"),
    (("train", "--dataset=digitz"), r"--dataset=digitz: .*digits"),
    (("train", "--dataset=missing.csv"), r"--dataset=missing.csv: "),
    (("train", "--train_examples=5000"), r"--train_examples=5000: at most 1077"),
    (("train", "--augment=shfit=1"), r"--augment=shfit=1: .*did you mean 'shift'"),
    (("train", "--augment=rand_augment(9, layers=0)"), r"--augment=rand_augment.*: layers must be a whole number"),
    (("train", "--augment=row_cutout=0.1"), r"--augment=row_cutout=0.1: .*'row_cutout' is for tables; digits is a set"),
    (("train", "--augment=shift=1", "--dataset=wine"), r"--augment=shift=1: .*'shift' is for images"),
    (
        ("train", "--label_smoothing=0.1", "--dataset=diabetes"),
        r"--label_smoothing=0.1: needs a set with classes or labels",
    ),
    (("train", "--label_noise=0.1", "--dataset=diabetes"), r"--label_noise=0.1: .*regression"),
    (("train", "--l3=1"), r"l3"),
    (("train", "--penalty=lasso(1)"), r"--penalty=lasso\(1\): penalty 'lasso' is not known"),
    (("train", "--penalty=l1(-1)"), r"--penalty=.*l1: strength must be >= 0, got -1"),
    (("train", "--penalty=__import__('os')"), r"'__import__' is not known"),
    (("train", "--penalty=l0(1)"), r"l0 does not support the mode 'loss'; accepted penalty_mode: proximal"),
    (("train", "--penalty=l1(1,where='conv')"), r"nothing matches 'conv' among the leaves: hidden_0/bias"),
    (("train", "--penalty=group_lasso(1,axis=4)"), r"axis must be in \[-2, 2\) for hidden_0/kernel"),
    (("train", "--penalty=nuclear(1)", "--penalty_mode=proximal"), r"needs one step for a whole leaf"),
    (("train", "--penalty=mcp(1)+l1(1)", "--penalty_mode=proximal"), r"the sum mcp \+ l1 on .* has no closed form"),
    (("train", "--constraint=max_norm(0)"), r"--constraint=max_norm\(0\): .*limit must be > 0, got 0"),
    (("train", "--constraint=box(0,1)+max_norm(1)"), r"box and max_norm on hidden_0/kernel"),
    (("train", "--average=ema(2)"), r"--average=ema\(2\): .*decay must be in \[0, 1\), got 2"),
    (("train", "--sam=-1"), r"--sam=-1: must be a number >= 0"),
    (("compare", "--try_penalty=lasso(1)"), r"--try_penalty=.*'lasso' is not known"),
    (("compare", "--try_penalty=l0(1)"), r"--try_penalty=l0\(1\): l0 does not support the mode 'loss'"),
    (("sweep", "--sweep=penalty=1,2"), r"--sweep=.*give one"),
    (("train", "extra"), r"'extra' is not a flag"),
    (("train", "--resume", "--overwrite"), r"--resume=True: and --overwrite exclude each other"),
    (("compare", "--techniques=l2,lasso"), r"--techniques=l2,lasso: 'lasso' is not known"),
    (("compare", "--grid=l2=a"), r"--grid=.*write NAME=NUMBER"),
    (("compare", "--grid=l2=-1"), r"--grid=.*must be finite and > 0"),
    (("compare", "--grid=dropout=1.5"), r"--grid=.*technique 'dropout': dropout must be in \[0, 1\), got 1.5"),
    (("compare", "--grid=more_data=5000"), r"--grid=.*5000 is not a whole number in \[1, 1077\]"),
    (("compare", "--grid=early_stopping=3"), r"--grid=.*takes no grid"),
    (("train", "--model=cnn", "--dataset=wine"), r"--model=cnn: the model cannot take inputs .*\[1, 13\]"),
    (("train", "--workdir=."), r"--workdir=.: holds the current directory"),
    (("train", "--patience=3", "--stop_criterion=gl"), r"--patience=3: is read by --stop_criterion=patience alone"),
    (("compare", "--patience=3", "--stop_criterion=up"), r"--patience=3: is read by --stop_criterion=patience alone"),
    (("sweep", "--sweep=patience=3,4", "--stop_criterion=gl"), r"--sweep=.*patience.*--stop_criterion=patience"),
    (
        ("train", "--min_delta=0.1", "--stop_criterion=gl"),
        r"--min_delta=0.1: is read by --stop_criterion=patience alone",
    ),
    (("compare", "--min_delta=0.1", "--stop_criterion=pq"), r"--min_delta=0.1: is read by --stop_criterion=patience"),
    (("train", "--min_delta=0.1"), r"--min_delta=0.1: .*--patience"),
    (("train", "--augment_strength=0.5"), r"--augment_strength=0.5: is of no use without --augment"),
    (("train", "--validation=stop", "--loader=stream"), r"--validation=stop: is for --loader=memory"),
    (("train", "--validation=none"), r"--validation=none: .*accepted: all, stop"),
    (("train", "--penalty=l1(1, mode='proximl')"), r"--penalty=.*did you mean 'proximal'"),
    (("train", "--penalty=-1 * l1(1)"), r"--penalty=.*not a factor; write NUMBER \* CALL"),
    (("gallery", "--train_examples=3"), r"train_examples"),
    (("sweep", "--sweep=l2=0,1", "--min_delta=0.1"), r"--min_delta=0.1: .*--patience"),
    (("sweep", "--sweep=min_delta=0,0.1"), r"--sweep=.*min_delta.*--patience"),
    (("compare", "--seeds=0"), r"--seeds=0"),
    (("compare", "--select=2se"), r"did you mean '1se'"),
    (("sweep",), r"--sweep: give at least one"),
    (("compare", "--try_penalty=l1(0)"), r"--try_penalty=l1\(0\): .*every strength is 0"),
    (("compare", "--try_penalty=l1(1)", "--try_penalty=l1(1)"), r"--try_penalty=l1\(1\): is given twice"),
    (("compare", "--try_penalty=l1(1e37)"), r"--try_penalty=l1\(1e37\): .*strength times the largest factor"),
    (("compare", "--techniques=decoupled", "--l2=0.1"), r"technique 'decoupled': l2 acts on .* in two modes"),
    (("train", "--l1=1e39"), r"--l1=1e39: .*must be a number >= 0"),
    (
        ("train", "--drop_path=0.1"),
        r"--drop_path=0.1: mlp has no such noise .*mlp\(skip=True\).*it has input_dropout, dropout.*drop_connect",
    ),
    (("train", "--output_penalty=confidnce(1)"), r"did you mean 'confidence'"),
    (("train", "--output_penalty=r_drop(1)", "--dataset=diabetes"), r"r_drop needs a classification set"),
    (("train", "--model=mlp(skip=True)"), r"MLP: skip needs neighbouring layers of one width"),
    (("train", "--sam=0.1", "--gradient_noise=0.1"), r"--gradient_noise=0.1: excludes --sam"),
    (("sweep", "--sweep=output_penalty=1,2"), r"output_penalty multiplies the strengths of --output_penalty; give one"),
    (("sweep", "--sweep=l3=1,2"), r"'l3' cannot be swept; accepted: "),
    (("sweep", "--sweep=l2=__import__('os')"), r"write logspace"),
    (("sweep", "--sweep=l2=logspace(1,2)"), r"write logspace"),
    (("sweep", "--sweep=dropout=0.5,1"), r"dropout must be in \[0, 1\), got 1"),
    (("sweep", "--sweep=l2=1,1"), r"l2 has a value twice"),
    (("sweep", "--sweep=train_examples=100,5000"), r"train_examples must be at most 1077"),
    (("sweep", "--sweep=l2=logspace(-9,9,999999)"), r"write logspace"),
    (("predict", "--workdir=nowhere"), r"--workdir=nowhere: no such directory"),
]


@pytest.mark.parametrize(
    ("arguments", "message"), BAD, ids=lambda value: " ".join(value) if isinstance(value, tuple) else ""
)
def test_refused_in_one_line(fails, arguments, message):
    assert re.search(message, fails(*arguments))


CSV = [
    ("", "empty"),
    ("a,target\n", "no (rows|examples)|empty"),
    ("a,target\n1,0\n2\n", "row"),
    ("a,target\n1,x\nabc,y\n", r"row .*column 'a'.*'abc'"),
    ("a,a,target\n1,2,x\n", "'a'"),
    ("a,tarjet\n1,x\n2,y\n", "did you mean 'tarjet'|tarjet"),
    ("a,target\n1,x\ninf,y\n", "column 'a'"),
]


@pytest.mark.parametrize(("content", "message"), CSV)
def test_csv_that_cannot_be_used(fails, tmp_path, content, message):
    (tmp_path / "d.csv").write_text(content)
    assert re.search(message, fails("train", "--dataset=d.csv"))


def test_npz_without_targets(fails, tmp_path):
    np.savez(tmp_path / "d.npz", x=np.zeros((8, 2), np.float32))
    assert re.search("--dataset=d.npz: .*y", fails("train", "--dataset=d.npz"))


@pytest.mark.parametrize("module", ["train", "compare", "sweep", "path", "claims", "predict", "export", "gallery"])
def test_what_print_config_prints_is_a_flagfile_that_changes_nothing(run, tmp_path, module):
    given = {
        "train": ("--l2=0.1", "--widths=8,4", "--norestore_best", "--penalty=l1(1, where='a b')", "--patience=3"),
        "compare": ("--grid=l2=0.1,1", "--grid=l1=0.1", "--techniques=l1,l2", "--epochs=3"),
        "sweep": ("--sweep=l2=0.1,1", "--nocompact"),
        "path": ("--path=l2=0.1,1", "--order=up"),
        "claims": ("--only=l2_shrinks", "--seeds=3"),
        "predict": ("--input=test", "--output=w.csv"),
        "export": ("--output=e",),
        "gallery": ("--images=2",),
    }[module]
    printed = run(module, *given, "--print_config").stdout
    assert not list(tmp_path.iterdir())
    assert set(given) <= set(printed.splitlines())
    (tmp_path / "flags.txt").write_text(printed)
    assert run(module, "--flagfile=flags.txt", "--print_config").stdout == printed


def test_flagfile(run, tmp_path):
    (tmp_path / "flags.txt").write_text("--epochs=2\n--train_examples=64\n# a comment\n--widths=8\n")
    run("train", "--flagfile=flags.txt", "--workdir=w")
    assert len((tmp_path / "w/metrics.jsonl").read_text().splitlines()) == 2


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        (
            "say numeric=a (or missing), categorical=a or ignore=a",
            "say --numeric=a (or missing), --categorical=a or --ignore=a",
        ),
        ("say --encoding=latin1 (encoding= in Python)", "say --encoding=latin1 (encoding= in Python)"),
        ("group=A alone orders the targets: ignore=group", "group=A alone orders the targets: --ignore=group"),
        ("x=1 is no option", "x=1 is no option"),
    ],
)
def test_options_of_the_data_in_messages_are_flags_here(message, shown):
    assert flags.as_flags(message) == shown
