"""What a report is made from: arrays and records, from wherever they come."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tfgalaxy.training.clocks import vae_clock_runs
from tfgalaxy.training.config import RunConfig

if TYPE_CHECKING:
    from tfgalaxy.data.questions import Questions
    from tfgalaxy.evaluation.evaluate import Evaluation
    from tfgalaxy.evaluation.label_efficiency.measurements import Measurements

__all__ = ["JudgedGalaxies", "ReportMaterial", "RunRecord", "ShownGalaxies"]


@dataclasses.dataclass(frozen=True, eq=False)
class RunRecord:
    """What a run's directory says about it.

    Attributes:
        name: of the directory.
        config: of the run.
        parts: number of galaxies of each part of its split.
        history: a row per epoch.
        sources: where the data came from.
        versions: of Python and packages.
        excluded: id, file and reason of each image left out.
    """

    name: str
    config: RunConfig
    parts: Mapping[str, int]
    history: pd.DataFrame
    sources: Mapping[str, Any]
    versions: Mapping[str, str | None]
    excluded: tuple[tuple[str, str, str], ...] = ()

    @property
    def has_vae(self) -> bool:
        """Whether the VAE's clock ran: without it there is no reconstruction, no prior and no latent space."""
        return vae_clock_runs(self.config.training)


@dataclasses.dataclass(frozen=True, eq=False)
class JudgedGalaxies:
    """Galaxies that the run has not seen, N of them, with all that the model says about them.

    Attributes:
        part: of the run's split, as in "unseen".
        ids: [N] text.
        votes: [N, A].
        images: uint8 [N, H, W, C], as the model sees them.
        predictions: outputs of the `classify` signature.
        evaluation: of them; baseline: of the class means of the training votes, or None.
        latent: means of q(z|x), [N, Z].
        pose_matrix: [N, 3, 3], from points of the canonical view to points of the image; None without a pose.
        pose_concentration: [N], the least of the pose's parameters; None without a pose.
    """

    part: str
    ids: NDArray[np.object_]
    votes: NDArray[np.floating[Any]]
    images: NDArray[np.uint8]
    predictions: Mapping[str, NDArray[np.floating[Any]]]
    evaluation: Evaluation
    baseline: Evaluation | None
    latent: NDArray[np.floating[Any]]
    pose_matrix: NDArray[np.floating[Any]] | None = None
    pose_concentration: NDArray[np.floating[Any]] | None = None

    def __len__(self) -> int:
        return len(self.ids)


@dataclasses.dataclass(frozen=True, eq=False)
class ShownGalaxies:
    """The few galaxies whose pictures are shown large, M of them.

    Attributes:
        groups: heading to rows of the judged galaxies; `rows` holds each of them once.
        rows: [M], of the judged galaxies.
        images: uint8 [M, S, S, C], at a size to be looked at.
        canonical_views: [M, H, W, C], 0 to 1.
        reconstructions: [M, H, W, C], 0 to 1; None where the VAE's clock did not run.
    """

    groups: Mapping[str, NDArray[np.int64]]
    rows: NDArray[np.int64]
    images: NDArray[np.uint8]
    canonical_views: NDArray[np.floating[Any]]
    reconstructions: NDArray[np.floating[Any]] | None

    def position(self, row: int) -> int:
        """Where a row of the judged galaxies stands among the M."""
        return int(np.flatnonzero(self.rows == row)[0])


@dataclasses.dataclass(frozen=True, eq=False)
class ReportMaterial:
    """All that a report is made from.

    Attributes:
        run: what was trained.
        questions: the decision tree.
        judged: galaxies that the run has not seen.
        shown: those of them whose pictures are shown.
        prior_samples: [n, H, W, C], 0 to 1, drawn from the prior; None where the VAE's clock did not run.
        label_efficiency: an experiment to be shown beside the run, or None.
    """

    run: RunRecord
    questions: Questions
    judged: JudgedGalaxies
    shown: ShownGalaxies
    prior_samples: NDArray[np.floating[Any]] | None = None
    label_efficiency: Measurements | None = None
