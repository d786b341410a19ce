"""The dense CRF: its formula by brute force, the agreement of its backends, and its edges."""

from typing import Any, get_args

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmark.errors import BenchmarkError
from methods.wsss import crf
from methods.wsss.crf import (
    DEEPLAB_CRF,
    IRN_CRF,
    OAA_CRF,
    PSA_CRF,
    RESNET38_CRF,
    CrfParameters,
    dense_crf,
    label_crf,
    label_scores,
    resolved_backend,
)
from methods.wsss.settings import CrfBackend

ALL = {"psa": PSA_CRF, "irn": IRN_CRF, "oaa": OAA_CRF, "deeplab": DEEPLAB_CRF, "resnet38": RESNET38_CRF}
OPTIONAL = pytest.param("pydensecrf", marks=pytest.mark.needs("crf"))
BACKENDS = pytest.mark.parametrize(
    "backend", [OPTIONAL if name == "pydensecrf" else name for name in get_args(CrfBackend)]
)


def scene(height: int, width: int, count: int = 4, noise: float = 4.0) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return an image of flat regions with noise, and scores that are right about them more often than not."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:height, :width]
    centres = rng.random((count, 2)) * (height, width)
    labels = ((y[..., None] - centres[:, 0]) ** 2 + (x[..., None] - centres[:, 1]) ** 2).argmin(-1)
    colours = rng.integers(30, 226, (count, 3))
    image = np.clip(colours[labels] + rng.normal(0, noise, (height, width, 3)), 0, 255).astype(np.uint8)
    logits = 2.5 * (labels == np.arange(count).reshape(-1, 1, 1)) + rng.normal(0, 1, (count, height, width))
    scores = np.exp(logits)
    return image, (scores / scores.sum(0)).astype(np.float32)


def by_hand(image: NDArray[Any], scores: NDArray[Any], p: CrfParameters) -> NDArray[Any]:
    """Return the marginals by the formula, pair by pair, in float64."""
    count, height, width = scores.shape
    places = [(y, x) for y in range(height) for x in range(width)]
    kernels = []
    for weight, sxy, srgb in ((p.smooth_weight, p.smooth_sxy, None), (p.appearance_weight, p.appearance_sxy, p[3])):
        kernel = np.zeros((len(places), len(places)))
        for i, (y, x) in enumerate(places):
            for j, (v, u) in enumerate(places):
                distance = ((y - v) ** 2 + (x - u) ** 2) / sxy**2
                if srgb is not None:
                    distance += sum((float(a) - float(b)) ** 2 for a, b in zip(image[y, x], image[v, u])) / srgb**2  # noqa: B905
                kernel[i, j] = np.exp(-distance / 2)
        d = np.diag(kernel.sum(1) ** -0.5)
        kernels.append(weight * d @ kernel @ d)
    unary = -np.log(np.clip(scores.reshape(count, -1).astype(float), p.floor, 1))
    q = np.exp(-unary) / np.exp(-unary).sum(0)
    for _ in range(p.iterations):
        e = np.exp(-unary + sum(q @ kernel for kernel in kernels))
        q = e / e.sum(0)
    return np.asarray(q).reshape(scores.shape)


@pytest.mark.parametrize("iterations", [0, 1, 4])
def test_exact_is_the_formula(iterations: int) -> None:
    image, scores = scene(5, 7, 3, noise=20)
    parameters = CrfParameters(2, 3, 6, 13, 10, iterations, floor=0.1)
    result = dense_crf(image, scores, parameters, "exact")
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, by_hand(image, scores, parameters), atol=2e-5)


@pytest.mark.needs("crf")
@pytest.mark.parametrize("name", ALL)
def test_exact_agrees_with_pydensecrf(name: str) -> None:
    image, scores = scene(48, 64)
    exact, lattice = (dense_crf(image, scores, ALL[name], backend) for backend in ("exact", "pydensecrf"))
    assert np.abs(exact - lattice).mean() < 2e-3
    assert (exact.argmax(0) == lattice.argmax(0)).mean() > 0.995


@pytest.mark.needs("crf")
def test_messages_of_pydensecrf_have_the_size_of_the_formula() -> None:
    image, scores = scene(48, 64, noise=12)
    once = PSA_CRF._replace(iterations=1, smooth_weight=0, appearance_weight=3)
    messages = []
    for backend in ("exact", "pydensecrf"):
        message = np.log(dense_crf(image, scores, once, backend)) - np.log(scores)
        messages.append(message - message.mean(0))
    exact, lattice = messages
    assert (exact * lattice).sum() / (exact**2).sum() == pytest.approx(1, abs=0.02)
    assert (lattice - exact).std() < 0.1 * exact.std()


@pytest.mark.parametrize("name", ["psa", "resnet38"])
def test_grid_agrees_with_exact(name: str) -> None:
    image, scores = scene(32, 40, noise=8)
    exact, grid = (dense_crf(image, scores, ALL[name], backend) for backend in ("exact", "grid"))
    assert np.abs(exact - grid).mean() < 2e-3
    assert (exact.argmax(0) == grid.argmax(0)).mean() > 0.995


@pytest.mark.parametrize("name", ["psa", "resnet38"])
def test_lattice_agrees_with_exact(name: str) -> None:
    image, scores = scene(32, 40, noise=8)
    exact, lattice = (dense_crf(image, scores, ALL[name], backend) for backend in ("exact", "lattice"))
    assert np.abs(exact - lattice).mean() < 2e-3
    assert (exact.argmax(0) == lattice.argmax(0)).mean() > 0.995


@pytest.mark.needs("crf")
@pytest.mark.parametrize("name", ALL)
def test_lattice_agrees_with_pydensecrf(name: str) -> None:
    image, scores = scene(96, 128, noise=8)
    ours, theirs = (dense_crf(image, scores, ALL[name], backend) for backend in ("lattice", "pydensecrf"))
    assert np.abs(ours - theirs).mean() < 2e-3
    assert (ours.argmax(0) == theirs.argmax(0)).mean() > 0.995


def test_lattice_says_when_corners_cannot_be_numbered() -> None:
    image, scores = scene(8, 9)
    with pytest.raises(BenchmarkError, match="Take the backend 'grid'"):
        dense_crf(image, scores, PSA_CRF._replace(appearance_sxy=1e-6), "lattice")


def test_grid_filters_few_labels_at_once_where_memory_is_short(monkeypatch: pytest.MonkeyPatch) -> None:
    image, scores = scene(12, 16)
    whole = dense_crf(image, scores, PSA_CRF, "grid")
    monkeypatch.setattr(crf, "GRID_NUMBERS", 1)
    np.testing.assert_allclose(dense_crf(image, scores, PSA_CRF, "grid"), whole, atol=1e-6)


def test_edges_of_the_image_hold_labels_apart() -> None:
    image = np.zeros((8, 8, 3), np.uint8)
    image[:, 4:] = 200
    scores = np.full((2, 8, 8), 0.5, np.float32)
    scores[:, 2, 0], scores[:, 5, 7] = (0.9, 0.1), (0.1, 0.9)
    result = dense_crf(image, scores, CrfParameters(1, 0.1, 50, 5, 10, 10), "exact").argmax(0)
    assert (result[:, :4] == 0).all()
    assert (result[:, 4:] == 1).all()


@BACKENDS
def test_one_label_and_nothing_at_all(backend: CrfBackend) -> None:
    image = np.zeros((4, 5, 3), np.uint8)
    assert (dense_crf(image, np.full((1, 4, 5), 0.2, np.float32), PSA_CRF, backend) == 1).all()
    assert dense_crf(image, np.zeros((0, 4, 5), np.float32), PSA_CRF, backend).shape == (0, 4, 5)
    assert dense_crf(image[:0], np.zeros((3, 0, 5), np.float32), PSA_CRF, backend).shape == (3, 0, 5)


@BACKENDS
def test_an_image_may_be_one_that_cannot_be_changed(backend: CrfBackend) -> None:
    image, scores = scene(8, 9)
    expected = dense_crf(image, scores, PSA_CRF, backend)
    image.flags.writeable = False  # as a resized one is
    np.testing.assert_array_equal(dense_crf(image, scores, PSA_CRF, backend), expected)


def test_auto_takes_what_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crf, "_pydensecrf", object)
    assert resolved_backend("auto", 8, 8) == "pydensecrf"
    monkeypatch.setattr(crf, "_pydensecrf", lambda: None)
    assert resolved_backend("auto", 96, 125) == "exact"
    assert resolved_backend("auto", 96, 126) == resolved_backend("torch", 96, 126) == "grid"
    with pytest.raises(BenchmarkError, match="pip install pydensecrf2"):
        resolved_backend("pydensecrf", 8, 8)


def test_errors_say_what_is_wrong() -> None:
    image, scores = scene(8, 8)
    with pytest.raises(BenchmarkError, match="Did you mean 'exact'"):
        dense_crf(image, scores, PSA_CRF, "exakt")  # type: ignore[arg-type]
    with pytest.raises(BenchmarkError, match=r"at most 12000 pixels; this one has 200 x 200"):
        resolved_backend("exact", 200, 200)
    with pytest.raises(ValueError, match="uint8"):
        dense_crf(image.astype(np.float32), scores, PSA_CRF)
    with pytest.raises(ValueError, match="do not fit"):
        dense_crf(image, scores[:, :7], PSA_CRF)
    with pytest.raises(ValueError, match="NaN"):
        dense_crf(image, np.full_like(scores, np.nan), PSA_CRF)


def test_label_scores_of_irn() -> None:
    labels = np.array([[0, 2, 255]], np.uint8)
    expected = [[0.7, 0.15, 1 / 3], [0.15, 0.15, 1 / 3], [0.15, 0.7, 1 / 3]]
    np.testing.assert_allclose(label_scores(labels, 3)[:, 0], expected, rtol=1e-6)
    assert (label_scores(np.array([[0, 255]]), 1) == 1).all()
    with pytest.raises(ValueError, match=r"labels \[3\] are outside 0..2"):
        label_scores(np.array([[3]]), 3)


def test_label_crf_removes_a_speck() -> None:
    image, scores = scene(16, 16, count=2)
    clean = label_crf(image, scores.argmax(0), 2, backend="exact")
    assert len(np.unique(clean)) == 2
    speck = clean.copy()
    row, column = np.argwhere(clean == 0)[0]
    speck[row, column] = 1
    assert np.array_equal(label_crf(image, speck, 2, backend="exact"), clean)


def test_scaled_parameters_scale_distances_only() -> None:
    assert PSA_CRF.scaled(0.5) == (1.5, 3, 40, 13, 10, 10, 1e-5)
