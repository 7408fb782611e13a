"""What a fault has shut within this process; everything is open unless one has."""

COLD = "cold"  # the cache of shown quotas keeps nothing
UNPUSHED = "unpushed"  # what is entered in the rule book does not come here

_shut: set[str] = set()


def shut(what: str) -> None:
    """From now on it is."""
    _shut.add(what)


def reopen(what: str) -> None:
    """From now on it is not."""
    _shut.discard(what)


def is_shut(what: str) -> bool:
    """Is it?"""
    return what in _shut
