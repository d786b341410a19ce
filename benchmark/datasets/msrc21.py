"""MSRC-v2 with its usual 21 classes: 591 photographs of about 320 x 213 pixels, 28 % of the pixels void."""

from pathlib import Path

from benchmark.datasets.layout import Layout, read_list
from benchmark.errors import BenchmarkError
from benchmark.split_files import split_file

_FOLDERS = ("images", "annotations", "splits")


def msrc21_layout(root: Path) -> Layout:
    """Return where its files lie: ``images/*.jpg``, ``annotations/*.png`` (0..20, 255), ``splits/*.txt``.

    Training images are those of the train and the validation list, as in the usual protocol; the validation list
    alone is the part ``val``. Raises BenchmarkError where a folder, a list or a file is missing.
    """
    absent = [name for name in _FOLDERS if not (root / name).is_dir()]
    if absent:
        raise BenchmarkError(
            f"{root}: not MSRC-v2, folder {absent[0]!r} is missing. Expected images/*.jpg, annotations/*.png "
            f"and splits/train.txt, val.txt, test.txt."
        )
    train, val, test = (read_list(root / "splits" / f"{part}.txt") for part in ("train", "val", "test"))
    known = split_file("msrc21")
    return Layout(
        name="msrc21",
        title=known.title,
        classes=known.classes,
        images=root / "images",
        masks=root / "annotations",
        image_suffix=".jpg",
        mask_suffix=".png",
        parts={"train": train + val, "val": val, "test": test},
    )
