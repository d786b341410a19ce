"""Which pixels of a map are compared: neighbours within a radius, each pair once, and the path between them.

PSA and IRN look at the offsets (dy, dx) of a half plane, those with dy > 0 and those to the right in the same row, so
every unordered pair has one anchor (its ``first`` pixel). A pixel is the flat index y * width + x of a map.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from benchmark.errors import BenchmarkError

Border = Literal["all", "official"]


class Offset(NamedTuple):
    """A step of ``dy`` rows and ``dx`` columns."""

    dy: int
    dx: int


class Window(NamedTuple):
    """A rectangle of a map."""

    rows: slice
    columns: slice

    def of(self, maps: Tensor) -> Tensor:
        """Return the window of maps (..., H, W): a view."""
        return maps[..., self.rows, self.columns]


class Pairs(NamedTuple):
    """Pairs of pixels, (P,) int64 each: two flat indices, and the position of their offset in ``half_plane``."""

    first: Tensor
    second: Tensor
    offset: Tensor


class PathGroup(NamedTuple):
    """The pairs of a map whose paths have L pixels.

    ``pairs`` (G,) are positions among all pairs; pixel l of the path of pair g is
    first[pairs[g]] + shifts[l, kind[g]].
    """

    pairs: Tensor
    kind: Tensor  # (G,)
    shifts: Tensor  # (L, kinds)


@dataclass(frozen=True)
class PairGrid:
    """The pairs of a ``height`` x ``width`` map that are closer than ``radius`` pixels, listed offset by offset.

    ``border="official"`` takes the anchors of PSA's code: rows [0, H - (r-1)) and columns [r-1, W - (r-1)), the same
    for every offset, so that pixels at the border have fewer neighbours. ``"all"`` takes every pair inside the map,
    which is what IRN reaches at inference by padding. Anchors are in row-major order.
    """

    height: int
    width: int
    radius: int
    border: Border = "all"

    def __post_init__(self) -> None:
        if self.border not in ("all", "official"):
            raise BenchmarkError(f"border of a pair grid: expected 'all' or 'official', found {self.border!r}.")

    @property
    def size(self) -> tuple[int, int]:
        """(height, width)."""
        return self.height, self.width

    @property
    def nodes(self) -> int:
        """The number of pixels."""
        return self.height * self.width

    def windows(self) -> list[tuple[Window, Window]]:
        """Return, for every offset, where its anchors lie and where the other pixels of the pairs lie."""
        return [self._window(offset) for offset in half_plane(self.radius)]

    def _window(self, offset: Offset) -> tuple[Window, Window]:
        dy, dx = offset
        reach = self.radius - 1
        if self.border == "official":
            top, left, bottom, right = 0, reach, self.height - reach, self.width - reach
        else:
            top, left, bottom, right = 0, max(0, -dx), self.height - dy, self.width - max(0, dx)
        bottom, right = max(top, bottom), max(left, right)
        anchors = Window(slice(top, bottom), slice(left, right))
        return anchors, Window(slice(top + dy, bottom + dy), slice(left + dx, right + dx))


def grid_size(size: tuple[int, int], stride: int) -> tuple[int, int]:
    """Return the size of a map at ``stride`` of an image: (side - 1) // stride + 1, rounded up."""
    return (size[0] - 1) // stride + 1, (size[1] - 1) // stride + 1


@lru_cache(maxsize=16)
def half_plane(radius: int) -> tuple[Offset, ...]:
    """Return the offsets (0, dx), 0 < dx < r, then (dy, dx), 0 < dy < r and |dx| < r, with dy^2 + dx^2 < r^2.

    They are 12, 22, 34 and 152 for r = 3, 4, 5 and 10. Raises BenchmarkError for a radius below 2, which has none.
    """
    if radius < 2:
        raise BenchmarkError(f"a radius of at least 2 pixels was expected, found {radius}: there would be no pairs.")
    rest = [Offset(dy, dx) for dy in range(1, radius) for dx in range(1 - radius, radius)]
    return (*(Offset(0, dx) for dx in range(1, radius)), *(o for o in rest if o.dy**2 + o.dx**2 < radius**2))


def path(offset: Offset) -> tuple[Offset, ...]:
    """Return the pixels between (0, 0) and ``offset``, both included, in row-major order (IRN).

    They are the integer points (y, x) of the rectangle between the two that lie less than one pixel from the line:
    (dy x - dx y)^2 < dy^2 + dx^2. ``offset`` must have dy >= 0.
    """
    dy, dx = offset
    points = [Offset(y, x) for y in range(dy + 1) for x in range(min(0, dx), max(0, dx) + 1)]
    return tuple(p for p in points if (dy * p.dx - dx * p.dy) ** 2 < dy**2 + dx**2)


@lru_cache(maxsize=16)
def paths_by_length(radius: int) -> dict[int, tuple[int, ...]]:
    """Return which offsets of ``half_plane`` have a path of L pixels: {L: their positions}, L ascending."""
    groups: dict[int, list[int]] = {}
    for position, offset in enumerate(half_plane(radius)):
        groups.setdefault(len(path(offset)), []).append(position)
    return {length: tuple(groups[length]) for length in sorted(groups)}


@lru_cache(maxsize=8)
def pairs_of(grid: PairGrid, device: torch.device) -> Pairs:
    """Return all pairs of a grid, in the order of its windows. Shared: do not write to them."""
    with torch.inference_mode(False):
        pixel = torch.arange(grid.nodes, device=device).view(grid.size)
        windows = grid.windows()
        counts = torch.tensor([first.of(pixel).numel() for first, _ in windows], device=device)
        return Pairs(
            torch.cat([first.of(pixel).flatten() for first, _ in windows]),
            torch.cat([second.of(pixel).flatten() for _, second in windows]),
            torch.arange(len(windows), device=device).repeat_interleave(counts),
        )


@lru_cache(maxsize=8)
def path_groups(grid: PairGrid, device: torch.device) -> list[PathGroup]:
    """Return the pairs of a grid grouped by the length of their paths. Shared: do not write to them."""
    offsets = half_plane(grid.radius)
    groups = []
    with torch.inference_mode(False):
        of_pair = pairs_of(grid, device).offset
        for positions in paths_by_length(grid.radius).values():
            kind = torch.full((len(offsets),), -1, device=device)
            kind[list(positions)] = torch.arange(len(positions), device=device)
            shifts = [[y * grid.width + x for y, x in path(offsets[p])] for p in positions]  # (kinds, L)
            pairs = (kind[of_pair] >= 0).nonzero().flatten()
            groups.append(PathGroup(pairs, kind[of_pair[pairs]], torch.tensor(shifts, device=device).T.contiguous()))
    return groups


def over_pairs(maps: Tensor, grid: PairGrid) -> tuple[Tensor, Tensor]:
    """Return the values of maps (..., H, W) at the two pixels of every pair: (..., P) each.

    Raises BenchmarkError if the maps are not of the grid's size.
    """
    check_size(maps, grid)
    windows = grid.windows()
    firsts = [first.of(maps).flatten(-2) for first, _ in windows]
    seconds = [second.of(maps).flatten(-2) for _, second in windows]
    return torch.cat(firsts, -1), torch.cat(seconds, -1)


def path_maximum(maps: Tensor, grid: PairGrid) -> Tensor:
    """Return the largest value on the path of every pair: (B, H, W) -> (B, P).

    The gradient goes to that one pixel (the first in row-major order of several). Raises BenchmarkError if the maps
    are not of the grid's size.
    """
    check_size(maps, grid)
    flat = maps.flatten(1)
    chosen = _largest_on_path(flat.detach(), grid)
    return flat.gather(1, chosen)


def _largest_on_path(flat: Tensor, grid: PairGrid) -> Tensor:
    """Return the pixel of each path where ``flat`` (B, N) is largest: (B, P), one path position at a time."""
    first = pairs_of(grid, flat.device).first
    chosen = first.repeat(len(flat), 1)
    for group in path_groups(grid, flat.device):
        anchor = first[group.pairs]  # (G,)
        best = anchor + group.shifts[0, group.kind]
        value = flat[:, best]  # (B, G)
        for shift in group.shifts[1:]:
            pixel = anchor + shift[group.kind]
            here = flat[:, pixel]
            better = here > value
            best, value = torch.where(better, pixel, best), torch.where(better, here, value)
        chosen[:, group.pairs] = best
    return chosen


def check_size(maps: Tensor, grid: PairGrid) -> None:
    """Raise BenchmarkError unless maps (..., H, W) are of the grid's size."""
    if tuple(maps.shape[-2:]) != grid.size:
        found = " x ".join(str(side) for side in maps.shape[-2:])
        raise BenchmarkError(f"pairs of a {grid.height} x {grid.width} map were asked of a map of {found} pixels.")
