"""A small model whose views do not move, and its weights as arrays."""

import keras
import numpy as np
import tensorflow as tf
from small_model import SMALL

from tfgalaxy.models import GalaxyVAE, ViewConfig

STILL = ViewConfig(rotation=False, flip=False, zoom=0, shift=0, gain=0, colour=0, noise=0)
STILL_SMALL = SMALL.replace(classifier_views=STILL, vae_views=STILL)


def make(questions="gz1", **changes):
    model = GalaxyVAE(questions, STILL_SMALL.replace(**changes))
    model.compile(keras.optimizers.Adam(1e-2), keras.optimizers.Adam(1e-2))
    return model


def values(variables):
    return [
        np.array(tf.convert_to_tensor(getattr(v, "value", v) if not isinstance(v, tf.Variable) else v))
        for v in variables
    ]
