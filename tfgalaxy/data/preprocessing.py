"""How a picture of any size becomes a model's input; travels with the model."""

from __future__ import annotations

import dataclasses

from tfgalaxy.configuration import Configuration, check

__all__ = ["MAXIMUM_PIXELS", "Preprocessing"]

# Larger pictures are refused before they are decoded: 64 megapixels take 200 MB, and no survey's cut-out comes near.
MAXIMUM_PIXELS = 64 * 1024 * 1024


@dataclasses.dataclass(frozen=True)
class Preprocessing(Configuration):
    """Central square, averaged by area.

    Attributes:
        image_size: height and width of the result, in pixels.
        channels: 3 (RGB) or 1 (grey).
        crop_fraction: side of the central square over the picture's shorter side; the side is made one pixel larger
            where that centres it exactly.
    """

    image_size: int = 64
    channels: int = 3
    crop_fraction: float = 0.5

    def validate(self) -> None:
        check(self.image_size >= 16, "image_size", "must be at least 16", self.image_size, "Use 64, 96 or 128.")
        check(self.channels in (1, 3), "channels", "must be 1 or 3", self.channels, "Use 3 for colour images.")
        check(0 < self.crop_fraction <= 1, "crop_fraction", "must lie in (0, 1]", self.crop_fraction, "Use 0.5.")
