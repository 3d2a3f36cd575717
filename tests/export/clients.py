"""Clients as the tests make them: quick to try again, two requests for what would be one."""

from tfgalaxy.export import Client

FAST = {"backoff": 0.01, "questions": "gz1"}


def client_of(address, protocol="rest", **options):
    return Client(address, protocol=protocol, **{**FAST, "batch_size": 4, **options})
