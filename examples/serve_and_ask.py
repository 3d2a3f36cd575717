"""Exports a run for TF Serving, says how to serve it, and asks the server about a folder of images.

python examples/serve_and_ask.py RUN IMAGES MODELS [ADDRESS]    ADDRESS: of a server that serves MODELS already
"""

import sys
from pathlib import Path

import tfgalaxy as tg
from tfgalaxy.training import RunDirectory


def export(run, models):
    """The run's model as the next version below MODELS/galaxy."""
    version = tg.export.save(RunDirectory(run).load_model(), Path(models) / "galaxy")
    print(f"SavedModel: {version}")
    print(f"serve it:   docker compose -f {models}/serving/docker-compose.yml up --detach")
    return version


def ask(address, version, images):
    """The server's answers, one row for each image."""
    with tg.export.Client(address, "galaxy", questions=version) as client:
        print(f"versions:   {client.status()}")
        return client.predict(images)


def main(run, images, models, address=None):
    """Without an address it exports only; then start the server, and call it again with the address."""
    if address is None:
        return export(run, models)
    newest = max((Path(models) / "galaxy").glob("[0-9]*"), key=lambda version: int(version.name))
    return ask(address, newest, images)


if __name__ == "__main__":
    print(main(*sys.argv[1:]))
