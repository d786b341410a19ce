"""Transformer decoder: learned queries attend to one backbone map; there is no encoder [2.4]."""

import math
from functools import lru_cache

import torch
from torch import Tensor, nn

TEMPERATURE = 10_000.0


@lru_cache(maxsize=64)
def sine_encoding(height: int, width: int, dim: int, device: torch.device) -> Tensor:
    """Return the fixed encoding of a grid, (height * width, dim): dim/2 channels for y, then dim/2 for x.

    A coordinate is the 1-based index scaled to (0, 2 pi]; even channels are sines, odd ones cosines. The result is
    shared between callers: do not write to it.
    """
    with torch.inference_mode(False):  # the cache may be filled at test time and read in training
        half = torch.arange(dim // 2, device=device)
        frequency = TEMPERATURE ** (2 * half.div(2, rounding_mode="floor") / (dim // 2))  # (dim/2,)

        def encoded(size: int) -> Tensor:
            coordinate = torch.arange(1, size + 1, device=device) / (size + 1e-6) * 2 * math.pi
            angle = coordinate[:, None] / frequency  # (size, dim/2)
            return torch.stack([angle[:, 0::2].sin(), angle[:, 1::2].cos()], dim=2).flatten(1)

        y = encoded(height)[:, None].expand(height, width, -1)
        x = encoded(width)[None, :].expand(height, width, -1)
        return torch.cat([y, x], dim=2).flatten(0, 1)


class DecoderLayer(nn.Module):
    """Self-attention among the queries, cross-attention to the memory, feed-forward.

    ``pre_norm`` normalises before each sub-block; the paper's decoder does so after each residual sum.
    """

    def __init__(self, dim: int, heads: int, ffn: int, dropout: float, *, pre_norm: bool) -> None:
        super().__init__()
        self.self_attention = nn.MultiheadAttention(dim, heads, dropout, batch_first=True)
        self.cross_attention = nn.MultiheadAttention(dim, heads, dropout, batch_first=True)
        self.ffn = nn.Sequential(nn.Linear(dim, ffn), nn.ReLU(inplace=True), nn.Dropout(dropout), nn.Linear(ffn, dim))
        self.norms = nn.ModuleList(nn.LayerNorm(dim) for _ in range(3))
        self.dropout = nn.Dropout(dropout)
        self.pre_norm = pre_norm

    def forward(self, state: Tensor, query_pos: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        """Return the new state (B, Q, d) of the queries.

        Args:
            state: (B, Q, d) content of the queries.
            query_pos: (B, Q, d) learned positions, added to queries and keys but never to values.
            keys: (B, S, d) memory with its position encoding.
            values: (B, S, d) memory without.
        """
        x = self._before(0, state)
        q = x + query_pos
        state = self._after(0, state, self.self_attention(q, q, x, need_weights=False)[0])
        q = self._before(1, state) + query_pos
        state = self._after(1, state, self.cross_attention(q, keys, values, need_weights=False)[0])
        return self._after(2, state, self.ffn(self._before(2, state)))

    def _before(self, block: int, state: Tensor) -> Tensor:
        if not self.pre_norm:
            return state
        normed: Tensor = self.norms[block](state)
        return normed

    def _after(self, block: int, state: Tensor, update: Tensor) -> Tensor:
        state = state + self.dropout(update)
        if self.pre_norm:
            return state
        normed: Tensor = self.norms[block](state)
        return normed


class TransformerDecoder(nn.Module):
    """A stack of layers whose every state passes the same final norm and is returned for deep supervision."""

    def __init__(
        self, dim: int, heads: int, ffn: int, layers: int, dropout: float = 0.0, *, pre_norm: bool = False
    ) -> None:
        super().__init__()
        self.layers = nn.ModuleList(DecoderLayer(dim, heads, ffn, dropout, pre_norm=pre_norm) for _ in range(layers))
        self.norm = nn.LayerNorm(dim)
        for parameter in self.parameters():
            if parameter.dim() > 1:
                nn.init.xavier_uniform_(parameter)

    def forward(self, memory: Tensor, position: Tensor, query_pos: Tensor) -> Tensor:
        """Return the states of all layers, (L, B, Q, d).

        Args:
            memory: (B, S, d) the projected backbone map.
            position: (S, d) its sine encoding.
            query_pos: (Q, d) learned query embeddings; the content of the queries starts at zero.
        """
        query_pos = query_pos.expand(len(memory), -1, -1)  # (B, Q, d)
        keys = memory + position
        state = torch.zeros_like(query_pos)
        states = []
        for layer in self.layers:
            state = layer(state, query_pos, keys, memory)
            states.append(state)
        normed: Tensor = self.norm(torch.stack(states))
        return normed
