"""RIB's fine-tuning: every image gets a classifier of its own for a few steps, whose activations add up.

Step s of image I, from the classifier's weights at s = 0 [rib B]:

    for each scale: M = class maps of I and its mirror, before ReLU; S_scale += ReLU(M) of both; logits by GNDRP
    loss = -(sum of the logits of I's tags, at the scales that count, and of the companions' tags); then one SGD step

An image depends on the seed and its id alone, not on the images before it, so that any part of a dataset can be made
anywhere and an interrupted run goes on with the images that have no file yet.
"""

import sys
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Literal, NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from benchmark.datasets.transforms import resize_image
from benchmark.errors import BenchmarkError
from benchmark.randomness import generator
from methods.maskformer.network import normalise
from methods.rib.gndrp import Companions, draw_companions, exploded, gndrp, tag_logits, target_reached
from methods.rib.settings import FinetunePart
from methods.wsss.cam import CamSums, ClassMaps, cam_path, scaled_views, summed_views, write_sums
from methods.wsss.settings import CamSettings

Stop = Literal["steps", "exploded", "target", "companions", "untagged"]


class TaggedImages(Protocol):
    """What a training view offers of its images: no masks are asked for."""

    @property
    def ids(self) -> tuple[str, ...]: ...
    def image(self, image_id: str) -> NDArray[np.uint8]: ...
    def labels(self, image_id: str) -> frozenset[int]: ...


class Finetuned(NamedTuple):
    """What the fine-tuning of one image gave.

    Attributes:
        sums: the activations, added up.
        updates: steps of the optimiser whose weights were used.
        stop: why it ended: all steps done, a test, companions used up, or an image without tags.
        sharing: companions in the pool that share a tag.
        reused: whether a companion was used more than once.
    """

    sums: CamSums
    updates: int
    stop: Stop
    sharing: int
    reused: bool


def tag_matrix(source: TaggedImages, classes: int) -> NDArray[np.bool_]:
    """Return which image has which class, (N, K)."""
    tags = np.zeros((len(source.ids), classes), np.bool_)
    for row, image_id in enumerate(source.ids):
        tags[row, sorted(source.labels(image_id))] = True
    return tags


def poly_lr(step: int, steps: int, power: float = 0.9) -> float:
    """Return lr(step) / lr(0) = (1 - step / steps)^power, set before each step; after the last it no longer changes."""
    return float((1 - min(step, steps - 1) / steps) ** power)


class Finetuner:
    """Fine-tunes one classifier for one image at a time.

    The network's weights are those it was given whenever ``run`` is not at work.
    """

    def __init__(
        self, network: ClassMaps, source: TaggedImages, settings: FinetunePart, cam: CamSettings, seed: int
    ) -> None:
        """Take a network on its device. Raises BenchmarkError where the settings do not fit it or each other."""
        _check(settings, cam, len(network.backbone.channels))
        self.network, self.source, self.settings, self.cam, self.seed = network, source, settings, cam, seed
        self.device = network.weights.device
        self.tags = tag_matrix(source, len(network.weights))
        self._tail = nn.Sequential(*network.backbone.blocks()[-settings.trained_stages :])
        network.eval().requires_grad_(False)
        self._trunk = _without_norms(self._tail)
        self._trained = [*self._trunk, network.weights]
        self._start = [p.detach().clone() for p in self._trained]

    def run(self, index: int) -> Finetuned:
        """Return the activations of image ``index``, added up over its steps."""
        keys = np.flatnonzero(self.tags[index])
        image = self.source.image(self.source.ids[index])
        if not len(keys):
            sums = CamSums(keys, (image.shape[0], image.shape[1]), self.cam.flavour, ())
            return Finetuned(sums, 0, "untagged", 0, reused=False)
        companions = self._companions(index)
        try:
            for p in self._trained:
                p.requires_grad_()
            total, updates, stop = self._steps(index, image, keys.tolist(), companions.batches)
        finally:
            self._restore()
        arrays = tuple(maps.cpu().numpy() for maps in total.values())
        sums = CamSums(keys, (image.shape[0], image.shape[1]), self.cam.flavour, arrays)
        return Finetuned(sums, updates, stop, companions.sharing, companions.reused)

    def companion_images(self, index: int, step: int, companions: Sequence[int]) -> Tensor:
        """Return the augmented companions of image ``index`` at ``step``: (B, 3, crop, crop) normalised."""
        s, own = self.settings, self.source.ids[index]
        crops = []
        for slot, companion in enumerate(companions):
            rng = generator(self.seed, "rib", own, step, slot)
            image = self.source.image(self.source.ids[companion])
            crops.append(augmented(image, rng, s.companion_long_side, s.companion_crop))
        return torch.stack(crops).to(self.device)

    def _companions(self, index: int) -> Companions:
        s = self.settings
        return draw_companions(
            self.tags,
            index,
            s.companions,
            s.steps,
            generator(self.seed, "rib companions", self.source.ids[index]),
            with_replacement=s.with_replacement,
            fewest_shared=s.fewest_shared,
        )

    def _steps(
        self, index: int, image: NDArray[np.uint8], keys: list[int], batches: NDArray[np.int64]
    ) -> tuple[dict[float, Tensor], int, Stop]:
        """Return the activations {scale: (T, h, w)}, the number of updates, and why there were no more.

        Where companions run out there are fewer steps, down to one, without update, where there are none. The update
        of the last step would change nothing that is kept; it is left out.
        """
        s = self.settings
        optimiser = self._optimiser()
        frozen = {scale: self._frozen(image, scale) for scale in self.cam.scales}
        total: dict[float, Tensor] = {}
        steps = max(1, min(s.steps, len(batches)))
        for step in range(steps):
            last = step == steps - 1
            optimiser.zero_grad(set_to_none=True)
            logits = self._views(frozen, keys, total, explodes=step > 0, learns=not last)
            if logits is None:
                return total, step, "exploded"
            if last:
                break
            tagged = torch.from_numpy(self.tags[batches[step]]).to(self.device)
            self._learn(self.network(self.companion_images(index, step, batches[step].tolist())), tagged)
            for group in optimiser.param_groups:
                group["lr"] = group["initial_lr"] * poly_lr(step, s.steps, s.poly)
            optimiser.step()
            own = self._own(index, len(logits))
            if target_reached(logits, own, s.stop_threshold, s.stop_rule):
                return total, step, "target"
        return total, steps - 1, "steps" if steps == s.steps else "companions"

    def _views(
        self, frozen: dict[float, Tensor], keys: list[int], total: dict[float, Tensor], *, explodes: bool, learns: bool
    ) -> Tensor | None:
        """Add the activations of every scale to ``total`` and gradients to the weights.

        Returns the logits (R, K) of the views that count; None where the activations have exploded at scale 1, which
        leaves out the scales after it.
        """
        s = self.settings
        rows = []
        for scale, features in frozen.items():
            pooled = learns and scale not in s.unpooled_scales
            with torch.set_grad_enabled(pooled):
                maps = self.network.read(self._tail(features))
            activation = summed_views(maps.detach()[:, keys])
            total[scale] = total[scale] + activation if scale in total else activation
            if explodes and scale == 1.0 and exploded(activation, s.explode_threshold, s.explode_area, s.explode_rule):
                return None
            if pooled:
                tagged = torch.zeros(maps.shape[:2], dtype=torch.bool, device=self.device)
                tagged[:, keys] = True
                rows.append(self._learn(maps, tagged))
        return torch.cat(rows) if rows else torch.zeros(0, len(self.network.weights), device=self.device)

    def _learn(self, maps: Tensor, tagged: Tensor) -> Tensor:
        """Add the gradient of these views' part of the loss, which frees the graph, and return the logits (B, K)."""
        s = self.settings
        logits = gndrp(maps, tagged, s.tau, max_class=s.max_class, nonpositive=s.nonpositive)
        (-tag_logits(logits, tagged)).backward()  # type: ignore[no-untyped-call]
        return logits.detach()

    def _own(self, index: int, rows: int) -> Tensor:
        return torch.from_numpy(self.tags[index]).to(self.device).expand(rows, -1)

    @torch.no_grad()
    def _frozen(self, image: NDArray[np.uint8], scale: float) -> Tensor:
        """Return what enters the trained stages; no step changes it."""
        views = scaled_views(image, scale, flip=self.cam.flip, device=self.device)
        features: Tensor = self.network.backbone(views)[-1 - self.settings.trained_stages]
        return features

    def _optimiser(self) -> torch.optim.SGD:
        s = self.settings
        groups = [
            {"params": self._trunk, "initial_lr": s.lr},
            {"params": [self.network.weights], "initial_lr": s.lr * s.classifier_multiplier},
        ]
        return torch.optim.SGD(groups, lr=s.lr, momentum=s.momentum, weight_decay=s.weight_decay)

    @torch.no_grad()
    def _restore(self) -> None:
        for p, start in zip(self._trained, self._start, strict=True):
            p.requires_grad_(False).copy_(start)
            p.grad = None


def augmented(image: NDArray[np.uint8], rng: np.random.Generator, long_side: tuple[int, int], crop: int) -> Tensor:
    """Return a companion (3, crop, crop) normalised: long side drawn, half of them mirrored, a random crop.

    What the image does not fill is zero after normalisation; the image then lies at a random place.
    """
    scale = int(rng.integers(long_side[0], long_side[1], endpoint=True)) / max(image.shape[:2])
    height, width = (max(1, round(side * scale)) for side in image.shape[:2])
    image = resize_image(image, (height, width))
    image = image[:, ::-1] if rng.random() < 0.5 else image
    (top, rows), (left, columns) = (_placed(rng, length, crop) for length in (height, width))
    result = torch.zeros(3, crop, crop)
    result[:, top, left] = normalise(torch.tensor(image[rows, columns].copy())[None])[0]
    return result


def finetune(
    finetuner: Finetuner,
    folder: Path,
    indices: Iterable[int],
    done: Callable[[], None] = lambda: None,
) -> dict[str, int]:
    """Write the activations of every image of ``indices`` that has no file yet, and return how they ended.

    Args:
        finetuner: with the images.
        folder: of the stage; the files are read by ``methods.wsss.cam.read_cam``.
        indices: all images, or the part of one worker.
        done: called after each image.

    Returns:
        Over all of ``indices``, those of earlier runs included: ``images``, ``updates``, the number of images with each
        ``stop_<reason>``, with companions that share tags (``sharing``), and with repeated companions (``reused``).
    """
    counts: Counter[str] = Counter()
    for index in indices:
        path = cam_path(folder, finetuner.source.ids[index])
        if path.exists() and not _whole(path):
            sys.stderr.write(f"{path}: the activation maps of this image are damaged; they are made again.\n")
            path.unlink()
        if not path.exists():
            r = finetuner.run(index)
            write_sums(path, r.sums, updates=r.updates, stop=r.stop, sharing=r.sharing, reused=int(r.reused))
        counts.update(_facts(path))
        done()
    return dict(counts)


def _whole(path: Path) -> bool:
    """Return whether every array of a file is as it was written, by the checksums that the file has of them."""
    try:
        with zipfile.ZipFile(path) as arrays:
            return arrays.testzip() is None
    except (OSError, ValueError, zipfile.BadZipFile, zlib.error, EOFError, RuntimeError):
        return False


def _facts(path: Path) -> dict[str, int]:
    """Return what one file adds to the counts. Raises BenchmarkError where it is damaged."""
    try:
        with path.open("rb") as stream, np.load(stream) as file:  # numpy leaves a damaged file open
            return {
                "images": 1,
                "updates": int(file["updates"]),
                f"stop_{file['stop']}": 1,
                "sharing": int(file["sharing"] > 0),
                "reused": int(file["reused"]),
            }
    except Exception as error:  # zipfile, zlib and numpy have many words for damage
        raise BenchmarkError(
            f"{path}: the activation maps of this image are damaged ({type(error).__name__}: {error}). Remove the file "
            f"and run again; the other images are kept."
        ) from error


def _without_norms(modules: nn.Module) -> list[nn.Parameter]:
    """Return the parameters outside batch norms, which are fixed."""
    norms = [m for m in modules.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    fixed = {id(p) for norm in norms for p in norm.parameters()}
    return [p for p in modules.parameters() if id(p) not in fixed]


def _placed(rng: np.random.Generator, length: int, crop: int) -> tuple[slice, slice]:
    """Return where along one axis a random part of an image goes in the crop, and which part that is."""
    start = int(rng.integers(abs(length - crop) + 1))
    if length <= crop:
        return slice(start, start + length), slice(0, length)
    return slice(0, crop), slice(start, start + crop)


def _check(s: FinetunePart, cam: CamSettings, maps: int) -> None:
    if s.steps < 1 or s.companions < 1:
        raise BenchmarkError(f"rib.steps and rib.companions must be at least 1; they are {s.steps} and {s.companions}.")
    if not 1 <= s.trained_stages < maps:
        raise BenchmarkError(
            f"rib.trained_stages is {s.trained_stages}: this backbone has {maps} stages, of which at least the first "
            f"stays as it is. Take 1 to {maps - 1}."
        )
    if len(set(cam.scales)) < len(cam.scales) or not set(cam.scales) - set(s.unpooled_scales):
        raise BenchmarkError(
            f"rib.cam_scales {cam.scales} must differ from each other, and not all be in rib.unpooled_scales "
            f"{s.unpooled_scales}, which give no logits."
        )
