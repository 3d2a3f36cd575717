"""Which of the two clocks run, and which quantities of a run's history each reports."""

from __future__ import annotations

from tfgalaxy.training.config import TrainingConfig

__all__ = ["CLOCKS", "MONITOR", "clock_of", "vae_clock_runs"]

# `loss` is the sum over the clocks that ran in an epoch, and of neither.
CLOCKS = {
    "vae": ("elbo", "pixel_log_prob", "kl_divergence", "contrast"),
    "classifier": ("log_likelihood", "multinomial_log_likelihood", "accuracy"),
}
# What a run's best epoch is told by: the likelihood of the validation galaxies' votes by expected fractions alone. How
# far volunteers stray from those is fitted to the same galaxies in the end; what training makes of it is too certain
# long before the fractions are at their best (docs/label-efficiency.md).
MONITOR = "val_multinomial_log_likelihood"


def clock_of(quantity: str) -> str:
    """ "vae", "classifier", or "both" for what is of neither alone.

    Example:
        >>> clock_of("elbo"), clock_of("accuracy"), clock_of("loss")
        ('vae', 'classifier', 'both')
    """
    return next((clock for clock, quantities in CLOCKS.items() if quantity in quantities), "both")


def vae_clock_runs(config: TrainingConfig) -> bool:
    """Whether a run's VAE is ever fitted: if not, its decoder and its latent space are as they were made."""
    return config.regime == "alternating" or (config.regime == "two-step" and config.start_epochs > 0)
