"""Requests that TF Serving answers to itself when it loads a version, so that the first real one does not wait."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from tfgalaxy.export.serving_messages import message_class
from tfgalaxy.export.signatures import input_names

__all__ = ["BATCH_SIZES", "LARGEST_BATCH", "write_warm_up"]

# The largest batch that batching.config allows.
LARGEST_BATCH = 64
# In this order, and how often: the first real request, mostly of one picture, then finds what it needs where the last
# ones left it. With the largest batch last it took two to three times the median, after a single small one 1.2 to 1.5.
BATCH_SIZES = {LARGEST_BATCH: 1, 1: 5}


def write_warm_up(
    path: str | os.PathLike[str], signatures: Mapping[str, Any], inputs: Mapping[str, np.ndarray], name: str
) -> None:
    """Writes `tf_serving_warmup_requests`: a TFRecord of `PredictionLog`, for every signature at each batch size, the
    largest first and the single row last, several times.

    Args:
        path: of the file.
        signatures: concrete functions by name.
        inputs: a few rows of every input, which are repeated to the batch size.
        name: the served model's.
    """
    with tf.io.TFRecordWriter(os.fspath(path)) as writer:
        for size, repetitions in BATCH_SIZES.items():
            requests = [
                _prediction_log(
                    name, signature, {key: _tensor_proto(inputs[key], size) for key in input_names(function)}
                )
                for signature, function in signatures.items()
            ]
            for request in requests * repetitions:
                writer.write(request.SerializeToString())


def _prediction_log(name: str, signature: str, tensors: Mapping[str, Any]) -> Any:
    log = message_class("PredictionLog")()
    request = log.predict_log.request
    request.model_spec.name, request.model_spec.signature_name = name, signature
    for key, tensor in tensors.items():
        request.inputs.add(key=key, value=tensor.SerializeToString())
    return log


def _tensor_proto(rows: np.ndarray, size: int) -> Any:
    if rows.dtype == np.float32:
        # One value stands for all: 64 images spelled out would be as large as the model.
        return tf.make_tensor_proto(float(rows.mean()), tf.float32, [size, *rows.shape[1:]])
    return tf.make_tensor_proto(np.resize(rows, size).tolist(), tf.as_dtype(rows.dtype), [size])
