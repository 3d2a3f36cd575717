"""Simulated galaxies as a TFDS dataset: generated, nothing is downloaded."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from tfgalaxy.data.simulation.parameters import KINDS, Galaxy
from tfgalaxy.data.simulation.simulate import SimulationConfig, galaxy_id, simulate_one
from tfgalaxy.data.simulation.votes import simulated_questions
from tfgalaxy.data.tfds_examples import galaxy_features

_TEXTS = ("kind", "artefact")
_NUMBERS = tuple(field.name for field in dataclasses.fields(Galaxy) if field.name not in _TEXTS)


@dataclasses.dataclass(eq=False)
class SimulatedGalaxiesConfig(tfds.core.BuilderConfig):
    """Which galaxies to simulate.

    TFDS takes up a dataset that it has built under the same name, so the name is made of the settings; leave it out.

    Args:
        simulation: number of galaxies, seed, size, people and questions.
    """

    name: str = ""
    simulation: SimulationConfig = SimulationConfig()  # noqa: RUF009 - immutable

    def __post_init__(self) -> None:
        s = self.simulation
        self.name = f"{s.questions}-{s.count}-seed{s.seed}-{s.image_size}px-{s.voters}voters"
        self.description = (
            f"{s.count} galaxies of seed {s.seed}, {s.image_size} pixels, {s.voters} people, questions {s.questions}."
        )


class Builder(tfds.core.GeneratorBasedBuilder):
    """Simulated galaxies with votes, and the truth behind both. The one split is `train`.

    Example:
        import tensorflow_datasets as tfds
        from tfgalaxy.data.simulated_galaxies.simulated_galaxies_dataset_builder import SimulatedGalaxiesConfig
        from tfgalaxy.data.simulation import SimulationConfig
        config = SimulatedGalaxiesConfig(simulation=SimulationConfig(count=3000, seed=1))
        galaxies = tfds.load("simulated_galaxies", split="train", builder_kwargs={"config": config})
    """

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "First release."}  # noqa: RUF012 - TFDS reads the class attribute
    BUILDER_CONFIGS = [  # noqa: RUF012 - TFDS reads the class attribute
        SimulatedGalaxiesConfig(),
        SimulatedGalaxiesConfig(simulation=SimulationConfig(questions="gz1")),
    ]

    def _info(self) -> tfds.core.DatasetInfo:
        questions = simulated_questions(self.builder_config.simulation.questions)
        truth = dict.fromkeys(_NUMBERS, np.float32)
        truth["kind"] = tfds.features.ClassLabel(names=list(KINDS))
        truth["probabilities"] = tfds.features.Tensor(shape=(questions.num_answers,), dtype=np.float32)
        return self.dataset_info_from_configs(
            features=galaxy_features(questions, truth=tfds.features.FeaturesDict(truth)),
            supervised_keys=("image", "votes"),
            metadata=tfds.core.MetadataDict(
                questions=questions.name, simulation=self.builder_config.simulation.to_dict()
            ),
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Any]:
        return {"train": self._generate_examples()}

    def _generate_examples(self) -> Iterator[tuple[str, dict[str, Any]]]:
        simulation = self.builder_config.simulation
        questions = simulated_questions(simulation.questions)
        for index in range(simulation.count):
            image, votes, values = simulate_one(simulation, index, questions)
            truth = {name: values[f"truth_{name}"] for name in (*_NUMBERS, "kind")}
            probabilities = [values[f"truth_{label}"] for label in questions.answer_labels]
            truth["probabilities"] = np.array(probabilities, np.float32)
            identifier = galaxy_id(simulation.seed, index)
            yield identifier, {"image": image, "votes": votes, "id": identifier, "truth": truth}
