"""Golden inputs and outputs of the released code."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from methods.maskformer.matching import Target
from tests.methods.maskformer.cases import target_of

Golden = dict[str, Tensor]


@pytest.fixture
def golden(released: Mapping[str, Any]) -> Golden:
    return {name: torch.from_numpy(np.asarray(value)) for name, value in released.items()}


@pytest.fixture
def golden_targets(golden: Golden) -> list[Target]:
    return [target_of(labels, range(12), range(8, 12)) for labels in golden["label_map"]]
