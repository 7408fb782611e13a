"""What is taken at the console until it is released, and how the primary is found."""

from typing import Protocol

from mock_lender.cluster.witness import Witness
from mock_lender.context import ServiceContext


class RefusedError(Exception):
    """It can't be done: (status, why)."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


class Hold(Protocol):
    """One thing that is held. Raises RefusedError, and what a database raises that is away."""

    async def take(self) -> dict[str, object]:
        """Begin; returns when it acts, with facts about it. Whoever raises RefusedError has left
        nothing behind; after anything else it is released."""

    async def release(self) -> None:
        """Undo it, or what has been done of it. May be called again after it has failed."""


def primary_dsn(ctx: ServiceContext) -> str:
    """Raises RefusedError while there is none."""
    port = Witness.read(ctx.witness_json).port
    if port is None:
        raise RefusedError(503, "there is no primary")
    return ctx.access.dsn(port)
