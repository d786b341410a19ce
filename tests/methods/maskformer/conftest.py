"""Golden inputs and outputs of the released code."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from methods.maskformer.matching import Target
from tests.methods.maskformer.cases import target_of

Golden = dict[str, Tensor]


@pytest.fixture(scope="session")
def golden(shared: Path) -> Golden:
    with np.load(shared / "goldens" / "simformer.npz") as file:
        return {name: torch.from_numpy(np.asarray(file[name])) for name in file.files}


@pytest.fixture(scope="session")
def golden_targets(golden: Golden) -> list[Target]:
    return [target_of(labels, range(12), range(8, 12)) for labels in golden["label_map"]]
