import sys
from pathlib import Path

from regjax.data import EMBEDDED
from regjax.data.readers.embedded import VERSION

ROOT = Path(__file__).resolve().parents[3]


def test_builders_match_the_names_and_the_version():
    from regjax.data.readers.builders import BUILDERS

    assert tuple(BUILDERS) == EMBEDDED
    for name, builder in BUILDERS.items():
        assert builder.name == name
        assert str(builder.VERSION) == VERSION


def test_builders_are_real_tfds_builders(tmp_path):
    import tensorflow_datasets as tfds

    from regjax.data.readers.builders import Wine

    builder = Wine(data_dir=tmp_path, file_format="array_record")
    builder.download_and_prepare()
    source = tfds.builder_from_directory(tmp_path / "wine" / VERSION).as_data_source(split="train")
    assert len(source) == 178
    assert source[177]["label"] == 2
    assert "tensorflow" not in sys.modules
