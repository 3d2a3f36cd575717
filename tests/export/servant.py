"""TEST EQUIPMENT, not a product: speaks TF Serving's REST and gRPC predict APIs over exported SavedModels.

No TF Serving binary is to be had from the package registries, so the client is tested over real sockets against this.
It follows https://www.tensorflow.org/tfx/serving/api_rest and the protos of tensorflow-serving-api: predict (row and
columnar format), status and metadata, for a version, a label or the newest version. `faults` makes the next requests go
wrong.
"""

import base64
import contextlib
import json
import re
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import tensorflow as tf

PATH = re.compile(r"/v1/models/(?P<model>[^/:]+)(/versions/(?P<version>\d+)|/labels/(?P<label>[^/:]+))?(?P<verb>.*)")
AVAILABLE = 30  # ModelVersionStatus.State


class RefusalError(Exception):
    """An error that TF Serving would answer with: gRPC's code and, for REST, HTTP's."""

    def __init__(self, code, http, message):
        super().__init__(message)
        self.code, self.http = code, http


class Models:
    """Versions of one model, and the faults to come.

    Args:
        versions: {number: path of a SavedModel}.
        labels: {label: number}.

    Attributes:
        faults: for each of the next predict requests one of: None, a `RefusalError`, seconds to sleep, or "cut" for a
            connection that is closed in the middle of the answer (REST only).
        asked: (version, signature, rows) of each predict request that was answered.
    """

    def __init__(self, versions, labels=None, name="galaxy"):
        loaded = {path: tf.saved_model.load(str(path)) for path in set(versions.values())}
        self.loaded = {number: loaded[path] for number, path in versions.items()}
        self.labels, self.name, self.faults, self.asked = labels or {}, name, [], []
        self.lock = threading.Lock()

    def find(self, model, version=None, label=None):
        number = self.labels.get(label) if label else version or max(self.loaded)
        if model != self.name or number not in self.loaded:
            raise RefusalError(
                "NOT_FOUND", 404, f"Servable not found for request: {model} {version or label or 'Latest'}"
            )
        return number

    def next_fault(self):
        with self.lock:
            fault = self.faults.pop(0) if self.faults else None
        if isinstance(fault, RefusalError):
            raise fault
        if isinstance(fault, float):
            time.sleep(fault)
        return fault

    def predict(self, number, signature, inputs):
        functions = self.loaded[number].signatures
        name = signature or "serving_default"
        if name not in functions:
            raise RefusalError("INVALID_ARGUMENT", 400, f'Serving signature name: "{name}" not found in signature def')
        specs = functions[name].structured_input_signature[1]
        if set(specs) != set(inputs):
            raise RefusalError("INVALID_ARGUMENT", 400, f"input tensors {sorted(inputs)} do not match {sorted(specs)}")
        tensors = {key: tf.convert_to_tensor(value, specs[key].dtype) for key, value in inputs.items()}
        outputs = {key: value.numpy() for key, value in functions[name](**tensors).items()}
        with self.lock:
            self.asked.append((number, name, len(next(iter(tensors.values())))))
        return outputs

    def definitions(self, number):
        """SignatureDefs by name, from functions as they were loaded."""
        from tensorflow.core.protobuf.meta_graph_pb2 import SignatureDef, TensorInfo

        def info(spec):
            return TensorInfo(dtype=spec.dtype.as_datatype_enum, tensor_shape=spec.shape.as_proto())

        found = {}
        for name, function in self.loaded[number].signatures.items():
            specs = function.structured_input_signature[1], function.structured_outputs
            inputs, outputs = ({key: info(spec) for key, spec in group.items()} for group in specs)
            found[name] = SignatureDef(inputs=inputs, outputs=outputs)
        return found


# REST ---------------------------------------------------------------------------------------------------------------


def decoded(value):
    """JSON as NumPy takes it, with base64 decoded."""
    if isinstance(value, dict):
        return base64.b64decode(value["b64"], validate=True)
    return [decoded(item) for item in value] if isinstance(value, list) else value


def rest_predict(models, number, body):
    """Answer to the columnar format ("inputs") or the row format ("instances")."""
    signature = body.get("signature_name")
    if "inputs" in body:
        inputs = {name: decoded(value) for name, value in body["inputs"].items()}
        outputs = models.predict(number, signature, inputs)
        lists = {name: value.tolist() for name, value in outputs.items()}
        return {"outputs": lists if len(lists) > 1 else next(iter(lists.values()))}
    rows = body["instances"]
    inputs = {name: [decoded(row[name]) for row in rows] for name in rows[0]}
    outputs = models.predict(number, signature, inputs)
    return {"predictions": [{name: outputs[name][row].tolist() for name in outputs} for row in range(len(rows))]}


def rest_metadata(models, number):
    from google.protobuf.json_format import MessageToDict

    definitions = {
        name: MessageToDict(definition, preserving_proto_field_name=True)
        for name, definition in models.definitions(number).items()
    }
    return {
        "model_spec": {"name": models.name, "signature_name": "", "version": str(number)},
        "metadata": {"signature_def": {"signature_def": definitions}},
    }


def rest_status(models, number):
    numbers = models.loaded if number is None else [number]
    good = {"error_code": "OK", "error_message": ""}
    return {"model_version_status": [{"version": str(n), "state": "AVAILABLE", "status": good} for n in numbers]}


class RestHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    models: Models

    def do_GET(self):
        self.respond(lambda found, number: self.read(found, number))

    def read(self, found, number):
        if found["verb"] == "/metadata":
            return rest_metadata(self.models, number)
        return rest_status(self.models, number if found["version"] or found["label"] else None)

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))

        def answer(found, number):
            self.fault = self.models.next_fault()
            return rest_predict(self.models, number, body)

        self.respond(answer)

    def respond(self, answer):
        self.fault = None
        found = PATH.fullmatch(self.path)
        try:
            version = int(found["version"]) if found["version"] else None
            code, content = 200, answer(found, self.models.find(found["model"], version, found["label"]))
        except RefusalError as refusal:
            code, content = refusal.http, {"error": str(refusal)}
        text = json.dumps(content).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        if self.fault == "cut":
            self.wfile.write(text[: len(text) // 2])
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
            return
        with contextlib.suppress(ConnectionError):  # the client may have given up
            self.wfile.write(text)

    def log_message(self, *arguments):
        """Says nothing."""


class RestServer(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, models, port=0):
        handler = type("Handler", (RestHandler,), {"models": models})
        super().__init__(("127.0.0.1", port), handler)
        self.connections = []
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def get_request(self):
        connection, address = super().get_request()
        self.connections.append(connection)
        return connection, address

    def die(self):
        """Goes away as a killed process does: the port is closed and so is every connection."""
        self.shutdown()
        self.server_close()
        for connection in self.connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def rest_server(models, port=0):
    """Yields the address of a REST servant."""
    server = RestServer(models, port)
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.die()


# gRPC ---------------------------------------------------------------------------------------------------------------


def grpc_server(models, port=0):
    """A started gRPC servant and its port."""
    import grpc
    from tensorflow_serving.apis import (
        get_model_metadata_pb2,
        get_model_status_pb2,
        model_service_pb2_grpc,
        predict_pb2,
        prediction_service_pb2_grpc,
    )

    def find(spec):
        version = spec.version.value if spec.HasField("version") else None
        return models.find(spec.name, version, spec.version_label)

    def answered(method):
        def call(self, request, context):
            try:
                return method(request)
            except RefusalError as refusal:
                context.abort(grpc.StatusCode[refusal.code], str(refusal))

        return call

    def predict(request):
        number = find(request.model_spec)
        models.next_fault()
        inputs = {name: tf.make_ndarray(value) for name, value in request.inputs.items()}
        outputs = models.predict(number, request.model_spec.signature_name, inputs)
        response = predict_pb2.PredictResponse()
        for name, value in outputs.items():
            response.outputs[name].CopyFrom(tf.make_tensor_proto(value))
        return response

    def metadata(request):
        definitions = models.definitions(find(request.model_spec))
        response = get_model_metadata_pb2.GetModelMetadataResponse()
        given = get_model_metadata_pb2.SignatureDefMap(signature_def=definitions)
        response.metadata["signature_def"].Pack(given)
        return response

    def status(request):
        find(request.model_spec)
        response = get_model_status_pb2.GetModelStatusResponse()
        for number in models.loaded:
            response.model_version_status.add(version=number, state=AVAILABLE)
        return response

    prediction = prediction_service_pb2_grpc.PredictionServiceServicer
    services = {"Predict": answered(predict), "GetModelMetadata": answered(metadata)}
    server = grpc.server(ThreadPoolExecutor(4), options=[("grpc.so_reuseport", 0)])
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
        type("Prediction", (prediction,), services)(), server
    )
    about = type("Models", (model_service_pb2_grpc.ModelServiceServicer,), {"GetModelStatus": answered(status)})
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(about(), server)
    bound = server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    return server, bound


def images_as_rows(contents):
    """The row format's body for pictures."""
    rows = [{"image_bytes": {"b64": base64.b64encode(content).decode()}} for content in contents]
    return {"signature_name": "classify_bytes", "instances": rows}


def stacked(predictions):
    """Arrays from the row format's answer."""
    return {name: np.array([row[name] for row in predictions], np.float32) for name in predictions[0]}
