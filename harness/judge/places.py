"""Does a call pass the place of a fault: its edge, its replica or role, the border of its site?"""

from harness.faults.site import SITE, crosses


def touches(faulted: str, edge: str, client: str, server: str) -> bool:
    """A call between parts of the lender."""
    if faulted.startswith(SITE):
        return crosses(faulted, f"{client}->{server}")
    return faulted in (edge, f"{client}->{server}") or replica_of(server, faulted)


def reached(faulted: str, gateway: str | None) -> bool:
    """Did a borrower who asked this gateway get into it? A draw that was dropped asked none."""
    if gateway is None:
        return False
    if faulted.startswith(SITE):
        return crosses(faulted, f"borrower->{gateway}")
    return replica_of(gateway, faulted)


def replica_of(server: str, faulted: str) -> bool:
    """Is a server the faulted one, or a replica of the faulted service?"""
    return bool(server) and faulted in (server, server.rpartition("-")[0])
