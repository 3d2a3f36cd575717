"""What an experiment has measured so far, read from its finished cells, and compared."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from tfgalaxy.evaluation.label_efficiency.cell_store import PARTS, CellStore
from tfgalaxy.evaluation.label_efficiency.labels_saved import LabelsSaved, labels_saved
from tfgalaxy.evaluation.label_efficiency.manifest import Manifest, read_manifest
from tfgalaxy.evaluation.label_efficiency.plan import MORE_UNLABELLED, Cell
from tfgalaxy.evaluation.label_efficiency.statistics import Bootstrap, GalaxyTerms, Scores, galaxy_terms, term_values
from tfgalaxy.evaluation.metrics import METRICS

__all__ = ["DIRECTIONS", "Difference", "Measurements"]

# 1 where more is better, -1 where less is; the coverage of intervals should be 90 %, neither more nor less.
DIRECTIONS = {
    "rmse": -1,
    "cumulative_rmse": -1,
    "total_absolute_error": -1,
    "accuracy": 1,
    "log_likelihood": 1,
    "calibration_error": -1,
    "interval_coverage": 0,
}


@dataclasses.dataclass(frozen=True, eq=False)
class Difference:
    """A method's scores less another's at the same number of labels, over the cells that both have.

    Attributes:
        series, reference: the two.
        labels: of both.
        cells: number of pairs of cells.
        scores: the differences, by scope and metric.
    """

    series: str
    reference: str
    labels: int
    cells: int
    scores: Scores

    def verdict(self, scope: int, metric: str) -> str:
        """ "better" or "worse" where the 90 % interval leaves out zero, "not shown" elsewhere."""
        column, direction = METRICS.index(metric), DIRECTIONS[metric]
        low, high = (bound[scope, column] * direction for bound in self.scores.interval)
        if not direction or np.isnan(low):
            return ""
        return "better" if min(low, high) > 0 else "worse" if max(low, high) < 0 else "not shown"


class Measurements:
    """The finished cells of an experiment.

    Args:
        store: the experiment's directory.
    """

    def __init__(self, store: CellStore) -> None:
        self.store = store
        self.manifest: Manifest = read_manifest(store.manifest_file)
        self.records: dict[Cell, dict[str, Any]] = {}
        self._terms: dict[str, dict[Cell, GalaxyTerms]] = {part: {} for part in PARTS}
        self._bootstrap = Bootstrap([])
        self._scores: dict[Any, Scores] = {}

    def refresh(self) -> None:
        """Reads the cells that were finished since the last time, by this process or another."""
        self.manifest = read_manifest(self.store.manifest_file)
        for cell in self.manifest.plan.cells():
            if cell not in self.records and self.store.is_finished(cell):
                for part, judged in self.store.read_predictions(cell).items():
                    terms = galaxy_terms(self.manifest.questions, judged.ids, judged.votes, judged.predictions)
                    self._terms[part][cell] = terms
                self.records[cell] = self.store.read_record(cell)
        ids = {str(name) for terms in self._terms["test"].values() for name in terms.ids}
        if len(ids) != len(self._bootstrap.rows):
            self._bootstrap, self._scores = Bootstrap(ids), {}

    @property
    def galaxies(self) -> int:
        """Number of galaxies that any finished cell is judged by."""
        return len(self._bootstrap.rows)

    def values(self, cell: Cell, part: str) -> np.ndarray | None:
        """One cell's own scores, [2, M]; None without galaxies in that part."""
        terms = self._terms[part].get(cell)
        return None if terms is None else term_values(terms.terms.sum(axis=0))

    def cells(self, series: str, labels: int) -> list[Cell]:
        """The finished cells of one point of the figure."""
        return [cell for cell in self._terms["test"] if (cell.series, cell.labels) == (series, labels)]

    def points(self, series: str) -> list[int]:
        """The numbers of labels at which a method has finished cells."""
        return [count for count in sorted(self.manifest.plan.labels) if self.cells(series, count)]

    def scores(self, series: str, labels: int, replicates: frozenset[Any] | None = None) -> Scores:
        """A method's scores at a number of labels, over all its finished cells, or some seeds and folds of them."""
        cells = {(cell.seed, cell.fold): cell for cell in self.cells(series, labels)}
        chosen = frozenset(cells) if replicates is None else replicates
        key = (series, labels, chosen)
        if key not in self._scores:
            terms = self._terms["test"]
            # In a fixed order: sums of floating-point numbers depend on it.
            ordered = sorted(chosen, key=str)
            self._scores[key] = self._bootstrap.scores({item: terms[cells[item]] for item in ordered})
        return self._scores[key]

    def _common(self, *groups: tuple[str, int]) -> frozenset[Any]:
        """Seeds and folds that all of some points have."""
        sets = [{(cell.seed, cell.fold) for cell in self.cells(*group)} for group in groups]
        return frozenset(set.intersection(*sets))

    def difference(self, series: str, reference: str, labels: int) -> Difference | None:
        """The paired difference; None while the two have no seed and fold in common."""
        common = self._common((series, labels), (reference, labels))
        if not common:
            return None
        ours, theirs = (self.scores(name, labels, common) for name in (series, reference))
        return Difference(series, reference, labels, len(common), ours.minus(theirs))

    def differences(self) -> Iterator[Difference]:
        """Of all pairs of methods, at every number of labels: the later in the plan less the earlier."""
        for reference, series in itertools.combinations(self.manifest.plan.series, 2):
            for count in sorted(self.manifest.plan.labels):
                if difference := self.difference(series, reference, count):
                    yield difference

    def second_pool(self) -> Iterator[Difference]:
        """Of each regime with the second folder less the same without it."""
        for series in self.manifest.plan.series:
            if series.endswith(MORE_UNLABELLED):
                for count in sorted(self.manifest.plan.labels):
                    if difference := self.difference(series, series.removesuffix(MORE_UNLABELLED), count):
                        yield difference

    def saved(self, series: str, labels: int, metric: str, scope: int, reference: str) -> LabelsSaved | None:
        """How many labels of the reference are worth these; None where that cannot be said.

        The reference's curve is made of its seeds and folds that this point has too.
        """
        points = self.points(reference)
        if len(points) < 2:
            return None
        common = self._common((series, labels), *((reference, count) for count in points))
        if not common:
            return None
        column = METRICS.index(metric)
        curve = [self.scores(reference, count, common) for count in points]
        values = np.array([scores.values[scope, column] for scores in curve])
        samples = np.stack([scores.samples[:, scope, column] for scores in curve], axis=1)
        own = self.scores(series, labels, common)
        score = (float(own.values[scope, column]), own.samples[:, scope, column])
        return labels_saved(labels, points, (values, samples), score, DIRECTIONS[metric] > 0)

    def seconds(self) -> Mapping[Cell, float]:
        """How long each finished cell took."""
        return {cell: float(record["seconds"]) for cell, record in self.records.items()}
