"""TF Serving's messages, as far as an export writes or checks them, without its package `tensorflow-serving-api`.

The classes are made at run time from the fields below, whose names, numbers and types are those of TF Serving's
`.proto` files: bytes and text of either can be read by the other (a test compares them). Imports nothing of tfgalaxy,
so that the program that checks exports from outside can use it.
"""

from __future__ import annotations

import functools
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

__all__ = ["message_class"]

# Message: field: number, type ("*" for repeated). Maps are repeated entries. A message is written as its bytes are, so
# that `value` of an entry of inputs holds a serialised TensorProto.
FIELDS: dict[str, dict[str, tuple[int, str]]] = {
    # tensorflow_serving/apis/: prediction_log.proto, predict.proto, model.proto
    "PredictionLog": {"predict_log": (6, "PredictLog")},
    "PredictLog": {"request": (1, "PredictRequest")},
    "PredictRequest": {"model_spec": (1, "ModelSpec"), "inputs": (2, "*TensorEntry")},
    "TensorEntry": {"key": (1, "string"), "value": (2, "bytes")},
    "ModelSpec": {"name": (1, "string"), "signature_name": (3, "string")},
    # tensorflow_serving/config/: model_server_config.proto, file_system_storage_path_source.proto,
    # monitoring_config.proto
    "ModelServerConfig": {"model_config_list": (1, "ModelConfigList")},
    "ModelConfigList": {"config": (1, "*ModelConfig")},
    "ModelConfig": {
        "name": (1, "string"),
        "base_path": (2, "string"),
        "model_platform": (4, "string"),
        "model_version_policy": (7, "ServableVersionPolicy"),
        "version_labels": (8, "*LabelEntry"),
    },
    "ServableVersionPolicy": {"latest": (100, "Latest"), "all": (101, "All"), "specific": (102, "Specific")},
    "Latest": {"num_versions": (1, "uint32")},
    "All": {},
    "Specific": {"versions": (1, "*int64")},
    "LabelEntry": {"key": (1, "string"), "value": (2, "int64")},
    "MonitoringConfig": {"prometheus_config": (1, "PrometheusConfig")},
    "PrometheusConfig": {"enable": (1, "bool"), "path": (2, "string")},
    # tensorflow_serving/servables/tensorflow/session_bundle_config.proto
    "BatchingParameters": {
        "max_batch_size": (1, "Int64Value"),
        "batch_timeout_micros": (2, "Int64Value"),
        "max_enqueued_batches": (3, "Int64Value"),
        "num_batch_threads": (4, "Int64Value"),
        "thread_pool_name": (5, "StringValue"),
        "allowed_batch_sizes": (6, "*int64"),
        "pad_variable_length_inputs": (7, "bool"),
    },
    "Int64Value": {"value": (1, "int64")},
    "StringValue": {"value": (1, "string")},
}
PACKAGE = "tfgalaxy.serving"


@functools.cache
def message_class(name: str) -> Any:
    """The class of one of the messages above, such as "PredictionLog"."""
    descriptor = _pool().FindMessageTypeByName(f"{PACKAGE}.{name}")
    if hasattr(message_factory, "GetMessageClass"):
        return message_factory.GetMessageClass(descriptor)
    return message_factory.MessageFactory(_pool()).GetPrototype(descriptor)  # protobuf 3, of CPython 3.10


@functools.cache
def _pool() -> Any:
    file = descriptor_pb2.FileDescriptorProto(name="tfgalaxy_serving.proto", package=PACKAGE, syntax="proto3")
    for message, fields in FIELDS.items():
        descriptor = file.message_type.add(name=message)
        for field, (number, kind) in fields.items():
            _add_field(descriptor, field, number, kind)
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    return pool


def _add_field(descriptor: Any, name: str, number: int, kind: str) -> None:
    field = descriptor.field.add(name=name, number=number, label=3 if kind.startswith("*") else 1)
    kind = kind.removeprefix("*")
    if kind in FIELDS:
        field.type, field.type_name = field.TYPE_MESSAGE, f".{PACKAGE}.{kind}"
    else:
        field.type = getattr(field, f"TYPE_{kind.upper()}")
