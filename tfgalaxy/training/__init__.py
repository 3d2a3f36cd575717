"""Fitting: configuration, regimes, run directories, and runs that resume where they were killed."""

from tfgalaxy.training.config import DataConfig, RunConfig, TrainingConfig
from tfgalaxy.training.run import train
from tfgalaxy.training.run_directory import RunDirectory

__all__ = ["DataConfig", "RunConfig", "RunDirectory", "TrainingConfig", "train"]
