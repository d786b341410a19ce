"""Sine encoding and decoder against the released code."""

import pytest
import torch
from torch import Tensor

from methods.maskformer.transformer import TransformerDecoder, sine_encoding

CPU = torch.device("cpu")
NAMES = {
    "self_attn": "self_attention",
    "multihead_attn": "cross_attention",
    "linear1": "ffn.0",
    "linear2": "ffn.3",
    "norm1": "norms.0",
    "norm2": "norms.1",
    "norm3": "norms.2",
}


def test_sine_encoding_of_the_released_code(golden: dict[str, Tensor]) -> None:
    expected = golden["pe_16_5x7"][0].flatten(1).T
    torch.testing.assert_close(sine_encoding(5, 7, 32, CPU), expected, rtol=0, atol=1e-6)


def test_states_of_the_released_decoder(golden: dict[str, Tensor]) -> None:
    decoder = TransformerDecoder(32, heads=4, ffn=64, layers=3, dropout=0.1).eval()
    state = {}
    for name, value in golden.items():
        if name.startswith("tr.decoder."):
            parts = [NAMES.get(part, part) for part in name.removeprefix("tr.decoder.").split(".")]
            state[".".join(parts)] = value
    decoder.load_state_dict(state)
    memory = golden["tr_src"].flatten(2).transpose(1, 2)
    position = golden["pe_16_5x7"][0].flatten(1).T
    with torch.no_grad():
        states = decoder(memory, position, golden["tr_query"])
    torch.testing.assert_close(states, golden["tr_hs"], rtol=0, atol=1e-5)


def test_values_carry_no_position() -> None:
    """With one memory cell attention is 1 there: a change of its position must not change anything."""
    torch.manual_seed(0)
    decoder = TransformerDecoder(8, heads=2, ffn=16, layers=2).eval()
    memory, queries = torch.randn(1, 1, 8), torch.randn(3, 8)
    with torch.no_grad():
        one, other = (decoder(memory, position, queries) for position in (torch.zeros(1, 8), torch.randn(1, 8)))
    torch.testing.assert_close(one, other)


@pytest.mark.parametrize("pre_norm", [False, True])
def test_every_layer_ends_in_the_shared_norm(pre_norm: bool) -> None:
    torch.manual_seed(0)
    decoder = TransformerDecoder(8, heads=2, ffn=16, layers=3, pre_norm=pre_norm).eval()
    with torch.no_grad():
        states = decoder(torch.randn(2, 6, 8), torch.randn(6, 8), torch.randn(4, 8))
    assert states.shape == (3, 2, 4, 8)
    torch.testing.assert_close(states.mean(-1), torch.zeros(3, 2, 4), atol=1e-5, rtol=0)


def test_pre_norm_and_post_norm_differ() -> None:
    results = []
    for pre_norm in (False, True):
        torch.manual_seed(0)
        decoder = TransformerDecoder(8, heads=2, ffn=16, layers=1, pre_norm=pre_norm).eval()
        results.append(decoder(torch.randn(1, 6, 8), torch.randn(6, 8), torch.randn(4, 8)))
    assert not torch.allclose(*results)


def test_weights_are_xavier_uniform() -> None:
    torch.manual_seed(0)
    decoder = TransformerDecoder(64, heads=4, ffn=128, layers=1)
    for parameter in decoder.parameters():
        if parameter.dim() > 1:
            bound = (6 / sum(parameter.shape)) ** 0.5
            assert 0.98 * bound < parameter.abs().max() <= bound


def test_encoding_cached_at_test_time_serves_in_training() -> None:
    sine_encoding.cache_clear()
    with torch.inference_mode():
        sine_encoding(3, 3, 8, CPU)
    weight = torch.ones(9, 8, requires_grad=True)
    (gradient,) = torch.autograd.grad((weight * sine_encoding(3, 3, 8, CPU)).sum(), weight)
    assert torch.equal(gradient, sine_encoding(3, 3, 8, CPU))
