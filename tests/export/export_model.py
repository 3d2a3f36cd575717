"""A small model to export, and pictures to ask it about."""

import numpy as np
import tensorflow as tf
from small_model import SMALL

from tfgalaxy.models import GalaxyVAE

CLASSIFY = {"fraction", "fraction_lower", "fraction_upper", "concentration", "asked_probability", "valid"}
EMBED = {"latent_mean", "latent_stddev", "pose", "pose_concentration", "valid"}
SIGNATURES = {
    "serving_default": ({"image_bytes"}, CLASSIFY),
    "classify_bytes": ({"image_bytes"}, CLASSIFY),
    "classify": ({"image"}, CLASSIFY),
    "embed": ({"image"}, EMBED),
    "embed_bytes": ({"image_bytes"}, EMBED),
    "reconstruct": ({"image"}, {"canonical_view", "reconstruction"}),
    "sample": ({"image", "seed"}, {"fraction_samples"}),
}


def make_model():
    return GalaxyVAE("gz1", SMALL)


def jpeg(seed, size):
    pixels = np.random.default_rng(seed).integers(0, 255, [size, size, 3], dtype=np.uint8)
    return tf.io.encode_jpeg(pixels).numpy()
