"""The mini world: pictures of shapes over textured backgrounds, drawn from a seed.

What makes the pictures informative was settled on a prototype by criteria that do not look at how methods rank: about
five classes an image, about 7 % void, balanced classes, and a fully supervised network far from perfect.
"""

import colorsys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmark.datasets import patterns
from benchmark.datasets.base import IGNORE, Image, Mask
from benchmark.datasets.patterns import SHAPES, TEXTURES, Field, Region, Rng

VERSION = 1  # raised by hand whenever the same parameters would draw other pictures
STUFF, THINGS = tuple(TEXTURES), tuple(SHAPES)
CLASSES = (*STUFF, *THINGS)
SCENES = 4

Colour = NDArray[np.float64]  # (3,), 0..1


@dataclass(frozen=True)
class WorldParameters:
    """Everything that decides what is drawn. Lengths are in pixels of a 64 x 64 picture."""

    seed: int = 0
    size: int = 64
    # Crowded pictures: with fewer classes an image label nearly is a mask, and every weak method looks as good.
    # Pairs of a number of classes and its probability.
    stuff_per_image: tuple[tuple[int, float], ...] = ((2, 0.6), (3, 0.4))
    things_per_image: tuple[tuple[int, float], ...] = ((1, 0.1), (2, 0.35), (3, 0.35), (4, 0.2))
    # Classes occur together, so that image labels leave open which region is which.
    cooccurrence: float = 0.75
    # Hues overlap between classes: colour alone must not decide. Standard deviations as shares of the colour circle.
    stuff_hue_spread: float = 0.10
    thing_hue_spread: float = 0.035
    # Share of things without the fill that is usual for their class: outline and fill are both only hints.
    plain_things: float = 0.1
    # A second thing of a class that is there already: masks are per class, not per instance.
    twin: float = 0.3
    # Void: without unlabelled clutter everything outside base masks is novel and the task is given away.
    clutter: float = 0.6
    unlabelled_region: float = 0.3
    radius: tuple[float, float] = (10.0, 16.0)
    tilt: float = 0.35  # radians, standard deviation
    steepest_tilt: float = 0.5  # a square on its corner would be a diamond
    noise: float = 0.03
    lighting: float = 0.25
    smallest: int = 24  # visible pixels; a smaller remainder of a class is no one's to recognise and becomes void


class Picture(NamedTuple):
    image: Image  # (S, S, 3)
    mask: Mask  # (S, S)


class Scene(NamedTuple):
    """Classes that like to occur together."""

    stuff: tuple[int, ...]
    things: tuple[int, ...]


class World:
    """Draws pictures; the hue of each class and the scenes follow from the world's seed."""

    def __init__(self, parameters: WorldParameters) -> None:
        self.parameters = parameters
        self.grid = patterns.grid(parameters.size)
        rng = np.random.default_rng([parameters.seed, 0])
        self.hues = np.concatenate([_spread_hues(rng, len(STUFF)), _spread_hues(rng, len(THINGS))])  # (K,)
        self.scenes = _scenes(rng)

    def picture(self, part: int, index: int) -> Picture:
        """Return picture ``index`` of a part: a pure function of (world seed, part, index)."""
        rng = np.random.default_rng([self.parameters.seed, 1, part, index])
        return _Painter(self, rng).paint()


class _Painter:
    """One picture in the making."""

    def __init__(self, world: World, rng: Rng) -> None:
        self.world, self.p, self.g, self.rng = world, world.parameters, world.grid, rng
        self.image = np.zeros((self.g.size, self.g.size, 3))
        self.mask = np.full((self.g.size, self.g.size), IGNORE, np.uint8)
        self.taken: list[tuple[float, float, float]] = []  # x, y, radius of what stands in the picture

    def paint(self) -> Picture:
        stuff, things = self.cast()
        self.background(stuff)
        if self.happens(self.p.unlabelled_region):
            self.unlabelled_region()
        self.foreground(things)
        self.drop_slivers()
        return Picture(self.lit(), self.mask)

    def cast(self) -> tuple[list[int], list[int]]:
        """Draw the classes of the picture: most from one scene, some from anywhere."""
        scene = self.world.scenes[int(self.rng.integers(SCENES))]
        stuff = self.choose(scene.stuff, range(len(STUFF)), self.weighted(self.p.stuff_per_image))
        things = self.choose(scene.things, range(len(STUFF), len(CLASSES)), self.weighted(self.p.things_per_image))
        return stuff, things

    def choose(self, preferred: Sequence[int], every: Sequence[int], count: int) -> list[int]:
        chosen: list[int] = []
        while len(chosen) < count:
            pool = preferred if self.happens(self.p.cooccurrence) else every
            one = pool[int(self.rng.integers(len(pool)))]
            if one not in chosen:
                chosen.append(one)
        return chosen

    def background(self, stuff: Sequence[int]) -> None:
        regions = self.horizons(len(stuff)) if self.happens(0.5) else self.cells(len(stuff))
        for index in range(int(regions.max()) + 1):
            class_id = stuff[index % len(stuff)]
            texture = TEXTURES[CLASSES[class_id]](self.rng, self.g)
            self.put(regions == index, texture, self.stuff_colours(class_id), class_id)

    def horizons(self, count: int) -> NDArray[np.intp]:
        """Return (S, S) numbers of bands from top to bottom, divided by tilted wavy lines."""
        g, rng = self.g, self.rng
        ranges = {1: (), 2: ((0.22, 0.78),), 3: ((0.22, 0.42), (0.55, 0.78))}[count]
        bands = np.zeros(g.x.shape, np.intp)
        for low, high in ranges:
            wave = 3 * g.unit * np.sin(g.x * 2 * np.pi / (rng.uniform(25, 70) * g.unit) + rng.uniform(0, 2 * np.pi))
            tilt = (g.x - g.size / 2) * rng.normal(0, 0.12)
            bands += g.y > rng.uniform(low, high) * g.size + wave + tilt
        return bands

    def cells(self, count: int) -> NDArray[np.intp]:
        """Return (S, S) numbers of the nearest of a few random points."""
        points = self.rng.random((count + int(self.rng.integers(4)), 2)) * self.g.size
        distances = [(self.g.x - x) ** 2 + (self.g.y - y) ** 2 for x, y in points]
        nearest: NDArray[np.intp] = np.argmin(np.stack(distances), axis=0)
        return nearest

    def unlabelled_region(self) -> None:
        """Cover a box with a texture that is none of the classes."""
        x, y, half_width, half_height = (self.rng.uniform(*span) * self.g.size for span in _BOX)
        box = (np.abs(self.g.x - x) < half_width) & (np.abs(self.g.y - y) < half_height)
        self.put(box, patterns.speckle(self.rng, self.g, 12), (self.any_colour(), self.any_colour()), IGNORE)

    def foreground(self, things: Sequence[int]) -> None:
        """Put things and clutter over the background in random order; later ones may cover earlier ones."""
        twins = things[:1] if self.happens(self.p.twin) else []
        clutter = [IGNORE] if self.happens(self.p.clutter) else []
        crowd = [*things, *twins, *clutter]
        for place in np.argsort(self.rng.random(len(crowd))):
            self.stand(crowd[place])

    def stand(self, class_id: int) -> None:
        frame = self.free_frame()
        if class_id == IGNORE:
            field = patterns.speckle(self.rng, self.g, 8)
            self.put(patterns.blob(self.rng, frame), field, (self.any_colour(), self.any_colour()), IGNORE)
            return
        shape = SHAPES[CLASSES[class_id]]
        fill = patterns.shaded if self.happens(self.p.plain_things) else shape.fill
        first, second = self.thing_colours(class_id)
        colours = (second, first) if self.happens(0.5) else (first, second)
        self.put(shape.outline(self.rng, frame), fill(self.rng, frame), colours, class_id)

    def free_frame(self) -> patterns.Frame:
        """Return a place that overlaps little with those taken; in a full picture the last place tried."""
        radius = self.rng.uniform(*self.p.radius) * self.g.unit
        for _ in range(12):
            x, y = self.rng.uniform(0.12, 0.88, 2) * self.g.size
            if all(np.hypot(x - u, y - v) > 0.75 * (radius + r) for u, v, r in self.taken):
                break
        self.taken.append((x, y, radius))
        tilt = np.clip(self.rng.normal(0, self.p.tilt), -self.p.steepest_tilt, self.p.steepest_tilt)
        return patterns.frame(self.g, x, y, radius, tilt)

    def put(self, region: Region, field: Field, colours: tuple[Colour, Colour], class_id: int) -> None:
        """Cover a region: ``field`` blends the first colour into the second."""
        first, second = colours
        self.image[region] = first + (second - first) * field[region][:, None]
        self.mask[region] = class_id

    def stuff_colours(self, class_id: int) -> tuple[Colour, Colour]:
        return self.colours(class_id, self.p.stuff_hue_spread, saturation=(0.15, 0.6), value=(0.4, 0.85))

    def thing_colours(self, class_id: int) -> tuple[Colour, Colour]:
        return self.colours(class_id, self.p.thing_hue_spread, saturation=(0.55, 0.95), value=(0.55, 0.95))

    def colours(
        self, class_id: int, spread: float, saturation: tuple[float, float], value: tuple[float, float]
    ) -> tuple[Colour, Colour]:
        """Return a colour of the class and a companion of nearly its hue that is clearly lighter or darker."""
        rng = self.rng
        hue, s, v = self.world.hues[class_id] + rng.normal(0, spread), rng.uniform(*saturation), rng.uniform(*value)
        step = rng.uniform(0.22, 0.42) * (1 if v < 0.65 else -1)
        other = _rgb(hue + rng.normal(0, 0.06), max(0.1, s + rng.uniform(-0.2, 0.2)), v + step)
        return _rgb(hue, s, v), other

    def any_colour(self) -> Colour:
        return _rgb(self.rng.random(), self.rng.uniform(0.1, 0.8), self.rng.uniform(0.3, 0.9))

    def drop_slivers(self) -> None:
        sizes = np.bincount(self.mask.ravel(), minlength=IGNORE + 1)
        self.mask[sizes[self.mask] < self.p.smallest * self.g.unit**2] = IGNORE

    def lit(self) -> Image:
        """Return the image under a slanting light, with sensor noise, as 8-bit values."""
        rng, g = self.rng, self.g
        slope = ((g.x - g.size / 2) * rng.normal() + (g.y - g.size / 2) * rng.normal()) / g.size
        light = (1 + self.p.lighting * slope) * rng.uniform(0.8, 1.15)
        noisy = self.image * light[..., None] + rng.normal(0, self.p.noise, self.image.shape)
        return (np.clip(noisy, 0, 1) * 255).astype(np.uint8)

    def happens(self, probability: float) -> bool:
        return bool(self.rng.random() < probability)

    def weighted(self, options: tuple[tuple[int, float], ...]) -> int:
        """Draw a number by the probabilities that go with each."""
        rest = self.rng.random()
        for number, probability in options:
            rest -= probability
            if rest < 0:
                return number
        return options[-1][0]


_BOX = ((0.0, 1.0), (0.0, 1.0), (0.15, 0.3), (0.15, 0.3))  # centre x and y, half width and height; shares of the side


def _rgb(hue: float, saturation: float, value: float) -> Colour:
    return np.array(colorsys.hsv_to_rgb(hue % 1.0, min(saturation, 1.0), min(max(value, 0.05), 1.0)))


def _shuffled(rng: Rng, count: int) -> NDArray[np.intp]:
    """Return 0..count-1 in random order, from plain uniform draws: library versions shuffle differently."""
    return np.argsort(rng.random(count))


def _spread_hues(rng: Rng, count: int) -> Field:
    """Return ``count`` hues, evenly spaced and in random order, so that neighbours on the circle overlap."""
    return _shuffled(rng, count) / count


def _scenes(rng: Rng) -> tuple[Scene, ...]:
    """Deal the classes to four scenes; each also prefers the first one or two of the next scene."""
    stuff, things = _shuffled(rng, len(STUFF)), _shuffled(rng, len(THINGS)) + len(STUFF)
    return tuple(Scene(_slice(stuff, i, 2, 1), _slice(things, i, 3, 2)) for i in range(SCENES))


def _slice(deck: NDArray[np.intp], hand: int, own: int, borrowed: int) -> tuple[int, ...]:
    places = np.arange(hand * own, (hand + 1) * own + borrowed) % len(deck)
    return tuple(deck[places].tolist())
