"""Material of a report made of random numbers: as much of it as is wanted, without a model."""

import dataclasses

import numpy as np
import pandas as pd

from tfgalaxy.data.questions import load_questions
from tfgalaxy.evaluation.evaluate import evaluate_baseline, evaluate_predictions
from tfgalaxy.evaluation.report.material import JudgedGalaxies, ReportMaterial, RunRecord, ShownGalaxies
from tfgalaxy.evaluation.report.selection import select_galaxies
from tfgalaxy.models.config import ModelConfig
from tfgalaxy.training.config import DataConfig, RunConfig, TrainingConfig

HOSTILE = "<script>alert(1)</script>&\"'"


def make_material(count=40, preset="gz1", regime="alternating", size=32, seed=0, shown=6):
    """A run of `count` judged galaxies: noisy blobs, votes drawn from the predicted fractions."""
    generator, questions = np.random.default_rng(seed), load_questions(preset)
    preset = questions.name
    fraction = np.concatenate(
        [generator.dirichlet(np.ones(len(q.answers)), count) for q in questions.questions], axis=1
    )
    votes = np.concatenate([generator.multinomial(20, fraction[:, part]) for part in questions.slices], axis=1)
    votes = votes.astype(np.float32)
    for part in questions.slices[1:]:
        votes[generator.random(count) < 0.3, part] = 0
    width = 0.1 + 0.2 * generator.random((count, 1))
    predictions = {"fraction": fraction, "fraction_lower": np.clip(fraction - width, 0, 1)}
    predictions["fraction_upper"] = np.clip(fraction + width, 0, 1)
    predictions["concentration"] = np.full((count, questions.num_questions), 10.0)
    angle = generator.uniform(-np.pi, np.pi, count)
    rotation = np.zeros((count, 3, 3))
    rotation[:, 0, 0] = rotation[:, 1, 1] = np.cos(angle)
    rotation[:, 1, 0], rotation[:, 0, 1], rotation[:, 2, 2] = np.sin(angle), -np.sin(angle), 1
    judged = JudgedGalaxies(
        "unseen",
        np.array([f"5877227725{row:08d}" for row in range(count)], object),
        votes,
        make_images(generator, min(count, 500), size)[np.arange(count) % 500],
        predictions,
        evaluate_predictions(questions, votes, predictions, resamples=50),
        evaluate_baseline(questions, votes, votes, resamples=50),
        generator.normal(size=(count, 8)),
        rotation,
        generator.gamma(2.0, size=count),
    )
    config = RunConfig(DataConfig(questions=preset), ModelConfig(), TrainingConfig(regime=regime))
    excluded = (("1", "a.jpg", "cut short"), (HOSTILE, "b.jpg", "no image"))
    parts = {"train": 30, "validation": 10, "test": count, "unlabelled": 500}
    run = RunRecord("run-1", config, parts, make_history(), {"catalogue": "votes.csv"}, {"tfgalaxy": "0"}, excluded)
    return ReportMaterial(
        run, questions, judged, make_shown(questions, judged, run.has_vae, shown), prior(generator, run)
    )


def make_images(generator, count, size):
    places = (np.arange(size) * 2 + 1) / size - 1
    radius = places[:, np.newaxis] ** 2 + places**2
    width = generator.uniform(0.02, 0.2, (count, 1, 1))
    light = 200 * np.exp(-radius / width)[..., np.newaxis] * generator.uniform(0.5, 1, (count, 1, 1, 3))
    return np.clip(light + generator.normal(10, 5, light.shape), 0, 255).astype(np.uint8)


def make_history():
    start = [{"epoch": e, "phase": "unlabelled", "elbo": -9000 * 0.05**e, "contrast": 3 - e / 9} for e in range(9)]
    both = [{"epoch": e, "phase": "alternating", "elbo": 100 + e, "log_likelihood": -3 + e / 9} for e in range(9, 20)]
    rows = [{**row, "val_elbo": row["elbo"] - 50, "seconds": 2.0} for row in [*start, *both]]
    likelihoods = [-abs(e - 15) / 9 for e in range(20)]
    return pd.DataFrame(rows).assign(val_log_likelihood=likelihoods, val_multinomial_log_likelihood=likelihoods)


def make_shown(questions, judged, has_vae, count):
    given = (questions, judged.votes, judged.predictions, judged.pose_concentration)
    groups = select_galaxies(*given, count=count, poses=4)
    rows = np.unique(np.concatenate(list(groups.values())))
    views = judged.images[rows] / 255.0
    return ShownGalaxies(groups, rows, judged.images[rows], views, views**0.5 if has_vae else None)


def prior(generator, run):
    return generator.random((6, 32, 32, 3)) if run.has_vae else None


def with_id(material, name, row=0):
    """The same with another id of one galaxy."""
    ids = material.judged.ids.copy()
    ids[row] = name
    return dataclasses.replace(material, judged=dataclasses.replace(material.judged, ids=ids))
