"""The model as a served function: signatures, versioned SavedModel, and prediction over many images."""

from tfgalaxy.export.prediction import Predictor, open_predictor, predict_files
from tfgalaxy.export.prediction_table import write_table
from tfgalaxy.export.saved_model import next_version, save
from tfgalaxy.export.signatures import ServedModel

__all__ = ["Predictor", "ServedModel", "next_version", "open_predictor", "predict_files", "save", "write_table"]
