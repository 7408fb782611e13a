"""At which of a lender's gateways a borrower knocks. Pure."""


def door(gateways: int, intent: int, borrower: int, n: int, *, poll: bool, cells: bool) -> int:
    """Which of them, from 0, for the n-th attempt of its kind (0: a look before the first).

    Another one each time. Where cells are by borrower, one's own the first time; and whoever was
    not answered there asks another what became of it.
    """
    tried = max(n, 1) - 1
    if cells:
        return (borrower - 1 + tried + poll) % gateways
    return (intent + 1 + tried) % gateways
