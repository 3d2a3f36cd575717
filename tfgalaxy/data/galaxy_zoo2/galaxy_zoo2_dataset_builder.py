"""Galaxy Zoo 2 with the table of Hart et al. 2016 as a TFDS dataset."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import tensorflow_datasets as tfds

from tfgalaxy.data.catalogue import Catalogue, load_catalogue
from tfgalaxy.data.columns import match_columns
from tfgalaxy.data.questions import load_questions
from tfgalaxy.data.tables import read_table, table_columns
from tfgalaxy.data.tfds_examples import (
    catalogue_examples,
    file_checksum,
    find_folder,
    find_table,
    galaxy_features,
    manual_directory,
    unlabelled_examples,
)
from tfgalaxy.errors import InputError

_INSTRUCTIONS = """\
Put gz2_hart16 (.csv or .csv.gz, from https://data.galaxyzoo.org, section Galaxy Zoo 2), gz2_filename_mapping.csv and
images_gz2 (a folder or .zip, both from https://zenodo.org/records/3565489) there.
"""


class Builder(tfds.core.GeneratorBasedBuilder):
    """SDSS images of Galaxy Zoo 2 with the counts of volunteers' votes.

    Splits: `train` (labelled), `unlabelled` (images of no row of the table, votes all 0; absent if there is none).

    Example:
        import tensorflow_datasets as tfds
        import tfgalaxy.data.galaxy_zoo2.galaxy_zoo2_dataset_builder
        config = tfds.download.DownloadConfig(manual_dir="galaxy_zoo2_files/")
        train = tfds.load("galaxy_zoo2", split="train", download_and_prepare_kwargs={"download_config": config})
    """

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "First release."}  # noqa: RUF012 - TFDS reads the class attribute
    MANUAL_DOWNLOAD_INSTRUCTIONS = _INSTRUCTIONS

    def _info(self) -> tfds.core.DatasetInfo:
        return self.dataset_info_from_configs(
            features=galaxy_features(load_questions("gz2")),
            supervised_keys=("image", "votes"),
            homepage="https://data.galaxyzoo.org",
            metadata=tfds.core.MetadataDict(questions="gz2"),
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Any]:
        directory = manual_directory(dl_manager, _INSTRUCTIONS)
        votes = find_table(directory, dl_manager, "gz2_hart16.csv", _INSTRUCTIONS)
        mapping = find_table(directory, dl_manager, "gz2_filename_mapping.csv", _INSTRUCTIONS)
        images = find_folder(directory, dl_manager, "images_gz2", _INSTRUCTIONS)
        with tempfile.TemporaryDirectory() as temporary:
            joined = Path(temporary) / "gz2.parquet"
            _join(votes, mapping).to_parquet(joined, index=False)
            galaxies = load_catalogue(joined, images=images, questions="gz2", file_column="file")
        self.info.metadata["sha256"] = {path.name: file_checksum(path) for path in (votes, mapping)}
        self.info.metadata.update(excluded=len(galaxies.excluded), unreadable={})
        splits = {"train": self._generate_examples(galaxies, labelled=True)}
        if len(galaxies.unlabelled_files):
            splits["unlabelled"] = self._generate_examples(galaxies, labelled=False)
        return splits

    def _generate_examples(self, galaxies: Catalogue, labelled: bool) -> Iterator[tuple[str, dict[str, Any]]]:
        unreadable: dict[str, str] = {}
        yield from (catalogue_examples if labelled else unlabelled_examples)(galaxies, unreadable)
        self.info.metadata["unreadable"].update(unreadable)


def _join(votes_path: Path, mapping_path: Path) -> pd.DataFrame:
    """The columns `dr7objid`, `file` and the votes; the image of a galaxy is `<asset_id>.jpg`."""
    columns = table_columns(votes_path)
    match = match_columns(load_questions("gz2"), columns, id_column="dr7objid")
    numbers = [name for group in match.answers for name in group] + list(match.totals)
    sample = [name for name in ("sample",) if name in columns]
    votes = read_table(votes_path, [match.id, *sample], numbers)
    mapping = read_table(mapping_path, ["objid", "sample", "asset_id"], [])
    files = _one_image_each(votes, mapping, match.id)
    if not any(files):
        rule = "must hold the galaxies of gz2_hart16.csv"
        value = f"ids such as {mapping['objid'].head(3).tolist()}, none of them in column {match.id}"
        raise InputError(
            "gz2_filename_mapping.csv", rule, value, "Check that both tables are whole and kept all digits."
        )
    votes.insert(1, "file", files)
    return votes.drop(columns=sample)


def _one_image_each(votes: pd.DataFrame, mapping: pd.DataFrame, id_column: str) -> list[str]:
    """`<asset_id>.jpg` of each row of `votes`, or "": of several images of a galaxy, that of the row's own sample."""
    by_id = dict(zip(mapping["objid"], mapping["asset_id"], strict=True))
    by_sample = dict(zip(zip(mapping["objid"], mapping["sample"], strict=True), mapping["asset_id"], strict=True))
    samples = votes["sample"] if "sample" in votes else [""] * len(votes)
    pairs = zip(votes[id_column], samples, strict=True)
    assets = (by_sample.get(pair) or by_id.get(pair[0]) for pair in pairs)
    return [f"{asset}.jpg" if asset else "" for asset in assets]
