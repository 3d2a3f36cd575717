"""The error for what goes wrong between this process and a server."""

from __future__ import annotations

from typing import Any

__all__ = ["ServingError", "TemporaryServingError"]


class ServingError(RuntimeError):
    """A server that does not answer, or answers with an error.

    Args:
        server: its address and model.
        status: HTTP status, gRPC code, or what kept the connection from working.
        message: what the server or the network said.
        remedy: what to do about it, as a sentence.
    """

    def __init__(self, server: str, status: int | str, message: str, remedy: str) -> None:
        self.server, self.status, self.message, self.remedy = server, status, message, remedy
        text = " ".join(message.split())
        super().__init__(f"{server}: {status}: {text if len(text) < 500 else text[:497] + '...'}. {remedy}")

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self), (self.server, self.status, self.message, self.remedy))


class TemporaryServingError(ServingError):
    """One that the same request may not meet again: no connection, a connection cut, too busy, or too late."""
