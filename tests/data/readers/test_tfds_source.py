import shutil

import pytest

from regjax.core.errors import InputError
from regjax.data import find_prepared, load_tfds, open_prepared


def test_records_are_random_access(wine_dir):
    source = open_prepared(find_prepared("wine", wine_dir))
    records = source.records("train")
    assert len(records) == source.splits["train"] == 178
    assert records[177]["label"] == 2
    with pytest.raises(InputError, match="no split 'test', there are: train"):
        source.records("test")


def test_other_formats_are_refused_with_the_remedy(wine_dir, tmp_path):
    shutil.copytree(wine_dir / "wine", tmp_path / "wine")
    info = tmp_path / "wine" / "1.1.0" / "dataset_info.json"
    info.write_text(info.read_text().replace("array_record", "tfrecord", 1))
    with pytest.raises(InputError, match="prepared as tfrecord, accepted: array_record; prepare it with"):
        load_tfds("wine", data_dir=tmp_path)


@pytest.mark.parametrize("damage", ["flip", "truncate", "remove", "features"])
def test_damaged_sets_are_refused(wine_dir, tmp_path, damage):
    shutil.copytree(wine_dir / "wine", tmp_path / "wine")
    folder = tmp_path / "wine" / "1.1.0"
    (records,) = folder.glob("*.array_record-*")
    content = bytearray(records.read_bytes())
    if damage == "flip":
        content[len(content) // 2] ^= 1
        records.write_bytes(content)
    elif damage == "truncate":
        records.write_bytes(content[:-100])
    elif damage == "remove":
        records.unlink()
    else:
        (folder / "features.json").write_text("{")
    with pytest.raises(InputError, match=r"prepare it again|not a readable TFDS set"):
        load_tfds("wine", data_dir=tmp_path)
