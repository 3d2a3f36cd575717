"""The model as a served function: signatures, versioned SavedModel, prediction over many images, and the client.

Names are imported when they are first used: a REST client needs no TensorFlow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tfgalaxy.lazy_names import lazy_names

if TYPE_CHECKING:
    from tfgalaxy.export.client import Client
    from tfgalaxy.export.prediction import Predictor, open_predictor, predict_files
    from tfgalaxy.export.prediction_inputs import ImageFiles, catalogue_images, folder_images
    from tfgalaxy.export.prediction_parts import predict_to_file
    from tfgalaxy.export.prediction_table import write_table
    from tfgalaxy.export.record_inputs import RecordImages
    from tfgalaxy.export.saved_model import next_version, save
    from tfgalaxy.export.serving_error import ServingError
    from tfgalaxy.export.signatures import ServedModel

__all__ = [
    "Client",
    "ImageFiles",
    "Predictor",
    "RecordImages",
    "ServedModel",
    "ServingError",
    "catalogue_images",
    "folder_images",
    "next_version",
    "open_predictor",
    "predict_files",
    "predict_to_file",
    "save",
    "write_table",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "client": ("Client",),
        "prediction": ("Predictor", "open_predictor", "predict_files"),
        "prediction_inputs": ("ImageFiles", "catalogue_images", "folder_images"),
        "prediction_parts": ("predict_to_file",),
        "prediction_table": ("write_table",),
        "record_inputs": ("RecordImages",),
        "saved_model": ("next_version", "save"),
        "serving_error": ("ServingError",),
        "signatures": ("ServedModel",),
    },
)
