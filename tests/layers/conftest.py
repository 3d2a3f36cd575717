"""What the tests of layers share."""

from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from tfgalaxy.data.simulation import simulate_arrays


class Simulated(NamedTuple):
    """Simulated galaxies as the model sees them, and the truth about them.

    Attributes:
        images: [B, 64, 64, 3], the central half, stretched by the square root.
        truth: `truth_axis_ratio`, `truth_position_angle`, `truth_kind` and more.
    """

    images: NDArray[np.float32]
    truth: pd.DataFrame


@pytest.fixture(scope="session")
def simulated() -> Simulated:
    """150 galaxies of all kinds."""
    images, _, truth = simulate_arrays(150, seed=3, image_size=128)
    return Simulated(np.sqrt(images[:, 32:96, 32:96] / 255.0).astype(np.float32), truth)
