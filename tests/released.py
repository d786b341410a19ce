"""What the released code of SimFormer was given and what it returned, on random inputs (``tests/goldens``)."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

FILE = Path(__file__).parent / "goldens" / "simformer.npz"
SEED = 7  # of torch, before SimNet was made: its weights are what PyTorch draws then, and 2.3 MB
BLOCKS = "simnet.fc_branch.layers"
LAYERS = (  # of SimNet, in the order in which it was made: name, outputs, inputs
    (f"{BLOCKS}.block0.layer1", 256, 512),
    (f"{BLOCKS}.block0.layer2", 256, 256),
    (f"{BLOCKS}.block0.sqz", 256, 512),
    (f"{BLOCKS}.block1.layer1", 256, 256),
    (f"{BLOCKS}.block1.layer2", 256, 256),
    (f"{BLOCKS}.block2.layer1", 256, 256),
    (f"{BLOCKS}.block2.layer2", 256, 256),
    ("simnet.out_head", 2, 256),
)


def released_arrays() -> dict[str, NDArray[Any]]:
    """Return name -> inputs, weights and outputs; ``tests/goldens/README.md`` says which is which."""
    with np.load(FILE) as file:
        return {**file, **dict(_simnet_weights())}


def _simnet_weights() -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Yield the 1x1 convolutions of SimNet, of weights (out, in, 1, 1) and biases (out,), uniform in +-1/sqrt(in).

    By NumPy, whose Mersenne twister gives the same words as PyTorch's, and in float64, rounded once: PyTorch's last bit
    depends on the processor.
    """
    words = np.random.RandomState(SEED)
    for name, outputs, inputs in LAYERS:
        bound = float(np.float32(1 / math.sqrt(inputs)))
        for part, shape in (("weight", (outputs, inputs, 1, 1)), ("bias", (outputs,))):
            unit = (words.randint(0, 1 << 32, shape, np.uint32) & 0xFFFFFF) / (1 << 24)
            yield f"{name}.{part}", (unit * (2 * bound) - bound).astype(np.float32)
