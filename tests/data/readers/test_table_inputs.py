import dataclasses

import numpy as np

from regjax.data import Preprocessor, from_frame, stream_inputs
from regjax.data.inputs import collected
from regjax.data.tables import text


def test_notes_are_of_all_pieces_together(tmp_path, monkeypatch):
    frame = {
        "city": ["Rome", "Oslo"] * 10,
        "size": np.arange(20.0),
        "key": [f"k{i}" for i in range(20)],
        "target": [0, 1] * 10,
    }
    data = from_frame(frame, "target")
    made = Preprocessor.fit(data.x, "table", columns=data.columns, schema=data.schema)
    monkeypatch.setattr(text, "PART_BYTES", 200)
    rows = "".join(f"{'Bonn' if i % 2 else 'Rome'},{'' if i % 5 else i},k{i},0\n" for i in range(300))
    (tmp_path / "t.csv").write_text("city,size,key,extra\n" + rows)
    said = []
    pieces = list(stream_inputs(tmp_path / "t.csv", made, said.append))
    assert len(pieces) > 10
    assert collected(pieces)[1] == [f"k{i}" for i in range(300)]
    assert said == [
        "city: 150 rows with a level that training did not have, as 'Bonn': no level",
        "size: 240 missing, as in no training example: median",
        "columns that are not read: extra",
    ]


def test_a_file_in_the_encoding_of_the_training_is_found_from_all_its_bytes(tmp_path, monkeypatch):
    data = from_frame({"city": ["Köln", "Bonn"] * 9, "n": np.arange(18.0), "target": [0, 1] * 9}, "target")
    schema = dataclasses.replace(data.schema, encoding="latin1")
    made = Preprocessor.fit(data.x, "table", columns=data.columns, schema=schema)
    monkeypatch.setattr(text, "PART_BYTES", 100)
    (tmp_path / "t.csv").write_text("city,n\n" + "Bonn,1\n" * 90 + "Köln,2\n", encoding="latin1")
    x, _ = collected(stream_inputs(tmp_path / "t.csv", made))
    assert dict(zip(data.columns, x[-1].tolist(), strict=True))["city=Köln"] == 1
