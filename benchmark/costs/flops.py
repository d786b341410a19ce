"""Counting the floating-point operations of what runs, by PyTorch's own formulas."""

from collections.abc import Mapping, Sequence
from typing import Any

from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry


class Operations(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Adds up the operations of convolutions, matrix products and attention while it is entered, on a processor.

    In place of ``torch.utils.flop_counter.FlopCounterMode``, which follows modules too and so cannot count what runs in
    inference mode. A multiplication and an addition are two operations; backward passes count as well.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.total = 0.0

    def __torch_dispatch__(
        self, func: Any, types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Run an operator and count it; one without a formula by its parts, which inference mode does not show."""
        known, named = flop_registry.get(func.overloadpacket), dict(kwargs or {})
        if known is None:
            with self:
                result = func.decompose(*args, **named)
            if result is not NotImplemented:
                return result
        result = func(*args, **named)
        if known:
            self.total += known(*args, **named, out_val=result)
        return result
