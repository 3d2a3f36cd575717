"""The latent space as a map: every galaxy a point."""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from tfgalaxy.configuration import check
from tfgalaxy.evaluation.figures import COLOURS, MARKERS, legend_below, own_axes
from tfgalaxy.evaluation.inputs import FloatArray

__all__ = ["PROJECTIONS", "latent_map", "project_latent", "projections"]

PROJECTIONS = ("PCA", "UMAP")


def projections() -> tuple[str, ...]:
    """Those of `PROJECTIONS` that can be made here: UMAP needs umap-learn."""
    return PROJECTIONS if importlib.util.find_spec("umap") else PROJECTIONS[:1]


def project_latent(latent: ArrayLike, projection: str = "PCA", seed: int = 0) -> FloatArray:
    """Latent variables [N, Z] as points in the plane, [N, 2].

    Args:
        latent: the means of q(z|x), [N, Z], N and Z at least 2.
        projection: "PCA", along the two directions of largest variance, or "UMAP", which keeps neighbours together
            (McInnes, Healy, Melville 2018).
        seed: of UMAP.

    Raises:
        InputError: too few galaxies or variables, values that aren't finite, or a projection that cannot be made here.
    """
    values = np.asarray(latent, np.float64)
    enough = values.ndim == 2 and min(values.shape) >= 2
    check(enough, "latent", "must have shape (N, Z), both at least 2", values.shape, "Give the latent means.")
    check(bool(np.isfinite(values).all()), "latent", "must be finite", "NaN or infinity", "Check the model's output.")
    known = projections()
    check(projection in known, "projection", f"must be one of {', '.join(known)}", projection, "Install umap-learn.")
    if projection == "PCA":
        from sklearn.decomposition import PCA

        points: FloatArray = PCA(2, svd_solver="full").fit_transform(values)
        return points
    return _umap(values, seed)


def _umap(values: FloatArray, seed: int) -> FloatArray:
    from umap import UMAP

    neighbours = min(15, len(values) - 1)
    # UMAP's spectral start fails for a handful of points.
    start = "spectral" if len(values) > 50 else "random"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a fixed seed costs it its threads is what is wanted
        points = UMAP(n_neighbors=neighbours, init=start, random_state=seed).fit_transform(values)
    return np.asarray(points, np.float64)


def latent_map(
    points: ArrayLike,
    answer: ArrayLike,
    names: Sequence[str],
    axes: Axes | None = None,
    projection: str = "PCA",
) -> Axes:
    """Points in the plane, coloured by an answer.

    Args:
        points: [N, 2], as `project_latent` gives.
        answer: whole numbers [N] from 0 to len(names) - 1; -1 for galaxies without one, which are grey.
        names: of the answers.
        axes: where to draw; a new figure otherwise.
        projection: for the axes' names.

    Raises:
        InputError: shapes that don't match.
    """
    places, index = np.asarray(points, np.float64), np.asarray(answer)
    fits = places.shape == (len(index), 2)
    check(fits, "points", f"must have shape ({len(index)}, 2)", places.shape, "Give a point per galaxy.")
    axes = own_axes(axes, 5.6, 5.2)
    size = float(np.clip(6000 / max(len(index), 1), 4, 30))
    for number, name in enumerate(["no answer", *names], start=-1):
        chosen = places[index == number]
        if not len(chosen):
            continue
        colour = "0.6" if number < 0 else COLOURS[number % len(COLOURS)]
        style = {"color": colour, "marker": MARKERS[number % len(MARKERS)], "s": size, "linewidths": 0}
        axes.scatter(*chosen.T, alpha=0.6, rasterized=len(index) > 1000, label=f"{name} ({len(chosen):,})", **style)
    axes.set(xticks=[], yticks=[], xlabel=f"{projection} 1", ylabel=f"{projection} 2")
    legend_below(axes)
    return axes
