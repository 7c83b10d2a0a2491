"""Small sets that tests prepare."""

import numpy as np
from PIL import Image


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


def save_image(path, pixels):
    """Write an image of these bytes, and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(pixels, np.uint8)).save(path)
