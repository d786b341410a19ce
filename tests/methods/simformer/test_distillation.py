from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import Tensor

from methods.simformer.distillation import (
    FUNCTIONS,
    distillation_loss,
    shared_novel,
    student_scores,
    student_similarity,
    teacher_similarity,
)
from methods.simformer.points import at_points
from methods.simformer.simnet import SimNet

SWAP = torch.tensor([1, 0])


@pytest.mark.parametrize("function", ["ce", "cce", "b0.5"])
@pytest.mark.parametrize("pairing", ["same_image", "cross_image"])
def test_golden_loss(
    released: Mapping[str, Any], golden_points: dict[str, Tensor], golden_simnet: SimNet, function: str, pairing: str
) -> None:
    loss = distillation_loss(
        golden_simnet,
        torch.from_numpy(released["feat"]),
        torch.from_numpy(released["logits"]),
        torch.from_numpy(released["pred_masks"]),
        golden_points["distill"],
        SWAP,
        torch.tensor([True, True]),
        torch.arange(8, 12),
        function=function,  # type: ignore[arg-type]
        student_pairing=pairing,  # type: ignore[arg-type]
    )
    agrees = loss.item() == pytest.approx(float(released[f"dist_{function}"]), abs=1e-5)
    assert agrees == (pairing == "same_image")  # the released student looks at one image


class Case:
    """A small random problem: four images in two pairs."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        self.simnet = SimNet(4, 4, 1)
        self.features = torch.randn(4, 4, 5, 5, requires_grad=True)
        self.classes = torch.randn(4, 6, 8, requires_grad=True)
        self.masks = torch.randn(4, 6, 5, 5, requires_grad=True)
        self.points = torch.randint(25, (4, 10))
        self.partner = torch.tensor([1, 0, 3, 2])

    def loss(self, shared: list[bool], images: slice = slice(None), **options: Any) -> Tensor:
        partner = self.partner[images] - (images.start or 0)
        return distillation_loss(
            self.simnet,
            self.features[images],
            self.classes[images],
            self.masks[images],
            self.points[images],
            partner,
            torch.tensor(shared)[images],
            torch.arange(4, 7),
            **options,
        )


def test_gradient_goes_to_the_student_alone() -> None:
    case = Case()
    case.loss([True] * 4).backward()  # type: ignore[no-untyped-call]
    assert case.features.grad is None
    assert all(p.grad is None for p in case.simnet.parameters())
    assert case.classes.grad is not None
    assert case.masks.grad is not None
    assert case.classes.grad.abs().sum() > 0
    touched = case.masks.grad.abs().sum(1).flatten(1) > 0
    assert all(
        set(t.nonzero().flatten().tolist()) <= set(p.tolist()) for t, p in zip(touched, case.points, strict=True)
    )


def test_pairs_without_shared_novel_class_count_as_zero_and_stay_out_of_the_statistics() -> None:
    case = Case()
    both = case.loss([True, True, False, False])
    alone = case.loss([True] * 4, slice(0, 2))
    assert both.item() == pytest.approx(alone.item() / 2, rel=1e-6)
    assert case.loss([True, True, False, False]) != case.loss([True] * 4)


def test_nothing_shared_is_zero_and_leaves_simnet_alone() -> None:
    case = Case()
    before = {name: value.clone() for name, value in case.simnet.state_dict().items()}
    assert case.loss([False] * 4).item() == 0
    assert all(torch.equal(value, before[name]) for name, value in case.simnet.state_dict().items())


def test_shared_novel_is_true_for_both_images_of_a_pair() -> None:
    present = torch.tensor([[1, 1, 0], [0, 1, 0], [1, 0, 0], [0, 1, 1]]).bool()
    assert shared_novel(present, torch.tensor([1, 0, 3, 2])).tolist() == [True, True, False, False]


@pytest.mark.parametrize("mode", ["train", "eval"])
def test_teacher_statistics(mode: str) -> None:
    simnet = SimNet(4, 4, 1)
    points = torch.randn(2, 10, 4)
    mean = simnet.first.norm1.running_mean
    assert mean is not None
    before = mean.clone()
    similarity = teacher_similarity(simnet, points, points[SWAP], mode)  # type: ignore[arg-type]
    assert simnet.training
    assert not similarity.requires_grad
    assert torch.equal(mean, before) == (mode == "eval")
    torch.testing.assert_close(similarity, simnet.train(mode == "train")(points, points[SWAP]).detach())


@pytest.mark.parametrize("score", ["novel_score", "full_score", "full_logit", "full_logit_c"])
def test_scores_are_those_of_the_whole_map(score: str) -> None:
    case, novel = Case(), torch.tensor([4, 6])
    logits = case.classes[..., :7]
    probabilities = case.classes.softmax(-1)[..., :7]
    classes = {
        "novel_score": probabilities[..., novel],
        "full_score": probabilities,
        "full_logit": logits,
        "full_logit_c": logits.clamp(min=0),
    }[score]
    scores = torch.einsum("bqc,bqhw->bchw", classes, case.masks.sigmoid())
    at = student_scores(case.classes, case.masks, case.points, novel, score)  # type: ignore[arg-type]
    torch.testing.assert_close(at, at_points(scores, case.points))


def test_student_similarity_is_the_positive_cosine() -> None:
    here, there = torch.randn(2, 5, 3), torch.randn(2, 5, 3)
    similarity = student_similarity(here, there)
    cosine = torch.nn.functional.cosine_similarity(here[:, :, None], there[:, None], dim=-1)
    torch.testing.assert_close(similarity, cosine.clamp(min=0))
    torch.testing.assert_close(student_similarity(here, here).diagonal(dim1=1, dim2=2), torch.ones(2, 5))


@pytest.mark.parametrize(
    ("function", "teacher", "student", "expected"),
    [
        ("ce", 1.0, 0.5, -0.99 * torch.tensor(0.5).log().item() - 0.01 * torch.tensor(0.5).log().item()),
        ("cce", 0.5, 0.3, 0.0),
        ("cce", 0.9, 1.0, -0.4 * torch.tensor(2.0).log().item()),
        ("cce", 0.1, 0.0, -0.4 * torch.tensor(2.0).log().item()),
        ("b0.5", 0.75, 0.4, -0.1),
    ],
)
def test_functions(function: str, teacher: float, student: float, expected: float) -> None:
    value = FUNCTIONS[function](torch.tensor(teacher), torch.tensor(student))  # type: ignore[index]
    assert value.item() == pytest.approx(expected, rel=1e-5, abs=1e-7)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_function_pulls_the_student_towards_the_teacher(function: str) -> None:
    for teacher, direction in ((0.9, -1), (0.1, 1)):
        student = torch.tensor(0.5, requires_grad=True)
        FUNCTIONS[function](torch.tensor(teacher), student).backward()  # type: ignore[index, no-untyped-call]
        assert student.grad is not None
        assert student.grad.sign() == direction
