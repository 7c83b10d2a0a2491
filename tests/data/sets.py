"""Small sets that tests prepare."""

import os
from pathlib import Path

import numpy as np
from PIL import Image

from regjax.data import Preprocessor, load, read_inputs

# Inputs as people have them, which stand beside the project and not in it.
INPUTS = Path(os.environ.get("REGJAX_TEST_INPUTS") or Path(__file__).resolve().parents[3] / "shared" / "inputs")


def make_set(folder, features, examples, supervised_keys=None, splits=("train",)):
    """Prepare a small TFDS set named `made`."""
    import tensorflow_datasets as tfds

    class Made(tfds.core.GeneratorBasedBuilder, skip_registration=True):
        VERSION = tfds.core.Version("2.0.0")

        def _info(self):
            return self.dataset_info_from_configs(
                features=tfds.features.FeaturesDict(features(tfds.features)),
                supervised_keys=supervised_keys,
                disable_shuffling=True,
            )

        def _split_generators(self, dl_manager):
            return {name: enumerate(examples(name)) for name in splits}

        def _generate_examples(self):
            raise NotImplementedError

    Made(data_dir=folder, file_format="array_record").download_and_prepare()
    return folder


def save_image(path, pixels, **options):
    """Write an image, or an array of bytes as one, and the folders above it; return the path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(np.asarray(pixels, np.uint8))
    image.save(path, **options)
    return path


def flat(value, *shape):
    """An image of one colour."""
    return np.full(shape or (6, 6, 3), value, np.uint8)


def every_way(root, **options):
    """The pixels of all files by relative path, as training, streamed training and prediction see them, and the notes.

    The three must not differ, but for the note of training about duplicates.
    """
    data, lazy, said = load(root, **options), load(root, lazy=True, **options), []
    saved = Preprocessor.fit(data.x, "image", image_rule=data.image_rule)
    x, names = read_inputs(root, Preprocessor.from_json(saved.to_json()), said.append)
    np.testing.assert_array_equal(lazy.x[:], data.x)
    np.testing.assert_array_equal(x, data.x)
    assert lazy.notes == data.notes
    assert [note for note in data.notes if "exact duplicates" not in note] == said
    return dict(zip(names, data.x, strict=True)), said
