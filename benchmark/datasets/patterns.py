"""Textures and shapes of the mini world: pure drawing, one registry a kind, keyed by the name of the class.

A texture or a fill is a *field*: (S, S) floats in 0..1 that blend one colour into another. A shape is a pair of an
outline and a fill, both drawn in the shape's own coordinates.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.float64]  # (S, S), 0..1
Region = NDArray[np.bool_]  # (S, S)
Rng = np.random.Generator


class Grid(NamedTuple):
    """Pixel coordinates of a square picture.

    Attributes:
        x, y: (S, S) column and row of each pixel.
        unit: a length of one pixel at 64 x 64; everything scales with it.
    """

    x: Field
    y: Field
    unit: float

    @property
    def size(self) -> int:
        """S, the side in pixels."""
        return len(self.x)


class Frame(NamedTuple):
    """Coordinates of a shape: centred, rotated, and about -1..1 within its radius."""

    a: Field  # to the right
    b: Field  # downwards

    @property
    def radius(self) -> Field:
        """Distance from the centre."""
        return np.hypot(self.a, self.b)


class Shape(NamedTuple):
    outline: Callable[[Rng, Frame], Region]
    fill: Callable[[Rng, Frame], Field]


def grid(size: int) -> Grid:
    """Return the coordinates of a ``size x size`` picture."""
    y, x = np.mgrid[0:size, 0:size].astype(np.float64)
    return Grid(x, y, size / 64)


def frame(pixels: Grid, x: float, y: float, radius: float, angle: float) -> Frame:
    """Return the coordinates of a shape centred at (x, y), turned by ``angle`` radians."""
    a, b = _turned(pixels.x - x, pixels.y - y, angle)
    return Frame(a / radius, b / radius)


def smooth_noise(rng: Rng, size: int, cells: int) -> Field:
    """Return value noise: random heights on a ``cells x cells`` lattice, joined smoothly."""
    heights = rng.random((cells + 1, cells + 1))
    place = np.linspace(0, cells, size, endpoint=False)
    cell = place.astype(int)
    t = place - cell
    ease = t * t * (3 - 2 * t)  # (S,)
    rows = heights[cell] * (1 - ease)[:, None] + heights[cell + 1] * ease[:, None]  # (S, cells + 1)
    noise: Field = rows[:, cell] * (1 - ease) + rows[:, cell + 1] * ease
    return noise


# --- textures: stuff -------------------------------------------------------------------------------------------------


def _stripes(rng: Rng, g: Grid, direction: float) -> Field:
    angle = direction + rng.normal(0, 0.22)
    period = rng.uniform(5, 8) * g.unit
    wave = np.sin((g.x * np.sin(angle) + g.y * np.cos(angle)) * 2 * np.pi / period + rng.uniform(0, 2 * np.pi))
    return np.where(wave > rng.uniform(-0.3, 0.3), 1.0, 0.0)


def horizontal_stripes(rng: Rng, g: Grid) -> Field:
    return _stripes(rng, g, 0.0)


def vertical_stripes(rng: Rng, g: Grid) -> Field:
    return _stripes(rng, g, np.pi / 2)


def checker(rng: Rng, g: Grid) -> Field:
    a, b = _scattered(rng, g, rng.normal(0, 0.25))
    period = rng.uniform(4, 6.5) * g.unit
    return (np.floor(a / period) + np.floor(b / period)) % 2


def dots(rng: Rng, g: Grid) -> Field:
    a, b = _scattered(rng, g, rng.uniform(0, 1.5))
    period = rng.uniform(6, 9) * g.unit
    distance = np.hypot(a % period - period / 2, b % period - period / 2)
    return (distance < period * rng.uniform(0.24, 0.32)).astype(np.float64)


def clouds(rng: Rng, g: Grid) -> Field:
    return _contrast(smooth_noise(rng, g.size, int(rng.integers(3, 7))), 2.0)


def grain(rng: Rng, g: Grid) -> Field:
    """Single or doubled pixels."""
    times = 1 + int(rng.integers(2))
    fine = rng.random((-(-g.size // times),) * 2)
    return fine.repeat(times, 0).repeat(times, 1)[: g.size, : g.size]


def bricks(rng: Rng, g: Grid) -> Field:
    """The field is 1 in the joints."""
    height = rng.uniform(5, 7) * g.unit
    length = height * rng.uniform(1.8, 2.4)
    x, y = _scattered(rng, g, 0.0)
    along = x + np.floor(y / height) % 2 * length / 2  # every other row is shifted by half a brick
    joint = 1.3 * g.unit
    return ((y % height < joint) | (along % length < joint)).astype(np.float64)


def zigzag(rng: Rng, g: Grid) -> Field:
    period, width = rng.uniform(6, 8) * g.unit, rng.uniform(8, 12) * g.unit
    x, y = _scattered(rng, g, 0.0)
    teeth = np.abs(x % width - width / 2) * rng.uniform(0.7, 1.1)
    return ((y + teeth) % period < period * rng.uniform(0.4, 0.6)).astype(np.float64)


# --- outlines and fills: things --------------------------------------------------------------------------------------


def disc(rng: Rng, f: Frame) -> Region:
    return f.a**2 + (f.b / rng.uniform(0.7, 1)) ** 2 < 0.85


def square(rng: Rng, f: Frame) -> Region:
    return (np.abs(f.a) < 0.8) & (np.abs(f.b) < 0.8 * rng.uniform(0.8, 1))


def triangle(_: Rng, f: Frame) -> Region:
    return (f.b < 0.75) & (f.b > 1.785 * np.abs(f.a) - 0.95)


def ring(rng: Rng, f: Frame) -> Region:
    return (f.radius < 1) & (f.radius > rng.uniform(0.45, 0.6))


def plus(rng: Rng, f: Frame) -> Region:
    half, a, b = rng.uniform(0.26, 0.36), np.abs(f.a), np.abs(f.b)
    return ((a < half) & (b < 1)) | ((b < half) & (a < 1))


def star(_: Rng, f: Frame) -> Region:
    outer: Field = 0.72 + 0.33 * np.cos(5 * np.arctan2(f.b, f.a))
    return f.radius < outer


def crescent(_: Rng, f: Frame) -> Region:
    return (f.radius < 1) & ((f.a - 0.6) ** 2 + f.b**2 > 0.5)


def bar(rng: Rng, f: Frame) -> Region:
    return (np.abs(f.a) < 1.25) & (np.abs(f.b) < rng.uniform(0.28, 0.4))


def diamond(_: Rng, f: Frame) -> Region:
    return 1.25 * np.abs(f.a) + np.abs(f.b) < 1.05


def ell(rng: Rng, f: Frame) -> Region:
    width = rng.uniform(0.45, 0.6)
    return (np.abs(f.a) < 0.9) & (np.abs(f.b) < 0.9) & ((f.a < width - 0.9) | (f.b > 0.9 - width))


def hourglass(_: Rng, f: Frame) -> Region:
    return (np.abs(f.b) < 0.9) & (np.abs(f.a) < 0.9 * np.abs(f.b) + 0.12)


def target(_: Rng, f: Frame) -> Region:
    return f.radius < 0.95


def shaded(_: Rng, f: Frame) -> Field:
    """One colour that fades from side to side; also what a thing wears when it drops its usual fill."""
    return np.clip(0.5 + 0.35 * f.a, 0, 1)


def two_tone(rng: Rng, f: Frame) -> Field:
    return (f.b > rng.uniform(-0.2, 0.3)).astype(np.float64)


def framed(_: Rng, f: Frame) -> Field:
    return ((np.abs(f.a) < 0.45) & (np.abs(f.b) < 0.45)).astype(np.float64)


def banded(rng: Rng, f: Frame) -> Field:
    return (np.sin(f.a * rng.uniform(8, 11) + rng.uniform(0, 2 * np.pi)) > 0).astype(np.float64)


def bullseye(rng: Rng, f: Frame) -> Field:
    return (f.radius < rng.uniform(0.42, 0.58)).astype(np.float64)


# --- unlabelled clutter ----------------------------------------------------------------------------------------------


def blob(rng: Rng, f: Frame) -> Region:
    """An irregular round region that is none of the shapes."""
    angle = np.arctan2(f.b, f.a)
    waves = 0.2 * np.sin(2 * angle + rng.uniform(0, 6)) + 0.15 * np.sin(3 * angle + rng.uniform(0, 6))
    return f.radius < 0.7 + waves


def speckle(rng: Rng, g: Grid, cells: int) -> Field:
    """A noise texture that is none of the stuff: between clouds and grain."""
    return _contrast(smooth_noise(rng, g.size, cells), 1.6)


TEXTURES: dict[str, Callable[[Rng, Grid], Field]] = {
    "horizontal stripes": horizontal_stripes,
    "vertical stripes": vertical_stripes,
    "checker": checker,
    "dots": dots,
    "clouds": clouds,
    "grain": grain,
    "bricks": bricks,
    "zigzag": zigzag,
}

SHAPES: dict[str, Shape] = {
    "disc": Shape(disc, shaded),
    "square": Shape(square, framed),
    "triangle": Shape(triangle, two_tone),
    "ring": Shape(ring, shaded),
    "plus": Shape(plus, shaded),
    "star": Shape(star, two_tone),
    "crescent": Shape(crescent, shaded),
    "bar": Shape(bar, banded),
    "diamond": Shape(diamond, framed),
    "ell": Shape(ell, banded),
    "hourglass": Shape(hourglass, two_tone),
    "target": Shape(target, bullseye),
}


def _turned(x: Field, y: Field, angle: float) -> tuple[Field, Field]:
    cos, sin = np.cos(angle), np.sin(angle)
    return x * cos + y * sin, y * cos - x * sin


def _scattered(rng: Rng, g: Grid, angle: float) -> tuple[Field, Field]:
    """Return turned coordinates with a random origin, so that a pattern does not start at the corner."""
    a, b = _turned(g.x, g.y, angle)
    return a + rng.uniform(0, 50), b + rng.uniform(0, 50)


def _contrast(noise: Field, factor: float) -> Field:
    return np.clip((noise - 0.5) * factor + 0.5, 0, 1)
