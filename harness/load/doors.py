"""At which of a lender's gateways a borrower knocks. Pure."""


def door(gateways: int, intent: int, borrower: int, tried: int, *, cells: bool) -> int:
    """Which of them, from 0, after so many attempts of the same draw or repayment.

    Another one each time, whether it presses or asks: whoever was not answered at one asks at the
    next what became of it. Where cells are by borrower, one's own comes first.
    """
    first = borrower - 1 if cells else intent + 1
    return (first + tried) % gateways
