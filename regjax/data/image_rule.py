"""How images of any size become examples of one size; kept with a run, so that prediction does what training did."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from regjax.catalog import IMAGE_BACKGROUNDS, IMAGE_FITS
from regjax.core.checks import check_choice
from regjax.core.extras import require

STRETCH = "stretch"
"""The fit of runs of earlier versions, which changed the proportions of an image; new runs cannot ask for it."""


class ImageRule(NamedTuple):
    """What is done with images of another size than that of the examples, and with transparent ones.

    Attributes:
      fit: `"crop"` scales an image until it covers the size and cuts off what sticks out, the same on both sides;
        `"pad"` scales it until it fits inside and fills the rest with the background.
      background: colour below transparent pixels and around padded images, one of `regjax.catalog.IMAGE_BACKGROUNDS`.

    Example:
      >>> ImageRule().change((480, 640), (64, 64)), ImageRule("pad").change((480, 640), (64, 64))
      ('cropped', 'padded')
    """

    fit: str = "crop"
    background: str = "white"

    def checked(self) -> ImageRule:
        """Return the rule itself.

        Raises:
          InputError: a name is not known.
        """
        check_choice("image_fit", self.fit, IMAGE_FITS)
        check_choice("image_background", self.background, IMAGE_BACKGROUNDS)
        return self

    @classmethod
    def of_run(cls, content: Mapping[str, Any]) -> ImageRule | None:
        """Return the rule in the content of a `preprocess.json`; None for examples that were not read from image files.

        Raises:
          ValueError: a name is not known.
        """
        if "images" not in content:  # a run of an earlier version
            return cls(STRETCH) if content["schema"]["kind"] == "image" else None
        if content["images"] is None:
            return None
        made = cls(**content["images"])
        if made.fit not in (*IMAGE_FITS, STRETCH) or made.background not in IMAGE_BACKGROUNDS:
            raise ValueError(f"images {made._asdict()}")
        return made

    def change(self, size: tuple[int, int], wanted: tuple[int, int]) -> str | None:
        """Return what `apply` does with an image of this `(height, width)`; None if it has the wanted size."""
        if size == wanted:
            return None
        if size[0] * wanted[1] == size[1] * wanted[0]:
            return "resized"
        return {"crop": "cropped", "pad": "padded", STRETCH: "stretched"}[self.fit]

    def apply(self, image: Any, wanted: tuple[int, int]) -> Any:
        """Return a Pillow image of the wanted `(height, width)`."""
        change = self.change(image.size[::-1], wanted)
        if change is None:
            return image
        require("PIL")
        from PIL import Image

        height, width = wanted
        bilinear = Image.Resampling.BILINEAR
        if change == "padded":
            scale = min(height / image.height, width / image.width)
            inner = (max(round(image.width * scale), 1), max(round(image.height * scale), 1))
            canvas = Image.new(image.mode, (width, height), self.background)
            canvas.paste(image.resize(inner, bilinear), ((width - inner[0]) // 2, (height - inner[1]) // 2))
            return canvas
        left = top = 0.0
        if change == "cropped":
            left = max(image.width - image.height * width / height, 0.0) / 2
            top = max(image.height - image.width * height / width, 0.0) / 2
        return image.resize((width, height), bilinear, box=(left, top, image.width - left, image.height - top))
