"""What parts of the lender are called in evidence, and the hops they are."""

# Of the controller's own, who looks at notices: what comes to a gateway from there is no load.
ONLOOKER = "onlooker"


def role(server: str) -> str:
    """`ledger-1` is the hop `ledger`; a bank is a hop of its own, and so is `database`, which a
    ledger that knows of no primary writes."""
    return server if server.startswith("bank.") else server.rpartition("-")[0] or server
