"""Who called whom how often: one look at all calls, for whoever needs no more of them than that."""

from harness.evidence.query import Books

WAYS = """
SELECT edge, client, server, side, sent, result, count(*)::BIGINT AS times FROM calls GROUP BY ALL
"""


def know_ways(books: Books) -> None:
    """Let questions know the table `ways_called`: a row for each edge, client, server, side, sent
    and result of `calls`, with how many `times`."""
    books.once("ways_called", WAYS)
