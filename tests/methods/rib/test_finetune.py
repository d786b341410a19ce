"""Fine-tuning image by image: a linear toy model step by step, what stops it, and what may not depend on what."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from benchmark.errors import BenchmarkError
from benchmark.settings import from_json, to_json
from methods.maskformer.backbones import Backbone, NarrowResNet
from methods.maskformer.network import normalise
from methods.rib.finetune import (
    Finetuned,
    Finetuner,
    augmented,
    finetune,
    poly_lr,
    tag_matrix,
)
from methods.rib.settings import FinetunePart
from methods.wsss.cam import ClassMaps, activation_sums, cam_path, read_cam, scaled_views
from methods.wsss.settings import CamSettings

CAM = CamSettings("irn", scales=(1.0, 0.5, 1.5))
SMALL = FinetunePart(
    steps=3,
    lr=1e-4,
    companions=4,
    companion_long_side=(24, 40),
    companion_crop=32,
    stop_rule="off",
    explode_rule="off",
    trained_stages=1,
)


@dataclass
class Pictures:
    """Noise with tags."""

    tags: tuple[tuple[int, ...], ...] = ((0, 1), (2,), (3,), (2, 3), (0, 2), (1,), (3, 4), ())
    size: tuple[int, int] = (24, 32)

    @property
    def ids(self) -> tuple[str, ...]:
        return tuple(f"picture {i}" for i in range(len(self.tags)))

    def image(self, image_id: str) -> NDArray[np.uint8]:
        rng = np.random.default_rng(int(image_id.split()[1]))
        return rng.integers(0, 256, (*self.size, 3)).astype(np.uint8)

    def labels(self, image_id: str) -> frozenset[int]:
        return frozenset(self.tags[int(image_id.split()[1])])


class Linear(Backbone):
    """Two 1x1 convolutions without anything between."""

    channels = (4, 6)
    strides = (4, 4)

    def __init__(self) -> None:
        super().__init__()
        self.stages = nn.ModuleList([nn.Conv2d(3, 4, 1, bias=False), nn.Conv2d(4, 6, 1, bias=False)])

    def forward(self, images: Tensor) -> list[Tensor]:
        first = self.stages[0](images[..., ::4, ::4])
        return [first, self.stages[1](first)]

    def blocks(self) -> list[nn.Module]:
        return list(self.stages)


def tuner(backbone: type[Any] = Linear, cam: CamSettings = CAM, seed: int = 0, **changes: Any) -> Finetuner:
    torch.manual_seed(0)
    built = NarrowResNet(8) if backbone is NarrowResNet else backbone()
    network = ClassMaps(built, 0.3 * torch.randn(5, built.channels[-1]))
    return Finetuner(network, Pictures(), replace(SMALL, **changes), cam, seed)


def test_two_updates_of_a_linear_model_by_hand() -> None:
    tune = tuner(momentum=0.5, weight_decay=0.1, lr=1e-2)
    result = tune.run(0)
    network, keys, s = tune.network, [0, 1], tune.settings
    first, second = (stage.weight.detach()[:, :, 0, 0].double() for stage in network.backbone.stages)  # type: ignore[union-attr]
    weights = [second.clone(), network.weights.detach().double().clone()]
    companions = tune._companions(0).batches
    image = tune.source.image(tune.source.ids[0])
    velocity = [torch.zeros_like(w) for w in weights]
    sums: dict[float, Tensor] = {}

    def class_maps(images: Tensor, w: list[Tensor]) -> Tensor:
        return torch.einsum("kd,dc,cr,brhw->bkhw", w[1], w[0], first, images[..., ::4, ::4].double())

    def pooled_tags(m: Tensor, b: int, k: int) -> Tensor:
        values = m[b, k]
        peak = values.max().detach()
        keep = values.detach() / peak < s.tau if peak > 0 else torch.ones_like(values, dtype=torch.bool)
        return (values * keep).sum() / values.numel()

    for step in range(3):
        leaves = [w.clone().requires_grad_() for w in weights]
        loss = torch.zeros((), dtype=torch.float64)
        for scale in CAM.scales:
            m = class_maps(scaled_views(image, scale, flip=True, device=torch.device("cpu")), leaves)
            seen = m.detach()[0, keys].clamp(min=0) + m.detach()[1, keys].clamp(min=0).flip(2)
            sums[scale] = sums.get(scale, 0) + seen
            if scale != 0.5:
                loss = loss - sum(pooled_tags(m, b, k) for b in range(2) for k in keys)
        m = class_maps(tune.companion_images(0, step, companions[step].tolist()), leaves)
        for b, companion in enumerate(companions[step]):
            for k in np.flatnonzero(tune.tags[companion]):
                loss = loss - pooled_tags(m, b, int(k))
        gradients = torch.autograd.grad(loss, leaves)
        factor = (1 - step / 3) ** 0.9
        for i, lr in enumerate((1e-2, 1e-1)):
            velocity[i] = 0.5 * velocity[i] + gradients[i] + 0.1 * weights[i]
            weights[i] = weights[i] - lr * factor * velocity[i]
    assert (result.updates, result.stop) == (2, "steps")
    for mine, expected in zip(result.sums.sums, sums.values(), strict=True):
        np.testing.assert_allclose(mine, expected.numpy(), rtol=1e-4, atol=1e-4)
    plain = activation_sums(network, image, keys, CAM)
    assert not np.allclose(result.sums.sums[0], 3 * plain.sums[0], rtol=1e-3)


@pytest.mark.parametrize("backbone", [Linear, NarrowResNet])
def test_every_image_starts_from_the_classifier(backbone: type[Any]) -> None:
    tune = tuner(backbone, lr=1e-2)
    before = {name: value.clone() for name, value in tune.network.state_dict().items()}
    alone = tuner(backbone, lr=1e-2).run(4)
    tune.run(0)
    for name, value in tune.network.state_dict().items():
        assert torch.equal(value, before[name]), name
    after_another = tune.run(4)
    for mine, expected in zip(after_another.sums.sums, alone.sums.sums, strict=True):
        np.testing.assert_array_equal(mine, expected)
    other_seed = tuner(backbone, lr=1e-2, seed=1).run(4)
    assert not np.array_equal(other_seed.sums.sums[0], alone.sums.sums[0])


def test_only_late_stages_and_the_classifier_learn_and_norms_do_not() -> None:
    tune = tuner(NarrowResNet)
    names = {id(p): name for name, p in tune.network.named_parameters()}
    learning = {names[id(p)] for p in tune._trained}
    assert "weights" in learning
    assert all(name.startswith("backbone.stages.2.") for name in learning - {"weights"})
    assert len(learning) == 4  # two convolutions, the shortcut, the classifier


def test_one_step_is_the_plain_activation() -> None:
    tune = tuner(NarrowResNet, steps=1)
    result = tune.run(0)
    plain = activation_sums(tune.network, tune.source.image("picture 0"), [0, 1], CAM)
    assert result.updates == 0
    for mine, expected in zip(result.sums.sums, plain.sums, strict=True):
        np.testing.assert_allclose(mine, expected, rtol=1e-5, atol=1e-5)


def test_activation_grows_where_it_was_weak() -> None:
    tune = tuner(NarrowResNet, lr=1e-3, steps=8)
    keys, image = [0, 1], tune.source.image("picture 0")
    plain = activation_sums(tune.network, image, keys, CAM).maps().cam
    assert (tune.run(0).sums.maps().cam > 0.3).mean() > (plain > 0.3).mean()


def test_explosion_keeps_scale_one_and_leaves_out_the_scales_after_it() -> None:
    changes: dict[str, Any] = {"explode_rule": "any", "explode_threshold": -1.0, "explode_area": 0.5}
    result = tuner(**changes).run(0)
    assert (result.updates, result.stop) == (1, "exploded")  # never before the first update
    both, once = tuner(steps=2).run(0).sums.sums, tuner(steps=1).run(0).sums.sums
    longer = tuner(steps=3, stop_rule="sum", stop_threshold=-1.0).run(0).sums.sums
    assert longer[0].shape == both[0].shape
    np.testing.assert_array_equal(result.sums.sums[1], once[1])
    np.testing.assert_array_equal(result.sums.sums[2], once[2])
    assert (result.sums.sums[0] >= once[0]).all()
    assert (result.sums.sums[0] > once[0]).any()


def test_target_stops_after_an_update_and_keeps_what_was_seen_before_it() -> None:
    result = tuner(stop_rule="sum", stop_threshold=-1.0).run(0)
    assert (result.updates, result.stop) == (0, "target")
    for mine, expected in zip(result.sums.sums, tuner(steps=1).run(0).sums.sums, strict=True):
        np.testing.assert_allclose(mine, expected, rtol=1e-6)


def test_literal_companions_make_fewer_steps() -> None:
    literal: dict[str, Any] = {"with_replacement": False, "fewest_shared": False}
    result = tuner(steps=10, **literal).run(0)  # of 5 companions without class 0 or 1, one batch of 4
    assert (result.updates, result.stop, result.reused) == (0, "companions", False)
    none = tuner(companions=6, **literal).run(0)
    assert (none.updates, none.stop) == (0, "companions")
    enough = tuner().run(0)
    assert (enough.updates, enough.stop, enough.reused, enough.sharing) == (2, "steps", True, 0)
    assert tuner(companions=6).run(0).sharing == 1


def test_files_are_written_once_and_counted_always(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tune, ticks = tuner(NarrowResNet), []
    first = finetune(tune, tmp_path, [0, 1], lambda: ticks.append(1))
    assert first == {"images": 2, "updates": 4, "stop_steps": 2, "sharing": 0, "reused": 2}
    stamps = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.npz")}
    assert len(stamps) == len(ticks) == 2
    run, made = tune.run, []

    def recorded(index: int) -> Finetuned:
        made.append(index)
        return run(index)

    monkeypatch.setattr(tune, "run", recorded)
    everything = finetune(tune, tmp_path, range(8))
    assert made == [2, 3, 4, 5, 6, 7]
    assert everything["images"] == 8
    assert everything["stop_untagged"] == 1
    assert all(path.stat().st_mtime_ns == stamp for path, stamp in stamps.items())
    for i, tags in enumerate(Pictures().tags):
        cam = read_cam(cam_path(tmp_path, f"picture {i}"))
        assert cam.keys.tolist() == list(tags)
        assert cam.cam.shape == (len(tags), 6, 8)
        assert cam.high_res.shape == (len(tags), 24, 32)


def test_a_damaged_file_is_named_and_made_again_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tune = tuner(NarrowResNet)
    first = finetune(tune, tmp_path, [0, 1])
    path = cam_path(tmp_path, "picture 1")
    whole = path.read_bytes()
    path.write_bytes(whole[:100])
    assert finetune(tune, tmp_path, [0, 1]) == first
    assert "picture 1.npz: the activation maps of this image are damaged" in capsys.readouterr().err
    assert path.read_bytes() == whole
    path.write_bytes(whole[:700] + bytes([whole[700] ^ 1]) + whole[701:])
    assert finetune(tune, tmp_path, [0, 1]) == first
    assert path.read_bytes() == whole


def test_poly_lr_stays_where_it_is_after_the_last_step() -> None:
    assert [poly_lr(t, 4) for t in range(6)] == [(1 - min(t, 3) / 4) ** 0.9 for t in range(6)]


def test_tag_matrix() -> None:
    tags = tag_matrix(Pictures(), 5)
    assert [tuple(np.flatnonzero(row)) for row in tags] == list(Pictures().tags)


def test_companions_are_scaled_mirrored_and_placed_at_random() -> None:
    image = np.random.default_rng(0).integers(0, 256, (10, 20, 3)).astype(np.uint8)
    seen = set()
    for seed in range(40):
        result = augmented(image, np.random.default_rng(seed), (20, 20), 16)  # cut in width, padded in height
        assert result.shape == (3, 16, 16)
        filled = (result != 0).any(0)
        rows = filled.any(1).nonzero().flatten()
        assert len(rows) == 10
        assert filled[rows].all()
        part = result[:, rows]
        whole = [normalise(torch.tensor(view.copy())[None])[0] for view in (image, image[:, ::-1])]
        where = [(m, x) for m, view in enumerate(whole) for x in range(5) if torch.equal(view[:, :, x : x + 16], part)]
        assert len(where) == 1
        seen.add((*where[0], int(rows[0])))
    assert {s[0] for s in seen} == {0, 1}
    assert {s[1] for s in seen} == set(range(5))
    assert {s[2] for s in seen} == set(range(7))
    sizes = {int((augmented(image, np.random.default_rng(i), (8, 12), 16) != 0).any(0).any(0).sum()) for i in range(60)}
    assert sizes == {8, 9, 10, 11, 12}


def test_settings_survive_json() -> None:
    for settings in (FinetunePart(), SMALL, FinetunePart(max_class=20)):
        assert from_json(FinetunePart, to_json(settings)) == settings


def test_settings_that_fit_nothing_are_refused() -> None:
    with pytest.raises(BenchmarkError, match="this backbone has 2 stages"):
        tuner(trained_stages=2)
    with pytest.raises(BenchmarkError, match="at least 1"):
        tuner(steps=0)
    with pytest.raises(BenchmarkError, match="which give no logits"):
        tuner(cam=CamSettings("irn", scales=(0.5,)))
