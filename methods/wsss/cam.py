"""Class activation maps: where a classifier that has only seen image tags looks.

    CAM_k = sum over scales, and over the image and its mirror, of ReLU(w_k . features), divided by (its maximum + 1e-5)

for the T tags of the image. The sums at the resolution of the features are what is computed and stored; both sizes in
which later steps want them follow by bilinear resizing, which is linear [wsss 1].
"""

import os
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import Tensor, nn

from benchmark.datasets.transforms import resize_image
from benchmark.errors import BenchmarkError
from methods.maskformer.backbones import Backbone, build_backbone
from methods.maskformer.network import normalise
from methods.pretraining import CLASSIFIER_FILE
from methods.settings import MaskFormerSettings
from methods.weights.checkpoints import BACKBONE_FILE
from methods.wsss.geometry import grid_size
from methods.wsss.settings import CamSettings

Flavour = Literal["irn", "psa"]
Maps = NDArray[np.float32]
STRIDE = 4  # of the small maps


class Cam(NamedTuple):
    """The maps of one image, in [0, 1].

    Attributes:
        keys: (T,) int64 class ids, ascending.
        cam: (T, (H-1)//4+1, (W-1)//4+1) float32.
        high_res: (T, H, W) float32.
    """

    keys: NDArray[np.int64]
    cam: Maps
    high_res: Maps


class CamSums(NamedTuple):
    """The same before resizing and division.

    Attributes:
        keys: (T,) int64 class ids, ascending.
        size: height and width of the image.
        flavour: of the large maps.
        sums: a scale each, (T, h, w) float32 at the resolution of its features.
    """

    keys: NDArray[np.int64]
    size: tuple[int, int]
    flavour: Flavour
    sums: tuple[Maps, ...]

    def maps(self) -> Cam:
        """Return the maps, each divided by its own maximum + 1e-5."""
        height, width = self.size
        small = grid_size(self.size, STRIDE)
        large = self.size if self.flavour == "psa" else _times(grid_size(self.size, 16), 16)
        high_res = self._summed(large)[:, :height, :width]
        return Cam(self.keys, normalised(self._summed(small)).numpy(), normalised(high_res).numpy())

    def _summed(self, size: tuple[int, int]) -> Tensor:
        total = torch.zeros(len(self.keys), *size)
        if not len(self.keys):
            return total
        for maps in self.sums:
            resized = F.interpolate(torch.tensor(maps)[None], size=size, mode="bilinear", align_corners=False)
            total += resized[0]
        return total


class ClassMaps(nn.Module):
    """A classifier with global average pooling, read before the pooling; its bias plays no part.

    ``backbone`` loses the stride of its last stage where ``last_stride`` is 1. All norms keep their statistics: the
    network is in evaluation mode, and stays there.
    """

    def __init__(self, backbone: Backbone, weights: Tensor, last_stride: Literal[1, 2] = 1) -> None:
        """Take the (K, C) ``weights`` of the classifier. Raises ValueError where C is not that of the last stage."""
        super().__init__()
        if weights.ndim != 2 or weights.shape[1] != backbone.channels[-1]:
            raise ValueError(f"weights {tuple(weights.shape)} do not fit {backbone.channels[-1]} channels: (K, C)")
        self.backbone = backbone
        self.weights = nn.Parameter(weights.detach().clone())  # (K, C)
        if last_stride == 1:
            _without_stride(backbone.blocks()[-1])
        self.eval()

    def forward(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) -> class maps (B, K, h, w), of either sign."""
        return self.read(self.backbone(images)[-1])

    def read(self, features: Tensor) -> Tensor:
        """Return the class maps (B, K, h, w) of the last stage's features (B, C, h, w)."""
        return F.conv2d(features, self.weights[:, :, None, None])


def load_classifier(
    folder: Path, maskformer: MaskFormerSettings, last_stride: Literal[1, 2] = 1, device: str = "cpu"
) -> ClassMaps:
    """Return the network that the pre-training stage wrote into ``folder``.

    Raises:
        BenchmarkError: a file is missing or belongs to another network.
    """
    try:
        backbone = build_backbone(maskformer)
        backbone.load_state_dict(load_file(folder / BACKBONE_FILE))
        network = ClassMaps(backbone, load_file(folder / CLASSIFIER_FILE)["weight"], last_stride)
    except FileNotFoundError as error:
        raise BenchmarkError(
            f"{folder} holds no classifier of image tags, which class activation maps need ({error}). Remove the "
            f"stage's folder and run again."
        ) from error
    except Exception as error:
        raise BenchmarkError(
            f"{folder} does not hold a classifier on the backbone {maskformer.backbone!r} "
            f"({type(error).__name__}: {error}). Remove the stage's folder and run again."
        ) from error
    return network.to(device)


@torch.inference_mode()
def activation_sums(
    network: ClassMaps, image: NDArray[np.uint8], tags: Sequence[int], settings: CamSettings
) -> CamSums:
    """Return the activation of an image (H, W, 3) uint8 for its tags, summed over the flips, at each scale."""
    keys = sorted(tags)
    device = network.weights.device
    sums = []
    for scale in settings.scales if keys else ():
        maps = network(scaled_views(image, scale, flip=settings.flip, device=device))
        sums.append(summed_views(maps[:, keys]).cpu().numpy())
    return CamSums(np.array(keys, np.int64), (image.shape[0], image.shape[1]), settings.flavour, tuple(sums))


def scaled_views(image: NDArray[np.uint8], scale: float, *, flip: bool, device: torch.device) -> Tensor:
    """Return the normalised image at ``scale``, and its mirror if ``flip``: (1 or 2, 3, round(H s), round(W s))."""
    height, width = (max(1, round(side * scale)) for side in image.shape[:2])
    view = normalise(torch.tensor(resize_image(image, (height, width))).to(device)[None])
    return torch.cat([view, view.flip(-1)]) if flip else view


def summed_views(maps: Tensor) -> Tensor:
    """Return ReLU(maps[0]) + ReLU(maps[1]) mirrored back, or the first alone: (1 or 2, T, h, w) -> (T, h, w)."""
    positive = maps.relu()
    return positive[0] + positive[1].flip(-1) if len(maps) == 2 else positive[0]


def normalised(sums: Tensor) -> Tensor:
    """Return maps (T, h, w), not negative, each divided by its maximum + 1e-5."""
    return sums / (sums.flatten(1).amax(1) + 1e-5)[:, None, None]


def cam_path(folder: Path, image_id: str) -> Path:
    """Return where the activation of an image lies in a stage's folder."""
    return folder / "cams" / f"{image_id}.npz"


def write_sums(path: Path, sums: CamSums, **facts: int | str) -> None:
    """Write the sums, and facts about how they came to be, as a whole: a file under this name is complete.

    They are some fifty times smaller than the large maps, and nothing is lost.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    content: dict[str, Any] = {"keys": sums.keys, "size": sums.size, "flavour": sums.flavour, **facts}
    content |= {f"sums_{i}": maps for i, maps in enumerate(sums.sums)}
    try:
        with temporary.open("xb") as stream:
            np.savez(stream, **content)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def read_cam(path: Path) -> Cam:
    """Return the maps of a file of ``write_sums``. Raises BenchmarkError where it is missing or damaged."""
    return _read_sums(path).maps()


def _read_sums(path: Path) -> CamSums:
    try:
        with path.open("rb") as stream, np.load(stream) as file:  # numpy leaves a damaged file open
            height, width = file["size"].tolist()
            scales = sum(name.startswith("sums_") for name in file.files)
            sums = tuple(file[f"sums_{i}"] for i in range(scales))
            return CamSums(file["keys"], (height, width), str(file["flavour"]), sums)  # type: ignore[arg-type]
    except FileNotFoundError as error:
        raise BenchmarkError(
            f"{path}: no class activation maps of this image. Remove the folder of that stage and run again."
        ) from error
    except Exception as error:  # zipfile, zlib and numpy have many words for damage
        raise BenchmarkError(
            f"{path}: the class activation maps are damaged ({type(error).__name__}: {error}). Remove the folder of "
            f"that stage and run again."
        ) from error


def _without_stride(stage: nn.Module) -> None:
    """Make every strided convolution of a stage visit each pixel; its weights stay."""
    for module in stage.modules():
        if isinstance(module, nn.Conv2d):
            module.stride = (1, 1)


def _times(size: tuple[int, int], factor: int) -> tuple[int, int]:
    return size[0] * factor, size[1] * factor
