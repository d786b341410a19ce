"""Names of detectron2: its ResNet-50, and MaskFormer as its authors and SimFormer's write it, as names of our modules.

A checkpoint fits only as a whole: each of our tensors is filled once, and each of theirs is used or known to be of no
use. What weights cannot show is taken for granted: 8 heads, post-norm layers, and the backbone of torchvision, which
takes normalised RGB and has its strides in the 3x3 convolutions. The older backbone of MSRA (unscaled BGR, strides in
the 1x1 convolutions) is recognised by its Caffe2 names; inside a checkpoint of detectron2 by stored pixel statistics,
or by batch statistics that normalised pixels cannot produce. Where it leaves none of these marks it cannot be told.

The names follow descriptions of both projects and conversion tools that read the published files; no published file
was at hand to check them against.
"""

import re
from collections.abc import Iterator, Mapping
from math import isclose

import torch
from torch import Tensor, nn

from benchmark.errors import BenchmarkError
from methods.maskformer.network import PIXEL_MEAN, PIXEL_STD, MaskFormer

BLOCKS = (3, 4, 6, 3)  # of ResNet-50's stages
HEAD = "sem_seg_head.predictor."
PIXELS = "sem_seg_head.pixel_decoder."
DECODER = HEAD + "transformer.decoder"
STEM = "stem.conv1"
CAFFE2 = "conv1_w"
# Losses, SimNet and ImageNet's classifier; a count that only training reads; statistics, which are checked instead.
USELESS = re.compile(r"criterion\..*|.*\.num_batches_tracked|pixel_(mean|std)|(stem\.)?fc\.(weight|bias)")
SHOWN = 10
LARGEST_GAIN = 50.0  # variance of the stem's output over that of its input; about 1.5 at most, unscaled pixels: 3000


def network_state(where: object, tensors: Mapping[str, Tensor], network: MaskFormer) -> dict[str, Tensor]:
    """Return the state of ``network`` from a whole MaskFormer; shapes alone are asked of it.

    Raises:
        BenchmarkError: anything is missing, left over, of another shape or no number; or the backbone is another one.
    """
    tensors = _current_names(where, tensors)
    _check_pixels(where, tensors, "backbone.")
    modules = {**_backbone("backbone.", "backbone."), **dict(_heads(len(network.decoder.layers)))}
    return _filled(where, tensors, network, modules)


def backbone_state(where: object, tensors: Mapping[str, Tensor], backbone: nn.Module) -> dict[str, Tensor]:
    """Return the state of ``backbone`` from a ResNet-50 alone, under detectron2's names or torchvision's.

    Raises:
        BenchmarkError: as ``network_state``.
    """
    if CAFFE2 in tensors:
        raise BenchmarkError(
            f"{where} is a backbone of Caffe2 (its tensors have names as {CAFFE2!r}), such as MSRA's R-50.pkl: it "
            f"takes unscaled BGR and has its strides elsewhere. Take torchvision's, or R-50.pkl made from that."
        )
    theirs = any(name.startswith(STEM) for name in tensors)
    if theirs:
        _check_pixels(where, tensors, "")
    return _filled(where, tensors, backbone, _backbone("", "") if theirs else None)


def is_network(tensors: Mapping[str, Tensor]) -> bool:
    """Return whether the names are those of a MaskFormer of detectron2, with whichever backbone."""
    return any("sem_seg_head." in name for name in tensors)


def classes_of(where: object, tensors: Mapping[str, Tensor]) -> int:
    """Return how many classes a MaskFormer of detectron2 knows. Raises BenchmarkError where it has no class head."""
    for name, tensor in tensors.items():
        if name.removeprefix("module.") == HEAD + "class_embed.bias" and tensor.ndim == 1:
            return len(tensor) - 1  # the last one is "no object"
    raise BenchmarkError(f"{where} is no MaskFormer of detectron2: it has no tensor {HEAD}class_embed.bias.")


def _backbone(ours: str, theirs: str) -> dict[str, str]:
    """Return our modules of ResNet-50 -> theirs."""
    found = {f"{ours}conv1": f"{theirs}{STEM}", f"{ours}bn1": f"{theirs}{STEM}.norm"}
    for stage, blocks in enumerate(BLOCKS, 1):
        for block in range(blocks):
            here, there = f"{ours}layer{stage}.{block}", f"{theirs}res{stage + 1}.{block}"
            for conv in (1, 2, 3):
                found |= {f"{here}.conv{conv}": f"{there}.conv{conv}", f"{here}.bn{conv}": f"{there}.conv{conv}.norm"}
            if block == 0:
                found |= {
                    f"{here}.downsample.0": f"{there}.shortcut",
                    f"{here}.downsample.1": f"{there}.shortcut.norm",
                }
    return found


def _heads(layers: int) -> Iterator[tuple[str, str]]:
    """Yield our modules -> theirs. The pixel decoder's levels count from the finest, 1, to the coarsest, 4."""
    for ours, theirs in [
        ("top", "layer_4"),
        *((f"laterals.{i}", f"adapter_{3 - i}") for i in range(3)),
        *((f"smoothings.{i}", f"layer_{3 - i}") for i in range(3)),
    ]:
        yield f"pixel_decoder.{ours}.0", f"{PIXELS}{theirs}"
        yield f"pixel_decoder.{ours}.1", f"{PIXELS}{theirs}.norm"
    yield "pixel_decoder.mask_features", f"{PIXELS}mask_features"
    yield "memory_projection", f"{HEAD}input_proj"
    yield "queries", f"{HEAD}query_embed"
    for layer in range(layers):
        here, there = f"decoder.layers.{layer}", f"{DECODER}.layers.{layer}"
        for ours, theirs in [("self_attention", "self_attn"), ("cross_attention", "multihead_attn")]:
            yield f"{here}.{ours}", f"{there}.{theirs}"
            yield f"{here}.{ours}.out_proj", f"{there}.{theirs}.out_proj"
        yield f"{here}.ffn.0", f"{there}.linear1"
        yield f"{here}.ffn.3", f"{there}.linear2"
        yield from ((f"{here}.norms.{i}", f"{there}.norm{i + 1}") for i in range(3))
    yield "decoder.norm", f"{DECODER}.norm"
    yield "class_head", f"{HEAD}class_embed"
    yield from ((f"mask_head.{2 * i}", f"{HEAD}mask_embed.layers.{i}") for i in range(3))


def _current_names(where: object, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors under the names of today: without the prefix of data parallelism, the pixel decoder by name.

    MaskFormer's first files have the pixel decoder's tensors directly under the head.
    """
    found: dict[str, Tensor] = {}
    parallel = all(name.startswith("module.") for name in tensors)
    for name, tensor in tensors.items():
        today = name.removeprefix("module.") if parallel else name
        if today.startswith("sem_seg_head.") and not today.startswith((HEAD, PIXELS)):
            today = PIXELS + today.removeprefix("sem_seg_head.")
        if today in found:
            raise BenchmarkError(f"{where} has two tensors for {today}: under that name and under an older one.")
        found[today] = tensor
    return found


def _filled(
    where: object, tensors: Mapping[str, Tensor], module: nn.Module, modules: Mapping[str, str] | None
) -> dict[str, Tensor]:
    """Return the state of ``module`` as float32. ``modules``: names of ours -> theirs; ``None`` where they agree."""
    wanted = module.state_dict()
    names = {name: name if modules is None else _their_name(where, name, modules) for name in wanted}
    shapes = {names[name]: tuple(tensor.shape) for name, tensor in wanted.items()}
    missing = [f"{name} {shape}" for name, shape in shapes.items() if name not in tensors]
    surplus = [
        f"{name} {tuple(tensor.shape)}"
        for name, tensor in tensors.items()
        if name not in shapes and not USELESS.fullmatch(name)
    ]
    wrong = [
        f"{name} {tuple(tensors[name].shape)} where {shape} was expected"
        for name, shape in shapes.items()
        if name in tensors and tuple(tensors[name].shape) != shape
    ]
    unfit = [
        f"{name} {str(tensors[name].dtype).removeprefix('torch.')}"
        for name in shapes
        if name in tensors and not (tensors[name].is_floating_point() and tensors[name].isfinite().all())
    ]
    kinds = {"missing": missing, "left over": surplus, "of another shape": wrong, "not finite numbers": unfit}
    problems = [f"{kind} ({len(found)}): {_first(found)}" for kind, found in kinds.items() if found]
    if problems:
        raise BenchmarkError(f"{where} does not hold the network that was expected. " + ". ".join(problems) + ".")
    return {name: tensors[theirs].to(torch.float32).contiguous() for name, theirs in names.items()}


def _their_name(where: object, name: str, modules: Mapping[str, str]) -> str:
    owner, _, leaf = name.rpartition(".")
    if owner not in modules:
        raise BenchmarkError(
            f"{where} cannot fill this network: no checkpoint of detectron2 has its {name!r}. Choose the ResNet-50 of "
            f"the paper, as with --profile paper (maskformer.backbone=resnet50, maskformer.class_seed=0)."
        )
    return f"{modules[owner]}.{leaf}"


def _check_pixels(where: object, tensors: Mapping[str, Tensor], prefix: str) -> None:
    """Raise BenchmarkError for weights that expect other pixels than normalised RGB, as far as they show it.

    The variance of a linear filter's output is at most (sum |w|)^2 times the largest variance of its inputs, which is
    about 1 for normalised pixels, and 57^2 for those that MSRA's weights take.
    """
    for name, ours in (("pixel_mean", PIXEL_MEAN), ("pixel_std", PIXEL_STD)):
        theirs = tensors[name].flatten().tolist() if name in tensors else ours
        if len(theirs) != len(ours) or not all(isclose(a, b, rel_tol=1e-4) for a, b in zip(theirs, ours, strict=True)):
            raise BenchmarkError(
                f"{where} was trained with {name} {theirs}; here it is {list(ours)}, in RGB. "
                f"Its backbone is not torchvision's, so it would see other colours than it was trained with."
            )
    weight, variance = (tensors.get(f"{prefix}{STEM}.{leaf}") for leaf in ("weight", "norm.running_var"))
    if weight is None or variance is None or weight.ndim != 4 or variance.shape != weight.shape[:1]:
        return  # told as a wrong shape
    size = weight.double().abs().sum(dim=(1, 2, 3))
    live = size > size.max() / 100  # pruned filters have any ratio
    gain = (variance.double() / size.square())[live]
    if (gain > LARGEST_GAIN).any():
        raise BenchmarkError(
            f"{where} has a first layer whose statistics come from unscaled pixels (variance {gain.max():.0f} times "
            f"what unit inputs allow), as MSRA's ResNet-50 in BGR. Only torchvision's backbone can be used here."
        )


def _first(items: list[str]) -> str:
    more = f", and {len(items) - SHOWN} more" if len(items) > SHOWN else ""
    return ", ".join(items[:SHOWN]) + more
