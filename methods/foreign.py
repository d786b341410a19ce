"""Networks that were trained elsewhere: MaskFormer's published checkpoints and SimFormer's, and our own files.

A file is read without executing anything it holds. Of a checkpoint of SimFormer the segmentation network is taken;
SimNet, which only training needs, is left.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from benchmark.errors import BenchmarkError
from benchmark.files import sha256
from benchmark.program import program
from benchmark.settings import from_json
from benchmark.stage import StageContext
from methods.maskformer.backbones import ResNet50
from methods.maskformer.network import MaskFormer, build_maskformer
from methods.settings import MaskFormerSettings
from methods.weights.checkpoints import MODEL_FILE, load_model, save_model
from methods.weights.detectron2 import DECODER, HEAD, PIXELS, backbone_state, classes_of, is_network, network_state
from methods.weights.given_file import check_content
from methods.weights.tensor_files import TensorFile, read_tensors

WAY_OUT = f"`{program()} checkpoint FILE` says what a file holds."
_OURS = {"maskformer", "largefov"}  # keys of the metadata that save_model writes
NAMES = {"safetensors": "safetensors", "torch": "torch.save", "pickle": "pickle"}


def import_checkpoint(path: Path, settings: MaskFormerSettings, classes: int, dataset: str = "it") -> MaskFormer:
    """Return the MaskFormer of a file of detectron2, or of our own, in evaluation mode on the CPU.

    Args:
        path: pickle, file of ``torch.save`` or safetensors; its content tells, not its name.
        settings: the network's shape; a file of ours brings its own.
        classes: K that the file must know.
        dataset: whose classes these are, for the message.

    Raises:
        BenchmarkError: the file is broken, asks for code to be run, holds another network or other classes.
    """
    if _is_ours(path):
        return _own_model(path, classes, dataset)
    file = read_tensors(path)
    _check_classes(path, classes_of(path, file.tensors), classes, dataset)
    with torch.device("meta"):  # shapes only: every weight comes from the file
        model = build_maskformer(settings, classes)
    model.load_state_dict(network_state(path, file.tensors, model), assign=True)
    return model.eval()


def adopt(context: StageContext) -> Mapping[str, Any]:
    """Stage function: writes the network of the file that hint ``checkpoint`` names as a training would [6.5].

    Raises:
        BenchmarkError: as ``import_checkpoint``; or the file is not what it was when the stage was planned.
    """
    p = context.params
    path = Path(context.hints["checkpoint"])
    check_content(path, p["checkpoint_sha256"])
    settings = from_json(MaskFormerSettings, p["maskformer"])
    model = import_checkpoint(path, settings, p["classes"], p["dataset"]["name"])
    if _is_ours(path):  # with settings of its own
        shutil.copyfile(path, context.out / MODEL_FILE)
    else:
        save_model(context.out / MODEL_FILE, model, settings, p["classes"])
    return {"parameters": sum(parameter.numel() for parameter in model.parameters())}


def describe(path: Path) -> dict[str, Any]:
    """Return what a file of weights holds, as JSON values, and what it is good for here.

    Raises:
        BenchmarkError: it cannot be read, or asks for code to be run.
    """
    file = read_tensors(path)
    classes, fits = _use(path, file)
    return {
        "format": NAMES[file.format],
        "author": file.author,
        "bytes": path.stat().st_size,
        "sha256": sha256(path),
        "tensors": len(file.tensors),
        "numbers": sum(tensor.numel() for tensor in file.tensors.values()),
        "classes": classes,
        "fits": fits,
    }


def _use(path: Path, file: TensorFile) -> tuple[int | None, str]:
    """Return the number of classes, if any, and which network the file fits and which setting takes it."""
    try:
        if _OURS & set(file.metadata):
            model = load_model(path, way_out=WAY_OUT)
            taken = "oracle.checkpoint takes it" if isinstance(model, MaskFormer) else "no setting takes it"
            return int(file.metadata["classes"]), f"{type(model).__name__} of this benchmark; {taken}"
        if is_network(file.tensors):
            classes = classes_of(path, file.tensors)
            return classes, _fit_of_network(path, file.tensors, classes)
        with torch.device("meta"):
            backbone = ResNet50()
        backbone_state(path, file.tensors, backbone)
    except BenchmarkError as error:
        return None, f"nothing here: {error}"
    return None, "ResNet-50 without a segmentation network; maskformer.weights takes it"


def _fit_of_network(path: Path, tensors: Mapping[str, Tensor], classes: int) -> str:
    try:
        settings = shape_of(tensors)
        with torch.device("meta"):
            network_state(path, tensors, build_maskformer(settings, classes))
    except BenchmarkError as error:
        return f"nothing here: {error}"
    decoder = f"{settings.layers} decoder layers of width {settings.hidden}"
    return f"MaskFormer with ResNet-50, {settings.queries} queries, {decoder}; oracle.checkpoint takes it"


def shape_of(tensors: Mapping[str, Tensor]) -> MaskFormerSettings:
    """Return the settings that a MaskFormer of detectron2 shows by its shapes; what it does not show is the paper's."""
    sizes = {name.removeprefix("module."): tensor.shape for name, tensor in tensors.items()}
    paper = MaskFormerSettings()
    queries, hidden = _pair(sizes.get(f"{HEAD}query_embed.weight"), (paper.queries, paper.hidden))
    ffn, _ = _pair(sizes.get(f"{DECODER}.layers.0.linear1.weight"), (paper.ffn, hidden))
    mask_features = sizes.get(f"{PIXELS}mask_features.bias", sizes.get("sem_seg_head.mask_features.bias"))
    return MaskFormerSettings(
        queries=queries,
        hidden=hidden,
        ffn=ffn,
        feature_channels=mask_features[0] if mask_features else paper.feature_channels,
        layers=max(1, sum(name.startswith(DECODER) and name.endswith(".linear1.weight") for name in sizes)),
    )


def _pair(size: torch.Size | None, otherwise: tuple[int, int]) -> tuple[int, int]:
    return (size[0], size[1]) if size is not None and len(size) == 2 and all(size) else otherwise


def _is_ours(path: Path) -> bool:
    try:
        with safe_open(path, "pt") as file:
            return bool(_OURS & set(file.metadata() or {}))
    except (OSError, SafetensorError):
        return False  # the reader of foreign files says what is wrong


def _own_model(path: Path, classes: int, dataset: str) -> MaskFormer:
    model = load_model(path, way_out=WAY_OUT)
    if not isinstance(model, MaskFormer):
        raise BenchmarkError(f"{path} holds a {type(model).__name__}, where a MaskFormer was expected. {WAY_OUT}")
    _check_classes(path, model.class_head.out_features - 1, classes, dataset)
    return model


def _check_classes(path: Path, found: int, expected: int, dataset: str) -> None:
    if found != expected:
        raise BenchmarkError(
            f"{path} tells {found} classes apart, but {dataset} has {expected}. Take the checkpoint that was trained "
            f"on {dataset}, or the dataset it was trained on."
        )
