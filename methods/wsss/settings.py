"""Settings that methods of weak supervision share. Nothing here imports torch."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from importlib.util import find_spec
from typing import Annotated, Any, Literal

from pydantic import Field

from benchmark.settings import not_identity, to_json
from methods.settings import Count, Natural, Positive, Weight

CrfBackend = Literal["auto", "pydensecrf", "torch", "exact", "grid", "lattice"]


@dataclass(frozen=True)
class ClassifierSettings:
    """The multi-label classifier behind class activation maps, where ``pretrain`` is off and so leaves none.

    It starts from ``maskformer.weights`` and learns from image tags with AdamW, in place of the released SGD.
    """

    iterations: Natural = 2_800  # 5 epochs of COCO-Stuff-10K
    batch: Count = 16
    lr: Positive = 1e-4
    weight_decay: Weight = 1e-4
    seconds_per_iteration: Weight = not_identity(10.0)  # CPU seconds; for estimates only


@dataclass(frozen=True)
class LabellingSettings:
    """At which size label maps are made; they are written at the size of the image."""

    short: Natural = 0  # side to which larger images are shrunk, near what networks were trained on; 0: as they are


@dataclass(frozen=True)
class CamSettings:
    """Class activation maps: the views of an image whose activations add up."""

    flavour: Literal["psa", "irn"] = "psa"  # large maps: resized to the image, or cut from the next multiple of 16
    scales: Annotated[tuple[Positive, ...], Field(min_length=1)] = (1.0, 0.5, 1.5, 2.0)
    flip: bool = True
    last_stride: Literal[1, 2] = 1  # of the backbone's last stage: IRN 1, without dilation; as it is trained 2
    seconds_per_image: Weight = not_identity(20.0)  # CPU seconds; for estimates only


def part(cls: type, settings: object) -> dict[str, Any]:
    """Return the fields that ``cls`` declares as stage parameters; ``settings`` is an instance of a subclass of it."""
    values: Mapping[str, Any] = to_json(settings)
    return {field.name: values[field.name] for field in fields(cls) if field.name in values}


def installed_backend(backend: CrfBackend, scale: float, *, runs: bool = True) -> CrfBackend:
    """Return the implementation of the CRF that ``auto`` stands for here, so that a key says what made a result.

    Args:
        backend: as it was asked for.
        scale: factor on the CRF's distances. Below one images are small, and ``torch`` visits all pairs of pixels.
        runs: whether the stage runs a CRF. Where none does, the name is ``torch`` as it always was, and keys stay.
    """
    if backend != "auto":
        return backend
    if find_spec("pydensecrf"):
        return "pydensecrf"
    return "lattice" if runs and scale >= 1 else "torch"
