import os
import struct
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from benchmark.datasets import load_dataset
from benchmark.datasets.catalog import describe, layout_of
from benchmark.datasets.image_files import decoded, mask_values, photograph
from benchmark.datasets.preparation import verify
from benchmark.errors import BenchmarkError
from benchmark.plan import build_plan

IDS = np.array([[0, 1, 2], [3, 1, 0]], np.uint8)
Write = Callable[..., Path]


def saved(picture: Image.Image, kind: str, **options: Any) -> bytes:
    stream = BytesIO()
    picture.save(stream, kind, **options)
    return stream.getvalue()


def grey_png(depth: int, row: bytes, width: int) -> bytes:
    """Return a PNG of one row of grey values with so many bits each."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, 1, depth, 0, 0, 0, 0)
    chunks = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" + row)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def ids(content: bytes, suffix: str = ".png") -> list[list[int]]:
    values: list[list[int]] = decoded(content, "m", lambda picture: mask_values(picture, "m", suffix)).tolist()
    return values


def pixels(content: bytes, suffix: str = ".png") -> np.ndarray:
    return decoded(content, "p", lambda picture: photograph(picture, "p", suffix))


def test_ids_come_out_as_they_were_saved() -> None:
    mask, palette = Image.fromarray(IDS), Image.fromarray(IDS).copy()
    palette.putpalette(list(range(256)) * 3)
    for content, suffix in (
        (saved(mask, "PNG"), ".png"),
        (saved(mask, "BMP"), ".BMP"),
        (saved(mask, "TIFF", compression="tiff_lzw"), ".tif"),
        (saved(palette, "PNG", bits=2), ".PNG"),
        (saved(Image.fromarray(IDS.astype(np.uint16)), "PNG"), ".png"),
    ):
        assert ids(content, suffix) == IDS.tolist()


def test_ids_of_few_bits_are_not_spread_over_all_greys() -> None:
    assert ids(grey_png(1, bytes([0b01010000]), 4)) == [[0, 1, 0, 1]]
    assert ids(grey_png(2, bytes([0b00011011]), 4)) == [[0, 1, 2, 3]]
    assert ids(grey_png(4, bytes([0x01, 0x2F]), 4)) == [[0, 1, 2, 15]]
    assert ids(grey_png(16, struct.pack(">HHH", 0, 7, 65535), 3)) == [[0, 7, 65535]]


@pytest.mark.parametrize(
    ("content", "suffix", "message"),
    [
        (saved(Image.fromarray(IDS), "JPEG"), ".jpg", "is a JPEG; class ids survive only in a lossless file"),
        (saved(Image.fromarray(IDS), "JPEG"), ".png", "is a JPEG; class ids survive"),
        (saved(Image.fromarray(IDS), "WEBP"), ".webp", "is a WEBP; class ids survive"),
        (saved(Image.fromarray(IDS), "TIFF", compression="jpeg"), ".tif", "is a TIFF; class ids survive"),
        (saved(Image.fromarray(IDS), "BMP"), ".png", r"is a BMP, not what \.png says"),
        (saved(Image.fromarray(IDS).convert("RGB"), "PNG"), ".png", "of mode RGB"),
        (saved(Image.fromarray(IDS).convert("LA"), "PNG"), ".png", "of mode LA"),
        (b"\x89PNG", ".png", "cannot be decoded"),
    ],
)
def test_masks_that_lose_ids_are_refused(content: bytes, suffix: str, message: str) -> None:
    with pytest.raises(BenchmarkError, match=rf"^m: .*{message}"):
        ids(content, suffix)


def test_photographs_become_rgb() -> None:
    grey, colours = Image.fromarray(IDS), Image.fromarray(np.stack([IDS, IDS + 1, IDS + 2], axis=-1))
    opaque = colours.convert("RGBA")
    expected = np.asarray(colours)
    assert (pixels(saved(colours, "PNG")) == expected).all()
    assert (pixels(saved(opaque, "PNG")) == expected).all()
    assert (pixels(saved(colours.quantize(16), "PNG")) == expected).all()
    assert (pixels(saved(grey, "PNG")) == IDS[..., None]).all()


@pytest.mark.parametrize(
    ("picture", "kind", "message"),
    [
        (Image.fromarray(IDS.astype(np.uint16) * 257), "PNG", "16 bits a pixel"),
        (Image.fromarray(IDS.astype(np.float32)), "TIFF", "of mode F"),
        (Image.new("RGBA", (3, 2), (1, 2, 3, 0)), "PNG", "transparent pixels"),
        (Image.fromarray(IDS), "JPEG", "is a JPEG, not what"),
    ],
)
def test_photographs_that_would_be_another_picture_are_refused(picture: Image.Image, kind: str, message: str) -> None:
    with pytest.raises(BenchmarkError, match=f"^p: .*{message}"):
        pixels(saved(picture, kind), ".tif" if kind == "TIFF" else ".png")


@pytest.mark.parametrize("name", ["/etc/passwd", "../masks/0", "a/../../b", "./0", "a//b", "C:/0", "..\\0", "a\x1b[2J"])
def test_names_in_lists_stay_in_the_folder(write_dataset: Write, name: str) -> None:
    path = write_dataset()
    path.with_name("train.txt").write_text(f"0\n{name}\n")
    with pytest.raises(BenchmarkError, match=r"train\.txt: .*is no name of an image"):
        layout_of(str(path))


@pytest.mark.parametrize("value", [-100, -1, 2, 65536])
def test_the_value_of_unlabelled_pixels_is_one_that_a_mask_can_hold(write_dataset: Write, value: int) -> None:
    with pytest.raises(BenchmarkError, match=rf"ignore: expected 3 to 65535 \(no class id\), found {value}"):
        layout_of(str(write_dataset(ignore=value)))


def test_names_in_another_case_are_found(write_dataset: Write) -> None:
    path = write_dataset()
    image = path.parent / "images" / "0.png"
    image.rename(image.with_suffix(".PNG"))
    with pytest.raises(BenchmarkError, match=r"ending in \.PNG is there: names differ in case.*image_suffix: \.PNG"):
        load_dataset(str(path))


def test_an_older_file_of_the_same_size_is_noticed(write_dataset: Write) -> None:
    path = write_dataset()
    own = path.rename(path.with_name("dataset.yaml"))
    assert verify(layout_of(str(own))).written
    before = describe(str(own)).digest
    image = own.parent / "images" / "0.png"
    content, old = image.read_bytes(), image.stat()
    image.write_bytes(bytes(reversed(content)))
    os.utime(image, ns=(old.st_atime_ns, old.st_mtime_ns))  # as `cp --preserve` does
    assert describe(str(own)).digest != before
    image.write_bytes(content)
    os.utime(image, ns=(old.st_atime_ns, old.st_mtime_ns))
    assert describe(str(own)).digest == before
    manifest = own.with_name("manifest.json")
    assert manifest.stat().st_mtime_ns > image.stat().st_mtime_ns  # vouches again, by what was read


def test_a_mended_test_image_costs_no_training(write_dataset: Write) -> None:
    path = write_dataset()

    def keys() -> dict[str, str]:
        table = path.with_name("table.yaml")
        table.write_text(
            "name: own\ntitle: One row\ncolumns: [{label: A, split: S1}]\n"
            "rows: [{label: Oracle, method: fully_oracle}]\n"
        )
        return {stage.kind: stage.key for stage in build_plan([str(table)], str(path), "smoke", (0,)).stages}

    def change(image: int) -> None:
        shown = path.parent / "images" / f"{image}.png"
        Image.fromarray(255 - np.asarray(Image.open(shown))).save(shown)

    before = keys()
    change(4)
    tested = keys()
    assert {kind for kind in before if before[kind] != tested[kind]} == {"evaluate"}
    change(0)
    trained = keys()
    assert {kind for kind in before if tested[kind] != trained[kind]} == {"pretrain", "train", "evaluate"}
