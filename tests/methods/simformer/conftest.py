"""The released code's inputs and outputs on them."""

import re
from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import Tensor

from methods.simformer.simnet import SimNet

NAMES = {
    r"^simnet\.fc_branch\.layers\.block0\.": "first.",
    r"^simnet\.fc_branch\.layers\.block1\.": "rest.0.",
    r"^simnet\.fc_branch\.layers\.block2\.": "rest.1.",
    r"^simnet\.out_head\.": "head.",
    r"layer([12])\.": r"main\1.",
    r"bn([12])\.": r"norm\1.",
    r"sqz\.": "skip.",
}


@pytest.fixture
def golden_points(released: Mapping[str, Any]) -> dict[str, Tensor]:
    """The released point lists, x and y in [-1, 1] at the pixel centres of a 16 x 16 map, as flat indices (B, J)."""
    points = {}
    for name in ("base", "distill"):
        x, y = ((torch.from_numpy(released[f"pts_{name}"]) + 1) * 7.5).round().long().unbind(-1)
        points[name] = y * 16 + x
    return points


@pytest.fixture
def golden_simnet(released: Mapping[str, Any]) -> SimNet:
    """SimNet in the state the released code had."""
    state = {}
    for name, value in released.items():
        if name.startswith("simnet."):
            mine = name
            for pattern, replacement in NAMES.items():
                mine = re.sub(pattern, replacement, mine)
            tensor = torch.from_numpy(value)
            state[mine] = tensor.flatten(1) if tensor.ndim == 4 else tensor
    net = SimNet()
    net.load_state_dict(state)
    return net
