"""What a client needs of a protocol, and where it is spoken to."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tfgalaxy.configuration import Configuration, check

__all__ = ["PORTS", "Inputs", "SignatureInfo", "Target", "TensorInfo", "Transport", "signature_infos"]

# Ports of TF Serving's official image.
PORTS = {"rest": 8501, "grpc": 8500}
# A signature's inputs by name: bytes of pictures, or an array.
Inputs = Mapping[str, "Sequence[bytes] | NDArray[Any]"]


@dataclasses.dataclass(frozen=True)
class Target(Configuration):
    """A model on a server.

    Attributes:
        address: host, or host:port.
        model: its name in `models.config`.
        protocol: "rest" or "grpc".
        version: a version; the newest loaded one by default.
        label: a label of `models.config`, such as "stable" or "canary", instead of a version.
        timeout: seconds that one attempt may take.
        tls: whether the connection is encrypted.
    """

    address: str
    model: str = "galaxy"
    protocol: str = "rest"
    version: int | None = None
    label: str | None = None
    timeout: float = 30.0
    tls: bool = False

    def validate(self) -> None:
        check(self.protocol in PORTS, "protocol", "must be rest or grpc", self.protocol, "Choose one.")
        plain = re.fullmatch(r"(\[[0-9a-fA-F:]+\]|[^\s/:\[\]]+)(:\d+)?", self.address) is not None
        rule, remedy = "must be host or host:port", "Leave out http:// and the path; tls=True stands for https."
        check(plain, "address", rule, self.address, remedy)
        name = re.fullmatch(r"[^\s/:]+", self.model) is not None
        check(name, "model", "must be a name of models.config", self.model, "Correct the name.")
        both = (self.version, self.label)
        check(None in both, "version", "and label must not both be given", both, "Give one of them.")
        check(self.version is None or self.version >= 1, "version", "must be at least 1", self.version, "Correct it.")
        check(self.timeout > 0, "timeout", "must be above 0 seconds", self.timeout, "Give more time.")

    @property
    def host_and_port(self) -> str:
        """The address with a port."""
        return self.address if re.search(r":\d+$", self.address) else f"{self.address}:{PORTS[self.protocol]}"

    def __str__(self) -> str:
        asked = f" version {self.version}" if self.version else f" label '{self.label}'" if self.label else ""
        return f"server {self.host_and_port} ({self.protocol}), model '{self.model}'{asked}"


@dataclasses.dataclass(frozen=True)
class TensorInfo:
    """Type of a tensor, as in "DT_FLOAT", and its shape, None where it is open."""

    dtype: str
    shape: tuple[int | None, ...]


@dataclasses.dataclass(frozen=True)
class SignatureInfo:
    """Inputs and outputs of a signature by name."""

    inputs: Mapping[str, TensorInfo]
    outputs: Mapping[str, TensorInfo]


class Transport(Protocol):
    """One protocol. Each call is one attempt; `TemporaryServingError` says that another one may do better."""

    def predict(self, signature: str, inputs: Inputs) -> dict[str, NDArray[np.float32]]:
        """Outputs of a signature."""

    def status(self) -> dict[int, str]:
        """State of each version, as in {1: "AVAILABLE"}."""

    def metadata(self) -> dict[str, SignatureInfo]:
        """The signatures by name."""

    def close(self) -> None:
        """Closes the connections."""


def signature_infos(definitions: Mapping[str, Any]) -> dict[str, SignatureInfo]:
    """From `SignatureDef`s in protobuf's JSON, with the field names of the .proto files."""

    def tensors(given: Mapping[str, Any]) -> dict[str, TensorInfo]:
        return {name: TensorInfo(info["dtype"], _shape(info.get("tensor_shape", {}))) for name, info in given.items()}

    return {
        name: SignatureInfo(tensors(definition.get("inputs", {})), tensors(definition.get("outputs", {})))
        for name, definition in sorted(definitions.items())
        if not name.startswith("__")
    }


def _shape(shape: Mapping[str, Any]) -> tuple[int | None, ...]:
    sizes = [int(dimension.get("size", 0)) for dimension in shape.get("dim", [])]
    return tuple(None if size < 0 else size for size in sizes)
