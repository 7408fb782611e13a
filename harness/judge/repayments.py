"""What became of the repayments: planned, asked for, acknowledged. For the reader, never gated."""

from dataclasses import dataclass

from harness.judge.view import RunView


@dataclass(frozen=True, slots=True)
class Repaid:
    """planned: if their draws were granted. asked: of these, those that were. repaid: acknowledged.
    again: attempts beyond the first."""

    planned: int
    asked: int
    repaid: int
    repaid_fen: int
    again: int


def repayments(view: RunView) -> Repaid:
    """By the generator's record alone; the audit holds it against the ledger."""
    told = view.attempts.where(kind="repay")
    asked = set(told.column("intent"))
    done = set(told.where(outcome="repaid").column("intent"))
    return Repaid(
        planned=len(view.repay_intents),
        asked=len(asked),
        repaid=len(done),
        repaid_fen=sum(view.repay_intents.where(intent=done).column("amount_fen")),
        again=len(told) - len(asked),
    )
