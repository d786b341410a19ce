"""How much elementwise work to do at once."""

from torch import Tensor

BLOCK = 1 << 18  # numbers; the few temporary arrays of a block stay in a CPU's cache


def rows_at_once(device_of: Tensor, row: int) -> int:
    """Return how many rows of ``row`` numbers make a block: what fits the cache of a CPU, everything on a GPU."""
    return max(1, BLOCK // row) if device_of.device.type == "cpu" else 1 << 30
