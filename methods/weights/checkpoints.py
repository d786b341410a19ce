"""Networks as safetensors files that carry their configuration."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save
from torch import Tensor, nn

from benchmark.errors import BenchmarkError
from benchmark.settings import from_json
from benchmark.stage import StageContext
from methods.largefov.network import LargeFov, LargeFovShape
from methods.maskformer.network import MaskFormer, build_maskformer
from methods.settings import MaskFormerSettings
from methods.weights.detectron2 import backbone_state
from methods.weights.given_file import check_content
from methods.weights.tensor_files import read_tensors

MODEL_FILE = "model.safetensors"
BACKBONE_FILE = "backbone.safetensors"

Network = MaskFormer | LargeFov


def save_model(path: Path, model: Network, settings: MaskFormerSettings | LargeFovShape, classes: int) -> None:
    """Write the weights with the settings that rebuild the network, under the network's name."""
    kind = "maskformer" if isinstance(settings, MaskFormerSettings) else "largefov"
    state = {name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()}
    _write(path, state, {kind: json.dumps(asdict(settings)), "classes": str(classes)})


def load_model(path: Path, device: str = "cpu", way_out: str = "") -> Network:
    """Rebuild the network of ``save_model`` in evaluation mode.

    Raises:
        BenchmarkError: a file of another kind; it ends in ``way_out``, or in that of a file of the store.
    """
    way_out = way_out or _way_out(path)
    try:
        with safe_open(path, "pt") as file:
            model = _rebuilt(file.metadata() or {})
        model.load_state_dict(load_file(path))
    except FileNotFoundError as error:
        raise BenchmarkError(f"{path}: no such checkpoint. {way_out}") from error
    except Exception as error:
        raise BenchmarkError(
            f"{path} is not a segmentation network of this benchmark ({type(error).__name__}: {error}). {way_out}"
        ) from error
    return model.to(device).eval()


def save_tensors(path: Path, state: dict[str, Tensor]) -> None:
    """Write named tensors."""
    _write(path, {name: value.detach().cpu().contiguous() for name, value in state.items()})


def load_weights(context: StageContext, backbone: nn.Module, weights: str) -> None:
    """Copy the ImageNet weights that a stage was planned for into a backbone; a file lies where a hint says.

    Raises:
        BenchmarkError: as ``load_imagenet``.
    """
    load_imagenet(backbone, context.hints.get("weights", weights), context.params.get("weights_sha256", ""))


def load_imagenet(backbone: nn.Module, weights: str, sha256: str = "") -> None:
    """Copy ImageNet weights into a ResNet-50 backbone: torchvision's by the name ``imagenet``, or those of a file.

    Args:
        backbone: changed in place.
        weights: ``imagenet``, or the path of torchvision's file or of a detectron2 pickle made from it.
        sha256: of the file when the stage was planned; empty where nothing was noted.

    Raises:
        BenchmarkError: the download fails; the file cannot be read, is another one by now, or holds another network.
    """
    try:
        backbone.load_state_dict(_downloaded() if weights == "imagenet" else _of_file(backbone, Path(weights), sha256))
    except Exception as error:
        reason = str(error) if isinstance(error, BenchmarkError) else f"{type(error).__name__}: {error}"
        raise BenchmarkError(
            f"maskformer.weights = {weights!r} cannot be loaded into the backbone: {reason} "
            f"Give the path of torchvision's resnet50-0676ba61.pth, or '' for random weights."
        ) from error


def _downloaded() -> dict[str, Tensor]:
    from torchvision.models import ResNet50_Weights

    state = ResNet50_Weights.IMAGENET1K_V1.get_state_dict(progress=False, check_hash=True)
    return {name: value for name, value in state.items() if not name.startswith("fc.")}


def _of_file(backbone: nn.Module, path: Path, sha256: str) -> dict[str, Tensor]:
    if sha256:
        check_content(path, sha256)
    return backbone_state(path, read_tensors(path).tensors, backbone)


def load_backbone(model: Network, path: Path) -> None:
    """Copy pre-trained weights into ``model.backbone``. Raises BenchmarkError for a broken file and other sizes."""
    try:
        model.backbone.load_state_dict(load_file(path))
    except (RuntimeError, OSError, SafetensorError) as error:
        raise BenchmarkError(f"{path} does not fit this backbone ({error}). {_way_out(path)}") from error


def _rebuilt(described: Mapping[str, str]) -> Network:
    """Return the network that a file's metadata describes, without its weights."""
    classes = int(described["classes"])
    if "largefov" in described:
        return LargeFov(from_json(LargeFovShape, json.loads(described["largefov"])), classes)
    return build_maskformer(from_json(MaskFormerSettings, json.loads(described["maskformer"])), classes)


def _write(path: Path, state: dict[str, Tensor], metadata: dict[str, str] | None = None) -> None:
    """Write a file from Python, whose errors say that a disk is full; safetensors raises one of its own."""
    path.write_bytes(_in_order(save(state, metadata)))


def _in_order(content: bytes) -> bytes:
    """Return a safetensors file with a sorted header: the library writes metadata in the order of a random hash."""
    end = 8 + int.from_bytes(content[:8], "little")
    header = json.dumps(json.loads(content[8:end]), sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    header += b" " * (-len(header) % 8)  # tensors start at multiples of 8, as the library has them
    return len(header).to_bytes(8, "little") + header + content[end:]


def _way_out(path: Path) -> str:
    return f"Delete the folder {path.parent} and run again."
