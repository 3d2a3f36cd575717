"""What the tests of models share."""

import numpy as np
import pytest


@pytest.fixture
def batch():
    rng = np.random.default_rng(0)
    images = rng.uniform(0, 1, [6, 32, 32, 3]).astype(np.float32)
    votes = np.zeros([6, 7], np.float32)
    votes[np.arange(6), rng.integers(0, 3, 6)] = 5
    votes[:, 3:5] = votes[:, 1:2] * [0.4, 0.6]
    votes[:, 5:7] = votes[:, 4:5] * [0.5, 0.5]
    return images, votes
