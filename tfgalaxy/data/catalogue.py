"""A catalogue: galaxies with votes, images without votes, and what was left out and why."""

from __future__ import annotations

import dataclasses
import itertools
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from tfgalaxy.configuration import check
from tfgalaxy.data.columns import ColumnMatch, match_columns
from tfgalaxy.data.exclusions import Exclusion
from tfgalaxy.data.identifiers import check_ids
from tfgalaxy.data.image_index import ImageIndex, as_text, exclude_ids, find_images, image_stem
from tfgalaxy.data.questions import Questions, load_questions
from tfgalaxy.data.splits import assign_folds, assign_parts, check_whole, hash_order
from tfgalaxy.data.tables import read_table, table_columns
from tfgalaxy.data.vote_reading import read_votes

__all__ = ["Catalogue", "Exclusion", "load_catalogue"]


def _no_text() -> NDArray[np.object_]:
    return np.empty(0, dtype=object)


@dataclasses.dataclass(frozen=True, eq=False)
class Catalogue:
    """N labelled galaxies and any number of unlabelled images.

    Args:
        questions: the decision tree, with A answers.
        ids: [N] ids, object array of `str`, unique.
        files: [N] absolute paths of their images, object array of `str`.
        votes: [N, A] float32 counts, 0 where a question was not asked; broken numbers where they were made from
            fractions.
        unlabelled_files: absolute paths of images without votes.
        excluded: what was left out and why.
        ignored_columns: columns of the table that hold no votes of these questions.
        held_out: ids and image stems of galaxies that must not be learnt from, labelled or not; `split` names those of
            the validation and test parts here in the train part.

    Raises:
        InputError: arrays whose lengths differ.
    """

    questions: Questions
    ids: NDArray[np.object_]
    files: NDArray[np.object_]
    votes: NDArray[np.float32]
    unlabelled_files: NDArray[np.object_] = dataclasses.field(default_factory=_no_text)
    excluded: tuple[Exclusion, ...] = ()
    ignored_columns: tuple[str, ...] = ()
    held_out: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        for name in ("ids", "files", "unlabelled_files"):
            object.__setattr__(self, name, as_text(getattr(self, name)))
        object.__setattr__(self, "votes", np.asarray(self.votes, np.float32))
        shape = (len(self.ids), self.questions.num_answers)
        check(self.votes.shape == shape, "votes", f"must have the shape {shape}", self.votes.shape, "One row per id.")
        rule = f"must be {len(self.ids)}, one for each id"
        check(len(self.files) == len(self.ids), "files", rule, len(self.files), "Give a file for each galaxy.")

    def __len__(self) -> int:
        return len(self.ids)

    def subset(self, rows: ArrayLike) -> Catalogue:
        """The galaxies of an index array or a mask, in that order; unlabelled images and exclusions stay."""
        index = np.asarray(rows)
        index = index.astype(np.int64) if index.size == 0 and index.dtype.kind != "b" else index
        return dataclasses.replace(self, ids=self.ids[index], files=self.files[index], votes=self.votes[index])

    def split(
        self, seed: int = 0, fractions: Sequence[float] = (0.7, 0.1, 0.2)
    ) -> tuple[Catalogue, Catalogue, Catalogue]:
        """Train, validation and test by a hash of seed and id.

        A galaxy never changes its part when others come or go. The sizes hold on average only: a part of a small
        catalogue may be empty. Unlabelled images and exclusions go to the train part, less any unlabelled copy of a
        validation or test galaxy.

        Raises:
            InputError: fractions that are negative, not three, or do not sum to 1.
        """
        part = assign_parts(self.ids, check_whole("seed", seed), fractions)
        validation, test = self.subset(part == 1), self.subset(part == 2)
        return self._without(part != 0), validation._bare(), test._bare()

    def hold_out_fold(self, fold: int, folds: int, seed: int = 0) -> tuple[Catalogue, Catalogue]:
        """The galaxies to learn from, and those of one of K folds by a hash of seed and id.

        The folds are disjoint, hold every galaxy once, and are of equal size (`tfgalaxy.data.splits.assign_folds`).
        Unlabelled images and exclusions stay with the former, less any unlabelled copy of a galaxy of the fold.

        Raises:
            InputError: fewer than two folds, more folds than galaxies, or no fold of that number.
        """
        part = assign_folds(self.ids, check_whole("seed", seed), folds)
        check(
            0 <= check_whole("fold", fold) < folds, "fold", f"must be between 0 and {folds - 1}", fold, "Count from 0."
        )
        return self._without(part == fold), self.subset(part == fold)._bare()

    def _without(self, others: NDArray[np.bool_]) -> Catalogue:
        """The galaxies that are not `others` [N], none of which, nor a copy, may be learnt from."""
        held_out = self.held_out | set(self.ids[others]) | set(map(image_stem, self.files[others]))
        unlabelled = exclude_ids(self.unlabelled_files, held_out)
        return dataclasses.replace(self.subset(~others), held_out=held_out, unlabelled_files=unlabelled)

    def _bare(self) -> Catalogue:
        return dataclasses.replace(self, unlabelled_files=_no_text(), excluded=())

    def take_labelled(self, count: int, seed: int = 0) -> Catalogue:
        """Keeps the votes of `count` galaxies; the images of the others join `unlabelled_files`.

        The choice is a random one, the same in every run for the same seed, and nested: 100 are among the 300.

        Raises:
            InputError: `count` is below 1, or above the number of labelled galaxies.
        """
        count = check_whole("labels", count)
        fits = 1 <= count <= len(self)
        rule = f"must be between 1 and the number of labelled galaxies, {len(self)}"
        check(fits, "labels", rule, count, "Ask for fewer, or give a larger catalogue.")
        order = hash_order(self.ids, check_whole("seed", seed))
        chosen, others = np.sort(order[:count]), np.sort(order[count:])
        pool = np.concatenate([self.unlabelled_files, self.files[others]])
        return dataclasses.replace(self.subset(chosen), unlabelled_files=pool)

    def share(self, worker: int, workers: int) -> Catalogue:
        """One worker's share, so that each decodes its own images only: every `workers`-th galaxy and unlabelled image.

        The shares are disjoint, hold everything once, and differ in size by one at most.

        Raises:
            InputError: no worker of that number.
        """
        rule = f"must be between 0 and the number of workers less one, {check_whole('workers', workers) - 1}"
        check(0 <= check_whole("worker", worker) < workers, "worker", rule, worker, "Count from 0.")
        own = self.subset(np.arange(worker, len(self), workers))
        return dataclasses.replace(own, unlabelled_files=self.unlabelled_files[worker::workers])

    def with_unlabelled(self, images: str | os.PathLike[str] | Sequence[str]) -> Catalogue:
        """Adds unlabelled images: a folder, or files. Copies of labelled or held-out galaxies, by stem, are left out.

        Raises:
            InputError: the folder does not exist or holds no images.
        """
        files = find_images(images, "unlabelled") if isinstance(images, str | os.PathLike) else list(images)
        known = self.held_out | set(self.ids) | set(map(image_stem, self.files))
        present = set(self.unlabelled_files)
        new = [path for path in exclude_ids(files, known) if path not in present]
        return dataclasses.replace(self, unlabelled_files=np.concatenate([self.unlabelled_files, as_text(new)]))

    def summary(self) -> str:
        """One line: how many galaxies, unlabelled images and exclusions, with the kinds of reasons."""
        text = f"{len(self):,} labelled galaxies, {len(self.unlabelled_files):,} unlabelled images"
        if not self.excluded:
            return f"{text}, none excluded"
        kinds = Counter(" ".join(entry.reason.split()[:2]) for entry in self.excluded).most_common(3)
        return f"{text}, {len(self.excluded):,} excluded ({', '.join(f'{n:,}: {kind} ...' for kind, n in kinds)})"


def load_catalogue(
    path: str | os.PathLike[str],
    images: str | os.PathLike[str] | None = None,
    questions: str | os.PathLike[str] | Questions = "gz2",
    voters: float | None = None,
    allow_outside: bool = False,
    id_column: str | None = None,
    file_column: str | None = None,
) -> Catalogue:
    """Reads votes from a table and finds the galaxies' images.

    Rows without votes, and images of no row, are the unlabelled pool. A row with bad votes or without an image is
    excluded with its reason, and neither it nor its image is used; see `find_bad_votes` and `ImageIndex` for the rules.
    Votes that are missing in all answers of a question (an empty cell, NaN, or 999) mean that it was not asked.

    Args:
        path: CSV, Parquet, FITS or VOTable file; its columns follow the questions' convention.
        images: folder tree with the images; by default the table's folder.
        questions: a preset (`gz1`, `gz2`, `gz2-kaggle`, `decals`), a JSON file, or `Questions`.
        voters: people who saw each galaxy, for a table of fractions. Default: the table's total columns, or else the
            number that the release states (44 for `gz2-kaggle`).
        allow_outside: let the file column name images outside the image folder.
        id_column: the id column, if its name is none of the convention's.
        file_column: the same for the file column.

    Raises:
        InputError: an unreadable or empty table; a missing, doubled or unknown vote column; no id column, duplicate
            ids, or ids that lost digits; fractions without a number of voters; more than half of the rows with bad
            votes; a file that leaves the image folder; two galaxies with one image; no image at all.
    """
    questions = load_questions(questions)
    match = match_columns(questions, table_columns(path), id_column, file_column)
    frame = _read_rows(path, match)
    ids = check_ids(frame[match.id].to_numpy(dtype=object), match.id)
    names = frame[match.file].tolist() if match.file else None
    votes, reasons = read_votes(frame, match, questions, voters)
    del frame  # a large table should not stay in memory while a large folder is searched
    index = ImageIndex(Path(path).parent if images is None else images, skip=[path])
    files, lost = index.find(ids.tolist(), names, allow_outside)
    del names
    for row in np.flatnonzero(ids == ""):
        reasons[int(row)] = f"row {row + 1} of the table has no id"
    reasons = {**lost, **reasons}
    _check_files(ids, files, reasons, index)
    return _assemble(questions, match, ids, as_text(files), votes, reasons, index)


def _read_rows(path: str | os.PathLike[str], match: ColumnMatch) -> pd.DataFrame:
    text = dict.fromkeys([match.id, *([match.file] if match.file else [])])
    numbers = dict.fromkeys([*(name for group in match.answers for name in group), *match.totals])
    frame = read_table(path, list(text), list(numbers))
    check(len(frame) > 0, "catalogue", "must have at least one row", f"{path}, an empty table", "Check the file.")
    return frame


def _check_files(ids: NDArray[np.object_], files: Sequence[str], reasons: dict[int, str], index: ImageIndex) -> None:
    some = any(files)
    value = f"{index.folder}, where none of {len(ids):,} galaxies is found (the first: '{ids[0]}')"
    example = os.path.relpath(index.files[0], index.folder) if index.files else ""
    check(some, "images", "must hold the catalogue's galaxies", value, f"An image there is '{example}'.")
    rows = pd.Series([path for path in files if path])
    twice = rows[rows.duplicated()]
    if len(twice):
        owners = [str(name) for name, path in zip(ids, files, strict=True) if path == twice.iloc[0]]
        value = f"'{twice.iloc[0]}' for {', '.join(owners[:5])} ({len(twice)} such rows)"
        check(False, "catalogue", "must give each galaxy its own image", value, "Keep one row for each image.")


def _assemble(
    questions: Questions,
    match: ColumnMatch,
    ids: NDArray[np.object_],
    files: NDArray[np.object_],
    votes: NDArray[np.float32],
    reasons: dict[int, str],
    index: ImageIndex,
) -> Catalogue:
    good = np.ones(len(ids), bool)
    good[list(reasons)] = False
    voted = good & (votes.sum(axis=1) > 0)
    # An image that belongs to any row, by name or as a copy under the same stem, is no stranger.
    claimed = itertools.chain(ids, map(image_stem, files))
    pool = [*files[good & ~voted], *index.others(claimed)]
    excluded = tuple(Exclusion(ids[row], files[row], reasons[row]) for row in sorted(reasons))
    rows = slice(None) if voted.all() else voted  # a slice spares a copy of a large table's votes
    return Catalogue(questions, ids[rows], files[rows], votes[rows], as_text(pool), excluded, match.ignored)
