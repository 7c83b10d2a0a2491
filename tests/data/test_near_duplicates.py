import dataclasses
import io

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits, load_sample_images

from regjax.data import from_arrays, load
from regjax.data.near_duplicates import LEAST_CONTRAST, near_duplicates, with_near_duplicates_noted


@pytest.fixture(scope="module")
def pictures():
    """Parts of two photographs that are not blank."""
    parts = [
        photo[i : i + 64, j : j + 64]
        for photo in load_sample_images().images
        for i in range(0, 427 - 63, 64)
        for j in range(0, 640 - 63, 64)
    ]
    return np.stack([part for part in parts if part.mean(axis=2).std() > 2 * LEAST_CONTRAST * 255])


def jpeg(picture):
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=60)
    return np.array(Image.open(file))


def resized(picture):
    return np.array(Image.fromarray(picture).resize((48, 48)).resize((64, 64)))


def darker(picture):
    return (picture * 0.6 + 20).astype(np.uint8)


def noisy(picture):
    noise = np.random.default_rng(0).normal(0, 5, picture.shape)
    return np.clip(picture + noise, 0, 255).astype(np.uint8)


def test_different_pictures_are_no_pairs(pictures):
    assert len(pictures) > 40
    assert near_duplicates(pictures).shape == (0, 2)
    digits = load_digits().images.repeat(4, axis=1).repeat(4, axis=2)[..., None]
    assert len(near_duplicates(digits[:500])) <= 5  # of 125,000 pairs; some ones are alike
    assert not len(near_duplicates(np.zeros((3, 32, 32, 1))))


@pytest.mark.parametrize("change", [jpeg, resized, darker, noisy])
def test_copies_are_found(pictures, change):
    pairs = near_duplicates(np.concatenate([pictures, np.stack([change(picture) for picture in pictures])]))
    count = len(pictures)
    assert all(other == one + count for one, other in pairs)
    assert len(pairs) >= 0.95 * count


def test_each_is_paired_with_the_first_that_it_is_like(pictures):
    x = np.concatenate([pictures[:3], pictures[1:2] // 2, pictures[:1] // 2 + 9, pictures[1:2] // 3])
    assert near_duplicates(x).tolist() == [[1, 3], [0, 4], [1, 5]]


def test_a_note_names_two_files(tmp_path, pictures):
    for folder, extra in (("own", pictures[12]), ("copied", jpeg(pictures[2]))):
        for name, chosen in (("cat", pictures[:6]), ("dog", pictures[6:12])):
            (tmp_path / folder / name).mkdir(parents=True)
            for i, picture in enumerate(chosen):
                Image.fromarray(picture).save(tmp_path / folder / name / f"{i}.png")
        Image.fromarray(extra).save(tmp_path / folder / "dog" / "extra.png")
    assert not [note for note in load(tmp_path / "own", image_size=64).notes if "almost" in note]
    (note,) = [note for note in load(tmp_path / "copied", image_size=64).notes if "almost" in note]
    assert note.startswith("1 image looks almost like another one")
    assert "dog/extra.png like cat/2.png" in note


def test_arrays_have_the_note_and_small_images_and_exact_copies_do_not(pictures):
    x = np.concatenate([pictures[:8], darker(pictures[:2])])
    data = from_arrays(x, np.arange(10) % 2)
    (note,) = [note for note in data.notes if "almost" in note]
    assert "2 images" in note
    assert "example 8 like example 0" in note
    small = dataclasses.replace(data, x=x[:, ::4, ::4], notes=())
    assert with_near_duplicates_noted(small).notes == ()
    exact = from_arrays(np.concatenate([pictures[:8], pictures[:1]]), np.arange(9) % 2)
    assert not [note for note in exact.notes if "almost" in note]
