"""Progress where there is no terminal, as in a test."""

from regjax.cli.progress import Bar


def shown(capsys):
    captured = capsys.readouterr()
    assert captured.out == ""  # all of it goes to stderr
    return captured.err.splitlines()


def test_plain_lines_are_few_and_the_last_one_is_there(capsys):
    with Bar("epochs", 3, every=1000.0) as bar:
        for done in (1, 2, 3):
            bar.update(done, f"status {done}")
    (line,) = shown(capsys)
    assert line.startswith("epochs 3/3  status 3")


def test_every_line_is_shown_if_there_is_time(capsys):
    with Bar("runs", 5, every=0.0) as bar:
        bar.start_at(2)
        bar.update(3, "one")
        bar.update(4, "two", total=4)  # there are fewer than was thought
    assert [line.split("  ")[0] for line in shown(capsys)] == ["runs 3/5", "runs 4/4"]


def test_what_is_left_is_estimated_from_the_part_that_runs(capsys, monkeypatch):
    clock = iter([0.0, 10.0, 100.0, 110.0, 150.0])
    monkeypatch.setattr("regjax.cli.progress.time.monotonic", lambda: next(clock))
    with Bar("runs", 0, every=0.0) as bar:
        bar.update(1, "search", 2)  # after 10 s, of which one more is left
        bar.update(1, "rows", 5)  # another part: nothing is known yet
        bar.update(2, "rows", 5)
        bar.update(5, "rows", 5)
    lines = shown(capsys)
    assert lines[0].endswith("about 10 s left")
    assert "left" not in lines[1] + lines[3]
    assert lines[2].endswith("about 30 s left")


def test_nothing_is_estimated_before_a_twentieth_is_done(capsys):
    """The first of many runs wait for the compiler, so their pace says nothing about the others."""
    with Bar("runs", 100, every=0.0) as bar:
        for done in (1, 4, 5):
            bar.update(done, "l2")
    assert ["left" in line for line in shown(capsys)] == [False, False, True]


def test_what_ends_soon_shows_nothing(capsys):
    with Bar("percent", 100, after=1000.0) as bar:
        bar.update(100, "all")
    assert shown(capsys) == []
