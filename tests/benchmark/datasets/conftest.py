from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

NAMES = ["sky", "road", "cat"]


@pytest.fixture
def write_dataset(tmp_path: Path) -> Callable[..., Path]:
    """Write five 8 x 6 images in the common layout and return the path of the YAML; keywords change its content."""

    def write(**changes: Any) -> Path:
        rng = np.random.default_rng(0)
        for folder in ("images", "masks"):
            (tmp_path / folder).mkdir(exist_ok=True)
        for i in range(5):
            Image.fromarray(rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)).save(tmp_path / "images" / f"{i}.png")
            mask = rng.integers(0, 3, (6, 8), dtype=np.uint8)
            mask[0] = 255
            Image.fromarray(mask).save(tmp_path / "masks" / f"{i}.png")
        (tmp_path / "train.txt").write_text("0\n1\n2\n")
        (tmp_path / "test.txt").write_text("3\n4\n")
        content = {
            "name": "tiny",
            "title": "Five images",
            "classes": NAMES,
            "images": "images",
            "masks": "masks",
            "image_suffix": ".png",
            "lists": {"train": "train.txt", "test": "test.txt"},
            "splits": {"S1": ["cat"], "S2": [0, "cat"]},
        }
        path = tmp_path / "tiny.yaml"
        path.write_text(yaml.safe_dump({**content, **changes}))
        return path

    return write
