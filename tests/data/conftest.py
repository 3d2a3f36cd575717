"""Catalogues of small tables, for the tests of this room."""

import pandas as pd
import pytest
from own_catalogue import HEADER, OWN

from tfgalaxy.data.catalogue import load_catalogue


@pytest.fixture
def make(tmp_path):
    """Writes a CSV and an image for each id (or the named files), and loads them."""

    def load(rows, header=HEADER, questions=OWN, images=None, **options):
        path = tmp_path / "votes.csv"
        pd.DataFrame(rows).to_csv(path, index=False, header=header)
        folder = tmp_path / "im"
        for name in images if images is not None else [f"{row[0]}.jpg" for row in rows]:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(b"x")
        return load_catalogue(path, folder, questions, **options)

    return load
