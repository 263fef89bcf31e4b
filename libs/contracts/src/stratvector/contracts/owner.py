"""owner: the mark that a lane's new owner publishes before anything else."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Owner:
    """Who writes a lane from here on. instance : unique per start of a process; epoch : one up."""

    instance: str
    epoch: int
