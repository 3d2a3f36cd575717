"""What the tests of trials train on."""

import pytest
from small_search import CONFIG, open_galaxies, write_galaxies

from tfgalaxy.tuning.run_search import load_trial_data


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    galaxies = open_galaxies(write_galaxies(tmp_path_factory.mktemp("data")))
    return load_trial_data(CONFIG, galaxies, None, {}, quiet=True)
