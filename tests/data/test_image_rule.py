"""Images of any size become examples of one size with their proportions, by the rule that a run keeps."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps

from regjax.catalog import IMAGE_BACKGROUNDS
from regjax.core.errors import InputError
from regjax.data import ImageRule, Preprocessor
from regjax.data.image_rule import STRETCH

SIDES = st.integers(1, 40)


def noise(height, width, mode="RGB"):
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    return Image.fromarray(pixels).convert(mode)


@given(SIDES, SIDES, SIDES, SIDES, st.sampled_from(["L", "RGB"]))
def test_crop_is_that_of_pillow(height, width, high, wide, mode):
    image = noise(height, width, mode)
    made = ImageRule("crop").apply(image, (high, wide))
    expected = ImageOps.fit(image, (wide, high), Image.Resampling.BILINEAR)
    assert made.size == (wide, high)
    np.testing.assert_allclose(np.asarray(made, int), np.asarray(expected, int), atol=1)


@given(st.integers(8, 40), st.integers(8, 40), st.integers(8, 40), st.integers(8, 40))
def test_pad_is_that_of_pillow(height, width, high, wide):
    image = noise(height, width)
    made = np.asarray(ImageRule("pad", "black").apply(image, (high, wide)), int)
    expected = np.asarray(ImageOps.pad(image, (wide, high), Image.Resampling.BILINEAR, color="black"), int)
    assert made.shape == expected.shape
    # The rounding of half a pixel of the border may differ, so the sums are compared.
    assert abs(made.mean() - expected.mean()) < 255 / min(high, wide)


def test_crop_cuts_the_same_on_both_sides():
    columns = np.repeat(np.arange(8, dtype=np.uint8)[None] * 10, 4, axis=0)
    made = ImageRule("crop").apply(Image.fromarray(columns), (4, 4))
    assert np.asarray(made)[0].tolist() == [20, 30, 40, 50]
    made = ImageRule("crop").apply(Image.fromarray(columns.T), (4, 4))
    assert np.asarray(made)[:, 0].tolist() == [20, 30, 40, 50]


@pytest.mark.parametrize(("background", "value"), [("white", 255), ("gray", 128), ("black", 0)])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_pad_fills_with_the_background(background, value, mode):
    image = Image.fromarray(np.full((2, 4), 7, np.uint8)).convert(mode)
    made = np.asarray(ImageRule("pad", background).apply(image, (4, 4))).reshape(4, 4, -1)
    assert made[..., 0].tolist() == [[value] * 4, [7] * 4, [7] * 4, [value] * 4]
    assert (made == made[..., :1]).all()


@pytest.mark.parametrize("fit", ["crop", "pad"])
@pytest.mark.parametrize("size", [(1, 400), (400, 1)])
def test_extreme_shapes_become_images(fit, size):
    assert ImageRule(fit).apply(noise(*size), (8, 8)).size == (8, 8)


@given(SIDES, SIDES, st.integers(1, 3), st.sampled_from(["crop", "pad"]))
def test_equal_proportions_are_scaled_alone(height, width, factor, fit):
    """The fit does not matter then."""
    image, wanted = noise(height * factor, width * factor), (height, width)
    assert ImageRule(fit).change((height * factor, width * factor), wanted) == (None if factor == 1 else "resized")
    expected = image.resize((width, height), Image.Resampling.BILINEAR)
    np.testing.assert_array_equal(np.asarray(ImageRule(fit).apply(image, wanted)), np.asarray(expected))


@pytest.mark.parametrize("fit", ["crop", "pad"])
def test_a_disc_stays_round(fit):
    y, x = np.mgrid[-30:30, -45:45]
    disc = Image.fromarray(np.where(x**2 + y**2 < 20**2, 0, 255).astype(np.uint8))
    dark = np.asarray(ImageRule(fit).apply(disc, (48, 48))) < 128
    assert abs(dark.any(axis=0).sum() - dark.any(axis=1).sum()) <= 1
    squashed = np.asarray(ImageRule(STRETCH).apply(disc, (48, 48))) < 128
    assert squashed.any(axis=1).sum() > squashed.any(axis=0).sum() + 5


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (ImageRule("padd"), "did you mean 'pad'"),
        (ImageRule(STRETCH), "image_fit"),
        (ImageRule("crop", "pink"), "accepted: black, gray, white"),
    ],
)
def test_unknown_names_are_refused(rule, message):
    with pytest.raises(InputError, match=message):
        rule.checked()


@pytest.mark.parametrize("background", IMAGE_BACKGROUNDS)
@pytest.mark.parametrize("fit", ["crop", "pad", STRETCH])
def test_a_run_keeps_its_rule(fit, background):
    made = Preprocessor.fit(np.zeros((1, 4, 6, 3), np.uint8), "image", image_rule=ImageRule(fit, background))
    again = Preprocessor.from_json(made.to_json())
    assert again.image_rule == ImageRule(fit, background)
    assert again.shape == (4, 6, 3)


def test_runs_of_earlier_versions_stretch_as_they_did():
    images = Preprocessor.fit(np.zeros((1, 4, 6, 3), np.uint8), "image")
    table = Preprocessor.fit(np.ones((2, 3), np.float32), "table")
    for made, rule in ((images, ImageRule(STRETCH)), (table, None)):
        assert Preprocessor.from_json(made.to_json()).image_rule is None  # of arrays
        content = json.loads(made.to_json())
        del content["images"]
        assert Preprocessor.from_json(json.dumps(content)).image_rule == rule


@pytest.mark.parametrize("images", [{"fit": "squash"}, {"background": "pink"}, {"size": 3}, "crop", 3])
def test_unusable_rules_are_refused(images):
    content = json.loads(Preprocessor.fit(np.zeros((1, 4, 6, 3), np.uint8), "image").to_json())
    with pytest.raises(InputError, match=r"preprocess\.json is not usable"):
        Preprocessor.from_json(json.dumps(content | {"images": images}))
