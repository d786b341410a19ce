"""COCO-Stuff-10K annotations: MATLAB files in two generations with different ids ([1.4] of methods/README.md).

v1.0: HDF5 (MATLAB 7.3), stored transposed; 1 unlabelled, 2..81 things, 82..172 stuff, so the class id is value - 2.
v1.1: MATLAB 5; 0 unlabelled, 1..91 things of which 11 never occur, 92..182 stuff; the class follows from a list.
Most values mean something in both, so a file taken for the other generation would be shifted without a sign of it. The
container decides; values, or a list of 182 names, that contradict it are an error.
"""

from io import BytesIO
from typing import Any, Literal, NamedTuple

import numpy as np

from benchmark.datasets.base import IGNORE, Mask
from benchmark.errors import BenchmarkError
from benchmark.split_files import split_file

Release = Literal["v1.0", "v1.1"]
_HDF5 = b"\x89HDF\r\n\x1a\n"
_HDF5_PLACES = (0, 512)  # MATLAB puts a block of text in front
_MATLAB5 = b"MATLAB 5.0 MAT-file"
_PICTURES = {b"\xff\xd8\xff": "a JPEG", b"\x89PNG": "a PNG"}
_LARGEST: dict[Release, int] = {"v1.0": 172, "v1.1": 182}
_CONTAINER: dict[Release, str] = {"v1.0": "an HDF5 file", "v1.1": "a MATLAB 5 file"}


class Annotation(NamedTuple):
    """Class ids or 255, (H, W), and the generation they were stored in."""

    mask: Mask
    release: Release


def read_annotation(content: bytes, where: object) -> Annotation:
    """Return the class map of a ``.mat`` file. Raises BenchmarkError naming ``where`` for anything doubtful."""
    release = generation(content, where)
    try:
        stored, names = _from_hdf5(content) if release == "v1.0" else _from_matlab5(content)
    except KeyError as error:
        raise BenchmarkError(f"{where}: has no variable S, which holds the class map. It is another file.") from error
    except Exception as error:  # both libraries raise whatever a damaged file leads them to
        if isinstance(error, BenchmarkError):
            raise
        raise BenchmarkError(f"{where}: cannot be decoded ({error}). It is damaged; fetch it again.") from error
    values = _whole_numbers(stored, where)
    _check_generation(values, names, release, where)
    return Annotation(_TABLES[release][values], release)


def generation(content: bytes, where: object) -> Release:
    """Return the generation that the container of a file belongs to."""
    if any(content[place : place + len(_HDF5)] == _HDF5 for place in _HDF5_PLACES):
        return "v1.0"
    if content.startswith(_MATLAB5):
        return "v1.1"
    found = next((kind for start, kind in _PICTURES.items() if content.startswith(start)), f"{content[:16]!r}")
    hint = " Are images and annotations swapped?" if found in _PICTURES.values() else " Fetch it again."
    raise BenchmarkError(f"{where}: neither HDF5 (v1.0) nor MATLAB 5 (v1.1); found {found}.{hint}")


def require_reader() -> None:
    """Raise BenchmarkError where HDF5 cannot be read here."""
    _h5py()


def _h5py() -> Any:
    try:
        import h5py
    except ImportError as error:
        raise BenchmarkError(
            "COCO-Stuff-10K v1.0 is stored as HDF5, and h5py is not installed. It is the extra 'data': "
            "pip install 'weak-shot-segmentation-benchmark[data]', or pip install 'h5py>=3.10'."
        ) from error
    return h5py


def _from_hdf5(content: bytes) -> tuple[np.ndarray, int]:
    """Return the values, (H, W), and how many names of classes the file lists."""
    h5py = _h5py()
    with h5py.File(BytesIO(content), "r") as file:
        return np.asarray(file["S"][()]).T, file["names"].size if "names" in file else 0


def _from_matlab5(content: bytes) -> tuple[np.ndarray, int]:
    """Return the same of the other generation."""
    from scipy.io import loadmat

    variables = loadmat(BytesIO(content), variable_names=("S", "names"))
    return np.asarray(variables["S"]), variables["names"].size if "names" in variables else 0


def _whole_numbers(values: np.ndarray, where: object) -> Mask:
    """Return (H, W) uint8."""
    if values.ndim != 2 or not values.size or not np.issubdtype(values.dtype, np.number):
        raise BenchmarkError(f"{where}: S is {values.shape} {values.dtype}; expected one number a pixel.")
    low, high = values.min(), values.max()
    if not 0 <= low <= high <= IGNORE:  # NaN is in no range
        raise BenchmarkError(f"{where}: holds ids from {low:g} to {high:g}; COCO-Stuff-10K has 0..182. {_OTHER}")
    whole: Mask = values.astype(np.uint8)
    if not np.array_equal(whole, values):
        raise BenchmarkError(f"{where}: holds fractions; ids are whole numbers. {_OTHER}")
    return whole


def _check_generation(values: Mask, names: int, release: Release, where: object) -> None:
    found = np.flatnonzero(np.bincount(values.ravel(), minlength=IGNORE + 1))
    strange = [int(value) for value in found if not _MEANINGFUL[release][value]]
    if release == "v1.0" and names == _LARGEST["v1.1"]:
        raise BenchmarkError(f"{where}: {_CONTAINER[release]}, as of v1.0, but with the 182 names of v1.1. {_MIXED}")
    if not strange:
        return
    other: Release = "v1.1" if release == "v1.0" else "v1.0"
    fits = bool(_MEANINGFUL[other][found].all())
    raise BenchmarkError(
        f"{where}: {_CONTAINER[release]}, as of {release}, but holds ids {strange[:5]}, which {release} does not have"
        + (f" and {other} has. {_MIXED}" if fits else f". {_OTHER}")
    )


def _tables() -> dict[Release, Mask]:
    """Return, for each generation, the class id or 255 of every stored value, (256,)."""
    v10 = np.full(IGNORE + 1, IGNORE, np.uint8)
    v10[2:173] = np.arange(171)
    v11 = np.full(IGNORE + 1, IGNORE, np.uint8)
    categories = split_file("coco-stuff-10k").coco_category_id
    v11[list(categories)] = np.arange(len(categories))
    return {"v1.0": v10, "v1.1": v11}


_MIXED = (
    "Somebody stored ids of one generation in the file format of the other; what they mean is not certain. "
    "Take the annotations of one published archive."
)
_OTHER = "It is no COCO-Stuff-10K annotation; fetch it again."
_TABLES = _tables()
_MEANINGFUL = {release: table != IGNORE for release, table in _TABLES.items()}  # (256,) bool
_MEANINGFUL["v1.0"][1] = _MEANINGFUL["v1.1"][0] = True  # unlabelled
