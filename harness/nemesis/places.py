"""Do two faults hit places so near that a look at one may see the other? Pure."""

from harness.faults.site import SITE


def near(one: str, other: str) -> bool:
    """Of two things as faults name them, an edge, a replica, a bank, a role, a border of a site:
    is any end of theirs the same, or a replica of it? A border is near to everything."""
    if one.startswith(SITE) or other.startswith(SITE):
        return True
    return any(
        mine == theirs or _role(mine) == theirs or mine == _role(theirs)
        for mine in one.split("->")
        for theirs in other.split("->")
    )


def _role(name: str) -> str:
    """`risk` of `risk-1`; of what is no replica nothing that has a name."""
    role, dash, number = name.rpartition("-")
    return role if dash and number.isdigit() else "\0"
