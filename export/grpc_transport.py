"""TF Serving's gRPC API through `tensorflow-serving-api`, the extra `serving`."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from tfgalaxy.errors import InputError
from tfgalaxy.export.serving_error import ServingError, TemporaryServingError
from tfgalaxy.export.transport import Inputs, SignatureInfo, Target, signature_infos

__all__ = ["GrpcTransport"]

T = TypeVar("T")

_OPTIONS = [
    # A batch of large pictures is more than gRPC's 4 MB.
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
    # The retries of the client wait; the channel's own pauses, up to two minutes, would come on top.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
]
_TEMPORARY = {
    "UNAVAILABLE": "Check that the server runs and the address is right.",
    "DEADLINE_EXCEEDED": "Raise timeout, or lower batch_size.",
    "RESOURCE_EXHAUSTED": "The server is too busy: lower the load, or raise retries.",
}
_REMEDIES = {
    "NOT_FOUND": "Check the model's name, version or label with Client.status() and models.config.",
    "INVALID_ARGUMENT": "Check the signatures with Client.metadata(): the server may hold another model.",
    "FAILED_PRECONDITION": "Check the signatures with Client.metadata(): the server may hold another model.",
}


def _api(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        remedy = 'Run pip install "tfgalaxy[serving]", or use protocol="rest".'
        rule = "must be rest where tensorflow-serving-api is not installed"
        raise InputError("protocol", rule, "grpc", remedy) from error


class GrpcTransport:
    """Speaks gRPC.

    Args:
        target: server and model.

    Raises:
        InputError: `tensorflow-serving-api` is not installed.
    """

    def __init__(self, target: Target) -> None:
        self._target = target
        apis = "tensorflow_serving.apis"
        self._predict_pb2 = _api(f"{apis}.predict_pb2")
        self._status_pb2 = _api(f"{apis}.get_model_status_pb2")
        self._metadata_pb2 = _api(f"{apis}.get_model_metadata_pb2")
        services = _api(f"{apis}.prediction_service_pb2_grpc"), _api(f"{apis}.model_service_pb2_grpc")
        grpc = _api("grpc")
        secure = (grpc.ssl_channel_credentials(),) if target.tls else ()
        make = grpc.secure_channel if target.tls else grpc.insecure_channel
        self._channel = make(target.host_and_port, *secure, options=_OPTIONS)
        self._failure = grpc.RpcError
        self._prediction = services[0].PredictionServiceStub(self._channel)
        self._models = services[1].ModelServiceStub(self._channel)

    def predict(self, signature: str, inputs: Inputs) -> dict[str, NDArray[np.float32]]:
        """Outputs of a signature, float32."""
        import tensorflow as tf

        request = self._addressed(self._predict_pb2.PredictRequest())
        request.model_spec.signature_name = signature
        for name, values in inputs.items():
            request.inputs[name].CopyFrom(tf.make_tensor_proto(values))
        answer = self._ask(self._prediction.Predict, request)
        return {name: tf.make_ndarray(value) for name, value in answer.outputs.items()}

    def status(self) -> dict[int, str]:
        """State of each version."""
        answer = self._ask(self._models.GetModelStatus, self._addressed(self._status_pb2.GetModelStatusRequest()))
        states = self._status_pb2.ModelVersionStatus.State
        return {int(entry.version): str(states.Name(entry.state)) for entry in answer.model_version_status}

    def metadata(self) -> dict[str, SignatureInfo]:
        """The signatures by name."""
        from google.protobuf.json_format import MessageToDict

        request = self._addressed(self._metadata_pb2.GetModelMetadataRequest())
        request.metadata_field.append("signature_def")
        answer = self._ask(self._prediction.GetModelMetadata, request)
        found = self._metadata_pb2.SignatureDefMap()
        answer.metadata["signature_def"].Unpack(found)
        return signature_infos(MessageToDict(found, preserving_proto_field_name=True)["signature_def"])

    def close(self) -> None:
        """Closes the connections."""
        self._channel.close()

    def _addressed(self, request: Any) -> Any:
        request.model_spec.name = self._target.model
        if self._target.version is not None:
            request.model_spec.version.value = self._target.version
        if self._target.label is not None:
            request.model_spec.version_label = self._target.label
        return request

    def _ask(self, method: Callable[..., T], request: Any) -> T:
        try:
            return method(request, timeout=self._target.timeout)
        except self._failure as error:
            code = error.code().name
            kind = TemporaryServingError if code in _TEMPORARY else ServingError
            remedy = {**_TEMPORARY, **_REMEDIES}.get(code, "Check that this is TF Serving's gRPC port.")
            raise kind(str(self._target), code, error.details() or "no message", remedy) from error
