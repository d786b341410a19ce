"""Settings that have to fit together: checked when a plan is made, so nothing here imports torch."""

from benchmark.errors import BenchmarkError, unknown
from methods.settings import MaskFormerSettings

STRIDES = {"resnet50": (4, 8, 16, 32), "narrow": (4, 8, 16)}  # of each backbone's maps, finest first


def check_network(settings: MaskFormerSettings) -> None:
    """Raise BenchmarkError for an unknown backbone, and where sizes do not fit each other or the backbone."""
    if settings.backbone not in STRIDES:
        raise unknown("backbone", settings.backbone, STRIDES, "maskformer.backbone")
    if settings.hidden % settings.heads or settings.hidden % 4:
        raise BenchmarkError(
            f"maskformer.hidden is {settings.hidden}: it must be a multiple of 4 (sine encoding) and of "
            f"maskformer.heads ({settings.heads})."
        )
    strides = STRIDES[settings.backbone]
    if settings.memory_stride not in strides:
        raise BenchmarkError(
            f"maskformer.memory_stride is {settings.memory_stride}: backbone {settings.backbone!r} has maps at strides "
            f"{', '.join(map(str, strides))}. Take one of them."
        )


def check_pairs(batch: int, world: int) -> None:
    """Raise BenchmarkError unless the batch divides into pairs of images for each emulated process."""
    if batch % (2 * world):
        raise BenchmarkError(
            f"training.batch = {batch} does not divide into pairs on {world} emulated processes: take a "
            f"multiple of {2 * world}."
        )


def check_points(points: int, crop: int) -> None:
    """Raise BenchmarkError where a similarity matrix needs more points than the map of a crop has pixels."""
    side = -(-crop // STRIDES["resnet50"][0])  # every backbone's finest map has stride 4
    if points > side * side:
        raise BenchmarkError(
            f"simformer.points = {points}, but the map of a crop has only {side * side} pixels ({side} x {side}). "
            f"Lower simformer.points or raise input.crop (now {crop})."
        )
