"""A `GalaxyVAE` small enough to make, train and save within seconds; importable by every test."""

from tfgalaxy.models.config import ModelConfig

SMALL = ModelConfig(
    image_size=32,
    radii=16,
    angles=16,
    encoder_filters=(8, 8),
    decoder_filters=(8, 8),
    latent_size=4,
    prediction_views=2,
)
