"""Which cells an experiment has: a method, a number of labels, a seed and a fold each."""

from __future__ import annotations

import dataclasses
import fnmatch
from collections.abc import Iterable, Sequence
from typing import Literal

from tfgalaxy.configuration import Configuration, check
from tfgalaxy.training.config import Regime

__all__ = ["BASELINES", "MORE_UNLABELLED", "REGIMES", "Baseline", "Cell", "Plan", "select_cells"]

Baseline = Literal["class-means", "svm", "cnn"]
REGIMES: tuple[Regime, ...] = ("supervised", "alternating", "two-step")
BASELINES: tuple[Baseline, ...] = ("class-means", "svm", "cnn")
# What marks the regimes whose unlabelled pool holds the second folder too.
MORE_UNLABELLED = "+unlabelled"


@dataclasses.dataclass(frozen=True)
class Cell(Configuration):
    """One model to be trained and judged.

    Attributes:
        method: a regime or a baseline.
        labels: number of labelled galaxies that it learns from.
        seed: of the choice of these, of the weights and of the order of the batches.
        fold: the fold that it is judged by; None for the split's test part.
        more_unlabelled: whether its pool holds the second folder of unlabelled images.
    """

    method: str
    labels: int
    seed: int
    fold: int | None = None
    more_unlabelled: bool = False

    @property
    def series(self) -> str:
        """The method with its pool, as in "alternating+unlabelled": one line of the figure."""
        return self.method + MORE_UNLABELLED * self.more_unlabelled

    @property
    def name(self) -> str:
        """The name of the cell's directory.

        Example:
            >>> Cell("two-step", 300, seed=1, fold=4).name
            'two-step-300-seed1-fold4'
        """
        fold = "" if self.fold is None else f"-fold{self.fold}"
        return f"{self.series}-{self.labels}-seed{self.seed}{fold}"

    @property
    def is_baseline(self) -> bool:
        return self.method in BASELINES


@dataclasses.dataclass(frozen=True)
class Plan(Configuration):
    """All combinations of methods, numbers of labels, seeds and folds.

    Attributes:
        labels: numbers of labelled galaxies; those of a smaller number are among those of a larger one.
        regimes, baselines: what is compared.
        seeds: number of seeds, 0 to seeds - 1.
        folds: of a cross-validation over the labelled galaxies; None for the one split of the configuration.
        more_unlabelled: whether the regimes that read unlabelled images run a second time, with the second folder too.
    """

    labels: tuple[int, ...] = (100, 300, 800, 1200)
    regimes: tuple[Regime, ...] = REGIMES
    baselines: tuple[Baseline, ...] = BASELINES
    seeds: int = 5
    folds: int | None = None
    more_unlabelled: bool = False

    def validate(self) -> None:
        smallest = min(self.labels, default=0)
        check(smallest >= 1, "labels", "must be numbers of at least 1", self.labels, "Give for example 100 300.")
        check(self.seeds >= 1, "seeds", "must be at least 1", self.seeds, "Take 5.")
        check(
            self.folds is None or self.folds >= 2, "folds", "must be at least 2", self.folds, "Take 5, or leave it out."
        )
        methods = self.regimes + self.baselines
        check(bool(methods), "regimes", "must name at least one", methods, "Leave it out for all of them.")
        for name in ("labels", "regimes", "baselines"):
            object.__setattr__(self, name, tuple(dict.fromkeys(getattr(self, name))))

    @property
    def series(self) -> tuple[str, ...]:
        """The lines of the figure: baselines, regimes, then regimes with the second folder."""
        with_more = [regime for regime in self.regimes if self.more_unlabelled and regime != "supervised"]
        return (*self.baselines, *self.regimes, *(regime + MORE_UNLABELLED for regime in with_more))

    def cells(self) -> list[Cell]:
        """All cells, seed by seed, so that the first seed soon gives a whole curve; the quick baselines first."""
        fold_numbers: Sequence[int | None] = [None] if self.folds is None else range(self.folds)
        return [
            Cell(series.removesuffix(MORE_UNLABELLED), count, seed, fold, series.endswith(MORE_UNLABELLED))
            for seed in range(self.seeds)
            for fold in fold_numbers
            for count in sorted(self.labels)
            for series in self.series
        ]

    def merge(self, other: Plan) -> Plan:
        """A plan with the cells of both, for an experiment that grows; `folds` must be the same."""
        return Plan(
            tuple(sorted({*self.labels, *other.labels})),
            tuple(regime for regime in REGIMES if regime in self.regimes + other.regimes),
            tuple(baseline for baseline in BASELINES if baseline in self.baselines + other.baselines),
            max(self.seeds, other.seeds),
            self.folds,
            self.more_unlabelled or other.more_unlabelled,
        )


def select_cells(cells: Iterable[Cell], patterns: Sequence[str]) -> list[Cell]:
    """The cells whose name is one of the patterns, or fits one with `*` and `?`; all of them without patterns.

    Raises:
        InputError: a pattern that no cell fits.
    """
    cells = list(cells)
    if not patterns:
        return cells
    for pattern in patterns:
        fits = any(fnmatch.fnmatchcase(cell.name, pattern) for cell in cells)
        remedy = f"A cell's name is for example '{cells[-1].name}'; '*-seed0*' names all cells of seed 0."
        check(fits, "only", "must be a cell's name or a pattern that some cell's name fits", pattern, remedy)
    return [cell for cell in cells if any(fnmatch.fnmatchcase(cell.name, pattern) for pattern in patterns)]
