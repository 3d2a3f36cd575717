"""One small export that the tests of this room share."""

import pytest
from export_model import make_model

from tfgalaxy.export import save


@pytest.fixture(scope="session")
def exported(tmp_path_factory):
    """A small model and its exported version 3; not to be changed."""
    model = make_model()
    return model, save(model, tmp_path_factory.mktemp("models") / "galaxy", version=3)
