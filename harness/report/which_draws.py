"""Which draws are broken, and which one somebody asks for. Pure.

Whatever a target has written is escaped.
"""

from harness.judge.disagreements import told_of_disagreements
from harness.judge.doubts import evidence_wrong
from harness.judge.ends import Ends, IntentEnd
from harness.judge.verdict import Verdict
from harness.judge.view import RunView
from harness.report.explain import untold
from harness.terminal import plain
from harness.units import format_yuan

KEYS_SHOWN = 5
# What a column of numbers can hold.
DIGITS_MAX = 18
# So much of a key is enough to mean it, where no other begins so.
BEGINNING_MIN = 6


def asked_for(ends: Ends, draw: str) -> list[IntentEnd]:
    """The draw with this key, or this number in the plan; else those whose key begins so, when
    that is enough of one. More than one: it is not said which."""
    if exact := list(ends.where(draw_key=draw)):
        return exact[:1]
    is_number = draw.isascii() and draw.isdigit() and len(draw) <= DIGITS_MAX
    if is_number and (numbered := list(ends.where(intent=int(draw)))):
        return numbered[:1]
    if len(draw) < BEGINNING_MIN:
        return []
    keys = [key for key in ends.column("draw_key") if key.startswith(draw)]
    return list(ends.where(draw_key=keys))


def broken_draws(view: RunView, verdict: Verdict) -> str:
    """The broken draws by cause and hop, the most first, with a few keys of each; none of it where
    the evidence is not all there."""
    wrong = evidence_wrong(view, verdict.parts)
    if wrong:
        hint = "what it has of one draw: drawproof explain RUN --draw KEY"
        return "\n".join(map(plain, [*untold(wrong), hint]))
    total = verdict.parts.guarantee.total
    lines = [
        f"{total.broken:,} of {total.promised:,} promised draws are broken "
        f"({format_yuan(total.broken_fen)})"
    ]
    for one in verdict.parts.guarantee.broken_by:
        keys = [
            end.intent.draw_key
            for end in verdict.parts.ends.broken
            if (end.cause, end.hop) == (one.cause, one.hop)
        ]
        lines.append(
            f"  {one.cause} at {one.hop}: {one.draws:,} draws, {format_yuan(one.amount_fen)}: "
            f"{some(keys)}"
        )
    approved = list(verdict.parts.ends.where(end="wrongly_approved").column("draw_key"))
    if approved:
        lines.append(f"  wrongly approved: {len(approved):,} draws: {some(approved)}")
    told = told_of_disagreements(verdict.value["attribution"])
    lines += [f"  no fault accounts for {one}" for one in told]
    if total.broken or approved:
        lines.append("one of them: drawproof explain RUN --draw KEY")
    return "\n".join(map(plain, lines))


def some(keys: list[str]) -> str:
    """The first few, and how many more there are."""
    more = f", and {len(keys) - KEYS_SHOWN:,} more" if len(keys) > KEYS_SHOWN else ""
    return ", ".join(keys[:KEYS_SHOWN]) + more
