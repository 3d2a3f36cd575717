"""The classical baseline: support vectors on harmonics of polar views, which a turn or a mirror leaves as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.decomposition import PCA
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVR

from tfgalaxy.evaluation.inputs import FloatArray, volunteer_fractions
from tfgalaxy.evaluation.metrics import baseline_fractions
from tfgalaxy.layers.canonical_resampling import CanonicalResampling

if TYPE_CHECKING:
    from tfgalaxy.data.questions import Questions

__all__ = ["fit_support_vectors", "polar_harmonics"]

# Chosen on validation galaxies of Galaxy Zoo 1, where plain amplitudes, nine harmonics or 20 components were no
# better: docs/label-efficiency.md.
RADII, ANGLES, HARMONICS = 16, 64, 5
COMPONENTS = 40
# Added before the logarithm: about the noise of a stretched pixel over the root of the number of angles.
FLOOR = 0.002
PENALTIES = (0.1, 1.0, 10.0)
CHOICE_FOLDS = 3
# Below this, a question's answers are predicted by their means: three folds of a few galaxies choose nothing.
FEWEST_GALAXIES = 12
SMALLEST_FRACTION = 0.01


def polar_harmonics(images: NDArray[np.uint8]) -> FloatArray:
    """Log amplitudes of the Fourier series along the angle, ring by ring, of the stretched polar view.

        h[r, m, c] = log(|sum_a s[r, a, c] exp(-2 pi i m a / A)| / A + 0.002),  s = sqrt(pixel), m = 0 ... 4

    Args:
        images: [N, S, S, C], 0 to 255.

    Returns:
        [N, R * M * C] with R = 16 rings, M = 5 harmonics.
    """
    layer = CanonicalResampling(RADII, ANGLES)
    parts = []
    for start in range(0, len(images), 256):
        stretched = np.sqrt(images[start : start + 256].astype(np.float32) / 255)
        series = np.fft.rfft(np.asarray(layer(stretched), np.float64), axis=2)[:, :, :HARMONICS]
        parts.append(np.log(np.abs(series) / ANGLES + FLOOR).reshape(len(stretched), -1))
    return np.concatenate(parts)


def fit_support_vectors(
    questions: Questions,
    images: NDArray[np.uint8],
    votes: ArrayLike,
    new_images: NDArray[np.uint8],
    seed: int = 0,
) -> FloatArray:
    """Vote fractions of new images by support vector regression on the principal components of polar harmonics.

    Each answer has a machine of its own, weighted by the votes for its question; the penalty C is chosen by
    cross-validation within the labelled galaxies. Predictions are held at 0.01 or more and divided by their sum over
    each question's answers.

    Args:
        questions: the decision tree.
        images: of the labelled galaxies, [N, S, S, C].
        votes: theirs, [N, A].
        new_images: [M, S, S, C].
        seed: of that cross-validation.

    Returns:
        [M, A].
    """
    fractions, totals = volunteer_fractions(questions, votes)
    predicted = np.tile(baseline_fractions(votes, questions), (len(new_images), 1))  # [M, A]
    components = make_pipeline(StandardScaler(), PCA(min(COMPONENTS, len(images)), random_state=seed))
    known = components.fit_transform(polar_harmonics(images))
    new = components.transform(polar_harmonics(new_images))
    for index, part in enumerate(questions.slices):
        asked = totals[:, index] > 0
        if asked.sum() < FEWEST_GALAXIES:
            continue
        weights = totals[asked, index] / totals[asked, index].mean()
        for answer in range(part.start, part.stop):
            predicted[:, answer] = (
                _regression(seed).fit(known[asked], fractions[asked, answer], sample_weight=weights).predict(new)
            )
        clipped = np.maximum(predicted[:, part], SMALLEST_FRACTION)
        predicted[:, part] = clipped / clipped.sum(axis=1, keepdims=True)
    return predicted


def _regression(seed: int) -> Any:
    folds = KFold(CHOICE_FOLDS, shuffle=True, random_state=seed)
    return GridSearchCV(SVR(epsilon=0.05), {"C": PENALTIES}, scoring="neg_mean_squared_error", cv=folds)
