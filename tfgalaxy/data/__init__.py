"""Votes and pixels in: questions, catalogues, images, pipelines, simulated galaxies and TFDS builders.

Names are imported when they are first used: reading a table of votes needs no TensorFlow, and neither do the processes
that simulate galaxies.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tfgalaxy.lazy_names import lazy_names

if TYPE_CHECKING:
    from tfgalaxy.data.augmentation import Augmentation, augment
    from tfgalaxy.data.catalogue import Catalogue, load_catalogue
    from tfgalaxy.data.exclusions import Exclusion, write_excluded
    from tfgalaxy.data.images import decode_bytes, read_image
    from tfgalaxy.data.pipelines import alternating_batches, batches, unlabelled_batches
    from tfgalaxy.data.pixels import Pixels, exclude_broken, load_pixels
    from tfgalaxy.data.preprocessing import Preprocessing
    from tfgalaxy.data.questions import Question, Questions, load_questions
    from tfgalaxy.data.simulation import simulate, simulate_arrays
    from tfgalaxy.data.tfds_pipeline import tfds_batches

__all__ = [
    "Augmentation",
    "Catalogue",
    "Exclusion",
    "Pixels",
    "Preprocessing",
    "Question",
    "Questions",
    "alternating_batches",
    "augment",
    "batches",
    "decode_bytes",
    "exclude_broken",
    "load_catalogue",
    "load_pixels",
    "load_questions",
    "read_image",
    "simulate",
    "simulate_arrays",
    "tfds_batches",
    "unlabelled_batches",
    "write_excluded",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "augmentation": ("Augmentation", "augment"),
        "catalogue": ("Catalogue", "load_catalogue"),
        "exclusions": ("Exclusion", "write_excluded"),
        "images": ("decode_bytes", "read_image"),
        "pipelines": ("alternating_batches", "batches", "unlabelled_batches"),
        "pixels": ("Pixels", "exclude_broken", "load_pixels"),
        "preprocessing": ("Preprocessing",),
        "questions": ("Question", "Questions", "load_questions"),
        "simulation": ("simulate", "simulate_arrays"),
        "tfds_pipeline": ("tfds_batches",),
    },
)
