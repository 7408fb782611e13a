"""Spoilt functions of the database: a few words of their text changed when it is made ready.

Each change says what it replaces, and fails when that is not there once: a defect must not vanish
because the ledger's SQL was rewritten.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol


class Connection(Protocol):
    """Somebody connected to the database, as its owner."""

    async def fetchval(self, statement: str, *values: object) -> Any: ...

    async def execute(self, statement: str) -> Any: ...


@dataclass(frozen=True, slots=True)
class Change:
    """In the text of a function, `old` becomes `new`."""

    function: str
    old: str
    new: str


# A void says so and does nothing, whoever asks for it: the sweeper looks again and again in vain.
# Rule no-hold-left.
LOST_VOID = Change(
    "end_try",
    "    IF t.state = 'paying' AND NOT (",
    """    IF p_event = 'void' AND t.state = 'paying' THEN
        RETURN jsonb_build_object('state', 'voided');
    END IF;
    IF t.state = 'paying' AND NOT (""",
)
# A void is noted on the try, its money is not given back. Rule no-hold-left.
FORGOTTEN_HOLD = Change(
    "end_try",
    "at_ns := move_money(d, t, p_event, p_offset_ns);",
    """at_ns := CASE p_event WHEN 'void' THEN now_ns(p_offset_ns)
            ELSE move_money(d, t, p_event, p_offset_ns) END;""",
)
# Look, think for a while, then hold, with nothing that would notice a second one in between.
# Rule quota-never-exceeded.
QUOTA_RACE = Change(
    "reserve",
    "SELECT * INTO b FROM borrowers WHERE borrower = d.borrower FOR UPDATE;",
    "SELECT * INTO b FROM borrowers WHERE borrower = d.borrower; PERFORM pg_sleep(0.2);",
)
# A lost update: what another one has written since is written over. Rule tiers-conserved.
TIER_OVERSELL = (
    Change(
        "move_slice",
        "WHERE tier = p_tier AND slice = p_slice FOR UPDATE;",
        "WHERE tier = p_tier AND slice = p_slice; PERFORM pg_sleep(0.03);",
    ),
    Change(
        "move_slice",
        "SET balance_fen = balance_fen + p_balance",
        "SET balance_fen = s.balance_fen + p_balance",
    ),
)
# Each slice may give the whole limit, as replicas would that each count for themselves. Rule
# tiers-conserved.
LIMIT_PER_SLICE = Change(
    "part_of",
    "p_fen / p_slices + CASE p_slice WHEN 0 THEN p_fen % p_slices ELSE 0 END",
    "p_fen",
)
# What a slice has drawn is written back as it was when the hour began. Rule tiers-conserved.
LIMIT_FORGOTTEN = Change(
    "drawn",
    "s.hour_used_fen := s.hour_used_fen + p_fen;",
    "s.hour_used_fen := greatest(0, p_fen);",
)
# Own funds take four fifths of every joint draw, whatever was agreed. Rule tiers-conserved.
PARTNER_TOO_LITTLE = Change(
    "choose",
    "chosen.own_fen := d.amount_fen * t.own_bp / 10000;",
    "chosen.own_fen := CASE WHEN t.own_bp > 0 THEN d.amount_fen * 8 / 10 ELSE 0 END;",
)
# Keys are told apart by three of their signs, as in a column that is too short, and bodies are not
# compared: the second draw under "one" key is answered with the first. Rule acknowledged-once.
KEY_REUSE_ACCEPTED = Change(
    "lock_draw",
    "BEGIN\n",
    """BEGIN
    SELECT * INTO d FROM draws WHERE left(draw_key, 3) = left(p->>'draw_key', 3)
        ORDER BY requested_ns LIMIT 1 FOR UPDATE;
    IF d.draw_key IS NOT NULL THEN
        RETURN d;
    END IF;
""",
)
# What was asked for before, by a poll or by the same request again, is answered from what is there
# to be read: without a lock nothing is written, and what writes nothing waits for no standby. See
# failover.ImpatientDatabase for how there comes to be something to be read that the standby lacks.
# Rule survives-failover.
UNFLUSHED = (
    Change("look_up", "    PERFORM pg_logical_emit_message(true, 'told', '');\n", ""),
    Change(
        "lock_draw",
        "BEGIN\n",
        """BEGIN
    SELECT * INTO d FROM draws WHERE draw_key = p->>'draw_key'
        AND state IN ('paying', 'paid') AND body_hash = p->>'body_hash';
    IF d.draw_key IS NOT NULL THEN
        RETURN d;
    END IF;
""",
    ),
    Change(
        "end_try",
        "BEGIN\n",
        """BEGIN
    SELECT * INTO t FROM tries WHERE draw_key = p_key AND try = p_try AND state = 'paid';
    IF t.try IS NOT NULL AND p_event = 'post' THEN
        RETURN jsonb_build_object('state', t.state, 'tier', t.tier, 'paid_ns', t.ended_ns);
    END IF;
""",
    ),
)

CHANGES: dict[str, tuple[Change | str, ...]] = {
    "lost-void": (LOST_VOID,),
    "forgotten-hold": (FORGOTTEN_HOLD,),
    "quota-race": (QUOTA_RACE, "ALTER TABLE borrowers DROP CONSTRAINT within_limit"),
    "tier-oversell": (*TIER_OVERSELL, "ALTER TABLE slices DROP CONSTRAINT has_money"),
    "key-reuse-accepted": (KEY_REUSE_ACCEPTED,),
    "limit-per-slice": (LIMIT_PER_SLICE,),
    "limit-forgotten": (LIMIT_FORGOTTEN,),
    "partner-takes-too-little": (PARTNER_TOO_LITTLE,),
    "replay-acknowledges-unflushed": UNFLUSHED,
}


async def spoil(connection: Connection, defects: Iterable[str]) -> None:
    """Make the changes of these defects. Raises ValueError when one no longer fits."""
    for name in defects:
        for change in CHANGES.get(name, ()):
            if isinstance(change, str):
                await connection.execute(change)
                continue
            text = str(
                await connection.fetchval(
                    "SELECT pg_get_functiondef(oid) FROM pg_proc WHERE proname = $1",
                    change.function,
                )
            )
            if text.count(change.old) != 1:
                raise ValueError(f"{name}: {change.function} has changed: {change.old!r}")
            await connection.execute(text.replace(change.old, change.new))
