"""Confident labels from class activation maps: what an affinity network learns from.

T tagged classes; ``cams`` (T, H, W) in [0, 1], each with its maximum near one; ``tags`` (T,) their class ids. PSA and
IRN know a background. Their rules are here as they are, with *local* labels: 0 background, 1..T the tags in order, 255
ignore. Datasets where every pixel has a class have no background, so ``mine`` offers what can stand in its place
[wsss 6]:

    reject   the background competes, and where it wins nothing is said (255)
    none     the tags compete among themselves; where the best CAM is below tau nothing is said
    base     known base pixels are certain, novel tags compete in the rest; where the best is below tau nothing is said

An image without tags has no label anywhere.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from benchmark.datasets import IGNORE
from methods.wsss.crf import IRN_CRF, PSA_CRF, CrfParameters, Scores, dense_crf, label_crf
from methods.wsss.settings import CrfBackend

Labels = NDArray[np.uint8]
BACKGROUND = 0  # in local labels
EMPTY = 1e-5  # a pixel with no score above is padding


@dataclass(frozen=True)
class MiningSettings:
    """How labels are mined. Defaults are RIB's, which are IRN's with other thresholds."""

    rule: Literal["irn", "psa"] = "irn"  # CRF on hard labels, or on scores
    background: Literal["reject", "none", "base"] = "reject"
    foreground: float = 0.35  # irn: constant score of the background that foreground must beat; IRN itself has 0.30
    alpha: float = 4.0  # psa: the background is (1 - max CAM)^alpha
    tau: float = 0.35  # none, base: CAM below which a pixel is ignored
    crf_scale: float = 1.0  # factor on the CRF's distances in pixels, for small images
    crf_iterations: int = 10
    backend: CrfBackend = "auto"
    device: str = "cpu"  # where a CRF in torch computes

    @property
    def crf(self) -> CrfParameters:
        """The CRF of the rule, scaled."""
        parameters = PSA_CRF if self.rule == "psa" else IRN_CRF
        return parameters.scaled(self.crf_scale)._replace(iterations=self.crf_iterations)


def mine(
    image: NDArray[np.uint8],
    cams: NDArray[np.floating],
    tags: Sequence[int],
    settings: MiningSettings,
    base_mask: NDArray[np.integer] | None = None,
) -> Labels:
    """Return confident class ids (H, W) uint8, 255 elsewhere.

    Args:
        image: (H, W, 3) uint8 RGB.
        cams: (T, H, W).
        tags: (T,) class ids.
        settings: the rule.
        base_mask: (H, W) base ids, 255 elsewhere; for ``background = "base"`` alone.

    Raises:
        ValueError: shapes do not fit, or the base mask is missing, not needed, or shows classes without a tag.
    """
    _check(image, cams, tags)
    if (settings.background == "base") != (base_mask is not None):
        raise ValueError('a base mask goes with background = "base", and only with it')
    if not len(tags):
        return np.full(image.shape[:2], IGNORE, np.uint8)
    if settings.background == "reject":
        return class_ids(_with_reject(image, cams, settings), tags)
    if base_mask is None:
        return _ignore_below(settings.tau, cams, _best_tag(image, cams, tags, settings))
    known = known_base(cams, tags, base_mask)
    mined = _ignore_below(settings.tau, known, _best_tag(image, known, tags, settings))
    of_base = np.isin(mined, np.unique(base_mask))  # the CRF may spread a base class beyond its complete mask
    return np.where(base_mask != IGNORE, base_mask, np.where(of_base, IGNORE, mined)).astype(np.uint8)


def _with_reject(image: NDArray[np.uint8], cams: NDArray[np.floating], s: MiningSettings) -> Labels:
    """Return local labels (H, W) in which 0 is what the background won."""
    if s.rule == "psa":
        winner = dense_crf(image, background_and_cams(cams, s.alpha), s.crf, s.backend, s.device).argmax(0)
    else:
        winner = label_crf(image, seeds(cams, s.foreground), len(cams) + 1, s.crf, s.backend, s.device)
    labels: Labels = winner.astype(np.uint8)
    return labels


def _best_tag(
    image: NDArray[np.uint8], scores: NDArray[np.floating], tags: Sequence[int], s: MiningSettings
) -> NDArray[np.int64]:
    """Return the class id (H, W) of the tag that wins after the CRF; no background competes."""
    if s.rule == "psa":
        winner = dense_crf(image, scores, s.crf, s.backend, s.device).argmax(0)
    else:
        unsure_undecided = argmax_labels(scores, range(len(tags)), s.tau)  # 255 weighs all tags alike
        winner = label_crf(image, unsure_undecided, len(tags), s.crf, s.backend, s.device)
    ids: NDArray[np.int64] = np.asarray(tags)[winner]
    return ids


def _ignore_below(tau: float, scores: NDArray[np.floating], labels: NDArray[np.integer]) -> Labels:
    return np.where(scores.max(0) < tau, IGNORE, labels).astype(np.uint8)


def argmax_labels(scores: NDArray[np.floating], tags: Sequence[int], tau: float) -> Labels:
    """Return the id (H, W) of the highest of scores (T, H, W), the first of equals; 255 where it is below ``tau``."""
    if not len(tags):
        return np.full(scores.shape[1:], IGNORE, np.uint8)
    return _ignore_below(tau, scores, np.asarray(tags)[scores.argmax(0)])


def known_base(scores: NDArray[np.floating], tags: Sequence[int], base_mask: NDArray[np.integer]) -> Scores:
    """Return scores (T, H, W) that are one-hot on base pixels; elsewhere the tags of no base pixel keep theirs.

    The base masks are complete: a class that has one has a score of 0 outside it.

    Args:
        scores: (T, H, W).
        tags: (T,) class ids.
        base_mask: (H, W) base ids, 255 elsewhere.

    Raises:
        ValueError: the mask shows a class without a tag.
    """
    shown = np.setdiff1d(base_mask, [IGNORE])
    if not np.isin(shown, tags).all():
        raise ValueError(f"the base mask shows classes {np.setdiff1d(shown, tags).tolist()}, which are no tags")
    ids = np.asarray(tags).reshape(-1, 1, 1)
    free = np.where(np.isin(ids, shown), 0.0, scores)
    return np.where(base_mask == IGNORE, free, ids == base_mask).astype(np.float32)


def class_ids(labels: NDArray[np.integer], tags: Sequence[int], background: int = IGNORE) -> Labels:
    """Return local labels (H, W) as class ids, with ``background`` in the place of 0; 255 stays."""
    table = np.full(IGNORE + 1, IGNORE, np.uint8)
    table[BACKGROUND] = background
    table[1 : len(tags) + 1] = tags
    ids: Labels = table[labels]
    return ids


def background_and_cams(cams: NDArray[np.floating], alpha: float) -> Scores:
    """Return PSA's scores (T+1, H, W): the background (1 - max CAM)^alpha, then the CAMs. They do not sum to one."""
    background = (1 - cams.max(0, initial=0.0)) ** alpha
    return np.concatenate([background[None], cams]).astype(np.float32)


def pooled(scores: NDArray[np.floating], stride: int = 8) -> Scores:
    """Return scores (C, H, W) averaged over ``stride`` x ``stride`` blocks; zeros complete those at the border."""
    count, height, width = scores.shape
    full = np.pad(scores, ((0, 0), (0, -height % stride), (0, -width % stride)))
    blocks = full.reshape(count, full.shape[1] // stride, stride, full.shape[2] // stride, stride)
    means: Scores = blocks.mean((2, 4)).astype(np.float32)
    return means


def psa_labels(strong: NDArray[np.floating], weak: NDArray[np.floating]) -> Labels:
    """Return PSA's local labels (h, w): foreground that survives a strong background, background that survives a weak.

    Args:
        strong: (T+1, h, w), the CRF's result on ``background_and_cams`` with alpha 4, pooled.
        weak: the same with alpha 32.
    """
    if len(strong) == 1:
        return np.full(strong.shape[1:], IGNORE, np.uint8)
    foreground = strong.argmax(0)
    labels = np.where(foreground == BACKGROUND, IGNORE, foreground)
    labels = np.where(weak.argmax(0) == BACKGROUND, BACKGROUND, labels)
    padding = np.maximum(strong.max(0), weak.max(0)) < EMPTY
    return np.where(padding, IGNORE, labels).astype(np.uint8)


def seeds(cams: NDArray[np.floating], threshold: float) -> Labels:
    """Return local labels (H, W): the highest of the constant ``threshold`` (0, background) and the CAMs (T, H, W)."""
    constant = np.full_like(cams, threshold, shape=(1, *cams.shape[1:]))
    labels: Labels = np.concatenate([constant, cams]).argmax(0).astype(np.uint8)
    return labels


def irn_labels(
    image: NDArray[np.uint8],
    cams: NDArray[np.floating],
    foreground: float = 0.30,
    background: float = 0.05,
    crf: CrfParameters = IRN_CRF,
    backend: CrfBackend = "auto",
    device: str = "cpu",
) -> Labels:
    """Return IRN's local labels (H, W): sure foreground, sure background (0), 255 between.

    Args:
        image: (H, W, 3) uint8 RGB.
        cams: (T, H, W).
        foreground: constant background score that sure foreground beats (RIB: 0.35).
        background: that sure background is not beaten at (RIB: 0.17).
        crf: for the hard labels at either threshold.
        backend: of the CRF.
        device: where a CRF in torch computes.
    """
    if not len(cams):
        return np.full(image.shape[:2], IGNORE, np.uint8)
    count = len(cams) + 1
    sure, likely = (label_crf(image, seeds(cams, t), count, crf, backend, device) for t in (foreground, background))
    return combined(sure, likely)


def combined(sure: NDArray[np.integer], likely: NDArray[np.integer]) -> Labels:
    """Return the local labels of ``irn_labels`` from the refined maps (H, W) at the high and the low threshold."""
    labels = np.where(sure == BACKGROUND, IGNORE, sure)
    neither = (sure == BACKGROUND) & (likely == BACKGROUND)
    return np.where(neither, BACKGROUND, labels).astype(np.uint8)


def _check(image: NDArray[np.uint8], cams: NDArray[np.floating], tags: Sequence[int]) -> None:
    if cams.shape != (len(tags), *image.shape[:2]):
        raise ValueError(f"CAMs {cams.shape} do not fit {len(tags)} tags and an image of {image.shape[:2]}")
