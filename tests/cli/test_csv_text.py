import csv
import io

import numpy as np
import pyarrow.compute  # noqa: F401  the import takes longer than an example may
from hypothesis import example, given
from hypothesis import strategies as st

from regjax.cli.csv_text import csv_lines

CELLS = st.text(st.characters(codec="utf-8"))
NUMBERS = st.one_of(st.floats(), st.floats(width=32), st.floats(0, 1).map(lambda p: round(p, 6)))


def by_csv(rows):
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


@given(st.lists(st.tuples(CELLS, NUMBERS, CELLS, st.integers(-(2**63), 2**63 - 1)), min_size=1))
@example([('a"b', 1.0, "c,d", 0), ("e\nf", 1e-4, "", 1), ("\r", float("nan"), "g", 2)])
def test_cells_are_written_as_by_the_csv_module(rows):
    columns = dict(zip("abcd", map(list, zip(*rows, strict=True)), strict=True))
    assert csv_lines(columns) == by_csv(rows)


def test_many_numbers_of_every_size_are_written_as_by_the_csv_module():
    rng = np.random.default_rng(0)
    bits = rng.integers(0, 2**64, 20_000, dtype=np.uint64).view(np.float64)
    spread = rng.normal(size=20_000) * 10.0 ** rng.integers(-8, 20, 20_000)
    for values in (bits, spread, spread.astype(np.float32), spread.round(2)):
        cells = values.tolist()
        assert csv_lines({"a": cells, "b": cells}) == by_csv(zip(cells, cells, strict=True))
