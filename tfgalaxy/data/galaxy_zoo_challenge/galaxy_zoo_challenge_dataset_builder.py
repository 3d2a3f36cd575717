"""The Kaggle "Galaxy Zoo - The Galaxy Challenge" as a TFDS dataset."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import tensorflow_datasets as tfds

from tfgalaxy.data.catalogue import Catalogue, load_catalogue
from tfgalaxy.data.questions import load_questions
from tfgalaxy.data.tfds_examples import (
    catalogue_examples,
    file_checksum,
    find_folder,
    find_table,
    galaxy_features,
    manual_directory,
    unlabelled_examples,
)

_INSTRUCTIONS = """\
Put training_solutions_rev1 (.csv or .zip), images_training_rev1 (a folder or .zip) and, for the split 'unlabelled',
images_test_rev1 (a folder or .zip) there, from https://www.kaggle.com/c/galaxy-zoo-the-galaxy-challenge/data (needs an
account).
"""


class Builder(tfds.core.GeneratorBasedBuilder):
    """Galaxy Zoo 2 images with the votes that the challenge released as cumulative fractions.

    Splits: `train` (labelled), `unlabelled` (the challenge's test images, votes all 0; absent without
    `images_test_rev1`).

    Example:
        import tensorflow_datasets as tfds
        import tfgalaxy.data.galaxy_zoo_challenge.galaxy_zoo_challenge_dataset_builder
        config = tfds.download.DownloadConfig(manual_dir="kaggle/")
        train = tfds.load(
            "galaxy_zoo_challenge", split="train", download_and_prepare_kwargs={"download_config": config}
        )
    """

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "First release."}  # noqa: RUF012 - TFDS reads the class attribute
    MANUAL_DOWNLOAD_INSTRUCTIONS = _INSTRUCTIONS

    def _info(self) -> tfds.core.DatasetInfo:
        return self.dataset_info_from_configs(
            features=galaxy_features(load_questions("gz2-kaggle")),
            supervised_keys=("image", "votes"),
            homepage="https://www.kaggle.com/c/galaxy-zoo-the-galaxy-challenge",
            metadata=tfds.core.MetadataDict(questions="gz2-kaggle"),
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Any]:
        directory = manual_directory(dl_manager, _INSTRUCTIONS)
        table = find_table(directory, dl_manager, "training_solutions_rev1.csv", _INSTRUCTIONS)
        images = find_folder(directory, dl_manager, "images_training_rev1", _INSTRUCTIONS)
        galaxies = load_catalogue(table, images=images, questions="gz2-kaggle")
        if any((directory / name).exists() for name in ("images_test_rev1", "images_test_rev1.zip")):
            galaxies = galaxies.with_unlabelled(find_folder(directory, dl_manager, "images_test_rev1", _INSTRUCTIONS))
        self.info.metadata["sha256"] = {table.name: file_checksum(table)}
        self.info.metadata.update(excluded=len(galaxies.excluded), unreadable={})
        splits = {"train": self._generate_examples(galaxies, labelled=True)}
        if len(galaxies.unlabelled_files):
            splits["unlabelled"] = self._generate_examples(galaxies, labelled=False)
        return splits

    def _generate_examples(self, galaxies: Catalogue, labelled: bool) -> Iterator[tuple[str, dict[str, Any]]]:
        unreadable: dict[str, str] = {}
        yield from (catalogue_examples if labelled else unlabelled_examples)(galaxies, unreadable)
        self.info.metadata["unreadable"].update(unreadable)
