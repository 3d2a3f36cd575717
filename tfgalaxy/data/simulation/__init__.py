"""Simulated galaxies with votes and ground truth, for tests, the demo, and checks of pose and calibration."""

from tfgalaxy.data.simulation.camera import render
from tfgalaxy.data.simulation.parameters import KINDS, Galaxy, draw_galaxy
from tfgalaxy.data.simulation.simulate import SimulationConfig, simulate, simulate_arrays
from tfgalaxy.data.simulation.votes import SIMULATED_QUESTIONS, answer_probabilities, cast_votes, visibility

__all__ = [
    "KINDS",
    "SIMULATED_QUESTIONS",
    "Galaxy",
    "SimulationConfig",
    "answer_probabilities",
    "cast_votes",
    "draw_galaxy",
    "render",
    "simulate",
    "simulate_arrays",
    "visibility",
]
