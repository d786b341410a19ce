"""Emulated ranks: who computes them, what they share, and passes that add up to a share."""

import copy
from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from benchmark.datasets import TrainingView, load_dataset
from methods.maskformer.network import MaskFormer, build_maskformer
from methods.settings import InputSettings, MaskFormerSettings, SimFormerSettings, TrainingSettings
from methods.simformer.transfer import SimilarityTransfer
from methods.supervised import in_passes
from methods.training import distributed
from methods.training.batches import Batch, TrainingImages
from methods.training.emulated_ranks import EmulatedRanks, replicas

INPUT = InputSettings(train_short=(64,), train_longest=256, crop=64, colour_jitter=False)
NETWORK = MaskFormerSettings("narrow", 8, "", 16, 16, 2, 32, 2, queries=24, dropout=0.0, memory_stride=8)
SCHEDULE = TrainingSettings(batch=8, emulate_world_size=4)


@pytest.fixture(scope="module")
def batch() -> Batch:
    images = TrainingImages(TrainingView(load_dataset("mini"), (1, 4, 12)), INPUT, seed=5)
    return images.batch(0, images.indices(0, 8))


def small() -> MaskFormer:
    torch.manual_seed(0)
    return build_maskformer(NETWORK, 20)


def test_one_process_computes_all_ranks_and_several_share_them(batch: Batch, monkeypatch: pytest.MonkeyPatch) -> None:
    alone = EmulatedRanks(small(), SCHEDULE, seed=0)
    assert alone.slots == tuple(range(8))
    assert [number for number, _ in alone.shares(0, batch)] == [0, 1, 2, 3]
    monkeypatch.setattr(distributed, "size", lambda: 2)
    monkeypatch.setattr(distributed, "rank", lambda: 1)
    second = EmulatedRanks(small(), SCHEDULE, seed=0)
    assert second.slots == (2, 3, 6, 7)
    own = Batch(batch.images[[2, 3, 6, 7]], [batch.targets[i] for i in second.slots], batch.labels, batch.pad, [])
    seen = {number: images.images for number, images in second.shares(0, own)}
    assert list(seen) == [1, 3]
    assert torch.equal(seen[3], batch.images[6:])


def test_masks_are_the_mean_over_the_ranks(batch: Batch) -> None:
    masks = sum(int(target.has_mask.sum()) for target in batch.targets)
    assert EmulatedRanks(small(), SCHEDULE, seed=0).masks(batch) == masks / 4


def test_what_a_rank_draws_depends_on_the_rank_and_not_on_who_computes_it(batch: Batch) -> None:
    ranks = EmulatedRanks(small(), SCHEDULE, seed=0)
    torch.manual_seed(9)
    first = [torch.rand(2) for _ in ranks.shares(3, batch)]
    torch.manual_seed(9)
    drawn = [torch.rand(5)[:2] for _ in ranks.shares(3, batch)]
    assert all(torch.equal(one, other) for one, other in zip(first, drawn, strict=True))
    assert not torch.equal(first[1], first[2])
    assert not torch.equal(first[1], [torch.rand(2) for _ in ranks.shares(4, batch)][1])


def test_the_network_remembers_the_statistics_of_rank_0_alone(batch: Batch) -> None:
    model, only_first = small().train(), small().train()
    for _, share in EmulatedRanks(model, SCHEDULE, seed=0).shares(0, batch):
        model(share.images)
    only_first(batch.part(0, 2).images)
    fresh = small().state_dict()
    found = model.state_dict()
    for name, value in only_first.state_dict().items():
        assert torch.equal(value, found[name]), name
    assert not torch.equal(found["backbone.stem.1.running_mean"], fresh["backbone.stem.1.running_mean"])


def test_replicas_share_parameters_and_nothing_else() -> None:
    one = SimilarityTransfer(SimFormerSettings(simnet_hidden=4), 8, 5, (1,))
    first, second, third = replicas(one, 3)
    assert first is one
    for name, parameter in one.named_parameters():
        assert dict(second.named_parameters())[name] is parameter
        assert dict(third.named_parameters())[name] is parameter
    second.balance(torch.zeros(2, 5, 5, dtype=torch.bool))
    second.simnet.train()(torch.randn(1, 3, 8), torch.randn(1, 3, 8))
    assert not torch.equal(second.balance.counts, first.balance.counts)
    assert torch.equal(third.balance.counts, first.balance.counts)
    mean = "simnet.first.norm2.running_mean"
    assert not torch.equal(second.state_dict()[mean], first.state_dict()[mean])


def gradients(model: nn.Module, batch: Batch, schedule: TrainingSettings) -> tuple[Sequence[Tensor], dict[str, float]]:
    """Return the gradients of one rank, and its losses, added up over the passes."""
    model = copy.deepcopy(model)
    values: dict[str, float] = {}
    masks = float(sum(target.has_mask.sum() for target in batch.targets))
    for terms in in_passes(model, batch, NETWORK, schedule, masks, 0.15):  # type: ignore[arg-type]
        terms["total"].backward()  # type: ignore[no-untyped-call]
        values = {name: values.get(name, 0.0) + float(value.detach()) for name, value in terms.items()}
    return [p.grad for p in model.parameters() if p.grad is not None], values


@pytest.mark.parametrize("micro_batch", [1, 3, 4])
def test_passes_add_up_to_their_share_where_norms_are_frozen(batch: Batch, micro_batch: int) -> None:
    model = small()
    model.backbone.eval()
    expected, losses = gradients(model, batch, SCHEDULE)
    found, sums = gradients(model, batch, replace(SCHEDULE, micro_batch=micro_batch))
    assert sums == pytest.approx(losses, rel=1e-5)
    assert losses["complementary"] > 0
    for one, other in zip(expected, found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-5 * float(one.abs().max()) + 1e-7)


def test_passes_do_not_add_up_where_norms_are_trained(batch: Batch) -> None:
    expected, _ = gradients(small(), batch, SCHEDULE)
    found, _ = gradients(small(), batch, replace(SCHEDULE, micro_batch=1))
    assert any(float((one - other).norm() / one.norm()) > 0.05 for one, other in zip(expected, found, strict=True))
