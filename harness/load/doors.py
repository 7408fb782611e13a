"""At which of a lender's gateways a borrower knocks. Pure."""


def door(gateways: int, intent: int, borrower: int, moved: int, *, cells: bool) -> int:
    """Which of them, from 0, for who has turned to the next one so many times with this draw or
    repayment. Where cells are by borrower, one's own comes first.
    """
    first = borrower - 1 if cells else intent + 1
    return (first + moved) % gateways
