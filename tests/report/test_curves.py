import types

import pytest

from regjax.report import write_curves

HISTORY = {
    "epoch": [0, 1, 2, 3],
    "train/data_loss": [2.0, 1.0, 0.5, 0.2],
    "val/loss": [2.1, 1.2, 1.4, None],
    "train/accuracy": [0.1, 0.5, 0.8, 1.0],
    "val/accuracy": [0.1, 0.4, 0.6, float("nan")],
}


def test_writes_a_png_only(tmp_path):
    path = write_curves(
        HISTORY, tmp_path / "new" / "curves.png", title="a $\\bad$ <title>\x00", diagnosis={"onset_epoch": 1}
    )
    assert path.read_bytes().startswith(b"\x89PNG")
    assert [p.name for p in path.parent.iterdir()] == ["curves.png"]


@pytest.mark.parametrize(
    "history",
    [
        {"train/loss": [1.0], "val/loss": [2.0]},
        {"val/loss": [1.0, 0.5]},
        {"train/data_loss": [1.0, 0.5], "val/loss": [None, None]},
        {
            "train/data_loss": [1.0, -0.5],
            "val/loss": [1.0, 1.0],
            "train/r2": [0.1, 0.2],
            "val/r2": [0.0, 0.1],
        },
        {"train/data_loss": [None], "val/loss": [None]},
    ],
)
def test_other_histories(tmp_path, history):
    diagnosis = types.SimpleNamespace(onset_epoch=0)
    assert write_curves(history, tmp_path / "c.png", title="", diagnosis=diagnosis).stat().st_size > 1000


def test_the_same_bytes(tmp_path):
    one, two = (write_curves(HISTORY, tmp_path / f"{i}.png", title="run").read_bytes() for i in "ab")
    assert one == two


def test_no_loss_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="no train/data_loss, train/loss or val/loss; there are none"):
        write_curves({}, tmp_path / "c.png", title="")
