"""The settings of FullyOracle. Nothing here imports torch."""

from dataclasses import dataclass


@dataclass(frozen=True)
class OracleSettings:
    """Where the network comes from."""

    checkpoint: str = ""  # path of a trained network to take over, as the paper took public ones [6.5]; "" trains it
