"""Probability: likelihoods of votes and pixels, encoder, decoder, classifier, and the Keras model that joins them."""

from tfgalaxy.models.config import ModelConfig, ViewConfig
from tfgalaxy.models.decoder import PolarDecoder
from tfgalaxy.models.encoder import PolarEncoder
from tfgalaxy.models.galaxy_vae import GalaxyVAE
from tfgalaxy.models.normalisation import ClockedNormalization
from tfgalaxy.models.vote_head import VoteHead

__all__ = [
    "ClockedNormalization",
    "GalaxyVAE",
    "ModelConfig",
    "PolarDecoder",
    "PolarEncoder",
    "ViewConfig",
    "VoteHead",
]
