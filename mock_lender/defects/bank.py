"""A spoilt book of a bank."""

from collections.abc import Collection
from pathlib import Path

from mock_lender.bank_book import Book
from mock_lender.defects import now_and_then

ONE_IN = 16


def book_of(path: Path, defects: Collection[str]) -> Book:
    """The book that this lender's banks keep."""
    return WrongAmountBook(path) if "wrong-amount" in defects else Book(path)


class WrongAmountBook(Book):
    """Keeps a tenth of one payout in sixteen, and says that all was paid. Rule books-agree."""

    async def pay(
        self, payout_key: str, draw_key: str, amount_fen: int, not_after_ns: int | None = None
    ) -> str:
        kept_fen = amount_fen // 10 if now_and_then(draw_key, ONE_IN) else 0
        return await super().pay(payout_key, draw_key, amount_fen - kept_fen, not_after_ns)
