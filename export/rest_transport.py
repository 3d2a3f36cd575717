"""TF Serving's REST API through httpx; needs no TensorFlow."""

from __future__ import annotations

import base64
import json
from typing import Any

import httpx
import numpy as np
from numpy.typing import NDArray

from tfgalaxy.export.serving_error import ServingError, TemporaryServingError
from tfgalaxy.export.transport import Inputs, SignatureInfo, Target, signature_infos

__all__ = ["RestTransport"]

# Too many requests, and what servers and the proxies before them say when they are starting, stopping or too slow.
_TEMPORARY = frozenset((408, 429, 502, 503, 504))
_REMEDIES = {
    400: "Check the signatures with Client.metadata(): the server may hold another model.",
    404: "Check the model's name, version or label with Client.status() and models.config.",
    413: "Lower batch_size.",
}
_TOO_BUSY = "The server is starting, stopping or too busy: look at its log, lower the load, or raise retries."


class RestTransport:
    """Speaks REST, in the columnar format, whose answers are arrays and half as long as rows of named values.

    Args:
        target: server and model.
    """

    def __init__(self, target: Target) -> None:
        self._target = target
        scheme = "https" if target.tls else "http"
        self._http = httpx.Client(base_url=f"{scheme}://{target.host_and_port}", timeout=target.timeout)
        chosen = f"/versions/{target.version}" if target.version else f"/labels/{target.label}" if target.label else ""
        self._path = f"/v1/models/{target.model}{chosen}"

    def predict(self, signature: str, inputs: Inputs) -> dict[str, NDArray[np.float32]]:
        """Outputs of a signature, float32."""
        body = {"signature_name": signature, "inputs": {name: _as_json(values) for name, values in inputs.items()}}
        answer = self._ask("POST", f"{self._path}:predict", "outputs", json.dumps(body))
        if not isinstance(answer, dict):  # a signature of one output is answered without its name
            answer = {"": answer}
        return {name: np.asarray(values, np.float32) for name, values in answer.items()}

    def status(self) -> dict[int, str]:
        """State of each version."""
        found = self._ask("GET", self._path, "model_version_status")
        return {int(entry["version"]): str(entry["state"]) for entry in found}

    def metadata(self) -> dict[str, SignatureInfo]:
        """The signatures by name."""
        found = self._ask("GET", f"{self._path}/metadata", "metadata")
        return signature_infos(found["signature_def"]["signature_def"])

    def close(self) -> None:
        """Closes the connections."""
        self._http.close()

    def _ask(self, method: str, path: str, key: str, body: str | None = None) -> Any:
        try:
            answer = self._http.request(method, path, content=body, headers={"content-type": "application/json"})
        except httpx.TimeoutException as error:
            kind, remedy = type(error).__name__, "Raise timeout, or lower batch_size."
            message = f"no answer within {self._target.timeout:g} s"
            raise TemporaryServingError(str(self._target), kind, message, remedy) from error
        except httpx.TransportError as error:
            remedy = "Check that the server runs and the address is right."
            raise TemporaryServingError(str(self._target), type(error).__name__, str(error), remedy) from error
        return self._read(answer, key)

    def _read(self, answer: httpx.Response, key: str) -> Any:
        try:
            content = answer.json()
        except ValueError:
            content = None
        if answer.is_success and isinstance(content, dict) and key in content:
            return content[key]
        said = content.get("error") if isinstance(content, dict) else None
        code = answer.status_code
        status = f"{code} {answer.reason_phrase}".rstrip()
        kind = TemporaryServingError if code in _TEMPORARY else ServingError
        remedy = _TOO_BUSY if code in _TEMPORARY else _REMEDIES.get(code, "Check that this is TF Serving's REST port.")
        raise kind(str(self._target), status, said or f"no '{key}' in the answer: {answer.text[:200]}", remedy)


def _as_json(values: Any) -> Any:
    """TF Serving decodes base64 for inputs whose names end in `_bytes`, as those of pictures do."""
    if isinstance(values, np.ndarray):
        return values.tolist()
    return [{"b64": base64.b64encode(content).decode("ascii")} for content in values]
