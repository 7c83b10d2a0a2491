import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from regjax.data import Preprocessor, source, stream_inputs
from regjax.data.inputs import Piece, collected, in_batches

TABLE = Preprocessor.fit(np.ones((2, 3), np.float32), "table")


@given(st.lists(st.integers(1, 9), min_size=1), st.integers(1, 5))
def test_batches_start_at_multiples_of_their_size(sizes, size):
    ends = np.cumsum(sizes)
    given = [
        Piece(np.arange(end - n, end)[:, None], [str(i) for i in range(end - n, end)], end / ends[-1])
        for n, end in zip(sizes, ends, strict=True)
    ]
    found = list(in_batches(given, size))
    assert all(len(piece.ids) % size == 0 for piece in found[:-1])
    x, ids = collected(found)
    assert x[:, 0].tolist() == list(map(int, ids)) == list(range(ends[-1]))
    assert found[-1].share == 1


def test_pieces_of_a_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(source, "SLICE_ROWS", 3)
    for i in range(8):
        Image.fromarray(np.full((2, 2), 20 * i, np.uint8)).save(tmp_path / f"{i}.png")
    pieces = list(stream_inputs(tmp_path, Preprocessor.fit(np.zeros((1, 2, 2, 1), np.uint8), "image")))
    assert [piece.ids for piece in pieces] == [
        ["0.png", "1.png", "2.png"],
        ["3.png", "4.png", "5.png"],
        ["6.png", "7.png"],
    ]
    assert collected(pieces)[0][:, 0, 0, 0].tolist() == [20 * i for i in range(8)]
