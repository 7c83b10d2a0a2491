import numpy as np
import pytest

from regjax.core.errors import InputError
from regjax.data import Preprocessor, read_inputs, stream_inputs
from regjax.data.inputs import collected
from regjax.data.readers import npz_inputs

TABLE = Preprocessor.fit(np.ones((2, 3), np.float32), "table")


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("write", [np.savez, np.savez_compressed])
def test_pieces_of_an_npz(tmp_path, monkeypatch, write, order):
    monkeypatch.setattr(npz_inputs, "PIECE_BYTES", 1000)
    x = np.random.default_rng(0).normal(size=(400, 3))
    write(tmp_path / "t.npz", y=np.zeros(2), x=np.asarray(x, order=order))
    pieces = list(stream_inputs(tmp_path / "t.npz", TABLE))
    assert len(pieces) == (10 if order == "C" else 1)
    np.testing.assert_array_equal(collected(pieces)[0], x.astype(np.float32))
    assert collected(pieces)[1] == [str(i) for i in range(400)]
    assert pieces[-1].share == 1


def test_errors_in_a_later_piece_of_an_npz_name_the_example(tmp_path, monkeypatch):
    monkeypatch.setattr(npz_inputs, "PIECE_BYTES", 1000)
    x = np.ones((400, 3))
    np.savez(tmp_path / "t.npz", x=x)
    content = bytearray((tmp_path / "t.npz").read_bytes())
    content[5000] ^= 1
    (tmp_path / "t.npz").write_bytes(content)
    with pytest.raises(InputError, match=r"t\.npz: .*CRC"):
        read_inputs(tmp_path / "t.npz", TABLE)
    x[321, 1] = np.inf
    np.savez(tmp_path / "t.npz", x=x)
    with pytest.raises(InputError, match=r"found inf at index \(321, 1\)"):
        read_inputs(tmp_path / "t.npz", TABLE)
