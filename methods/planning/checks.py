"""Settings that have to fit together: checked when a plan is made, so nothing here imports torch."""

from benchmark.errors import BenchmarkError, unknown
from methods.settings import MaskFormerSettings, TrainingSettings

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


def check_emulated_ranks(settings: TrainingSettings) -> None:
    """Raise BenchmarkError unless the batch divides equally among the emulated ranks."""
    if settings.batch % settings.emulate_world_size:
        raise BenchmarkError(
            f"training.batch = {settings.batch} does not divide among {settings.emulate_world_size} emulated "
            f"processes: take a multiple of {settings.emulate_world_size}, or lower training.emulate_world_size."
        )


def check_passes(name: str, micro_batch: int, images: int, trained_norms: str) -> None:
    """Raise BenchmarkError where images are to pass in parts, but batch norms learn from all that passes at once.

    Args:
        name: dotted, of the setting.
        micro_batch: its value; 0, or as many as there are and more, is all of them.
        images: of an emulated rank, or of the batch.
        trained_norms: what has such norms, and the way out; empty for none.
    """
    if trained_norms and 0 < micro_batch < images:
        raise BenchmarkError(
            f"{name} = {micro_batch} would cut a share of {images} images, and change the result: {trained_norms}"
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
