"""The operations of a step are found in the parts of the model that they belong to."""

from speed_data import QUICK, Galaxies
from speed_profile import by_part, marked
from speed_steps import classify_step, make_model

from tfgalaxy.export import Predictor


def test_the_parts_of_a_prediction():
    galaxies = Galaxies.simulated(2, QUICK)
    model = make_model(QUICK, "float32")
    with marked(model):
        step = classify_step(Predictor.from_model(model), galaxies)
    milliseconds = by_part(step)
    parts = {part for (part, _), time in milliseconds.items() if time > 0}
    assert {"pose", "sampling", "turn", "encoder", "head", "intervals"} <= parts
    assert not parts & {"decoder", "optimiser", "contrast", "random views"}
    assert not any(backward for _, backward in milliseconds)
