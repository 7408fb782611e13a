"""Notices: what borrowers have been told of policies, rules and shortages, from the rule book."""

from mock_lender.context import ServiceContext
from mock_lender.law import Law
from mock_lender.rulebook import Entry, Rulebook

KINDS = ("risk", "compliance", "shortage")


class Notices:
    """As a gateway hands them out."""

    def __init__(self, ctx: ServiceContext) -> None:
        self._book = Rulebook(ctx.rulebook_json, ctx.telemetry)
        config = ctx.config
        self._law = None if config.law is None else Law(config.law, config.tiers)

    def now(self, at_ns: int) -> list[dict[str, object]]:
        """What all have been told by then, and is not over; the earliest first."""
        entries = [one for one in self._book.published(at_ns) if one.kind in KINDS]
        return [self._notice(one) for one in sorted(entries, key=lambda one: one.number)]

    def _notice(self, entry: Entry) -> dict[str, object]:
        begins_ns = entry.in_force_ns if entry.in_force_ns is not None else entry.adopted_ns
        english, chinese = self._texts(entry)
        return {
            "number": entry.number,
            "kind": entry.kind,
            **({} if entry.rule is None else {"rule": entry.rule}),
            "text": english,
            "text_zh": chinese,
            "begins_ns": begins_ns or 0,
            "published_ns": entry.announced_ns or 0,
            "ended_ns": entry.ended_ns,
        }

    def _texts(self, entry: Entry) -> tuple[str, str]:
        if entry.rule is not None:
            says = self._law.says(entry.rule) if self._law is not None else entry.rule
            return f"A rule takes effect: {says}.", f"新规定将生效：{says}。"
        if entry.kind == "shortage":
            return "Funds will be short for the moment.", "资金将暂时不足。"
        if entry.forbids is not None:
            return f"Not lent for: {entry.forbids}.", f"不再用于：{entry.forbids}。"
        if entry.keep_bp is not None:
            left = f"{entry.keep_bp / 100:g} %"
            return f"Limits are lowered to {left} of what they were.", f"额度下调至原来的{left}。"
        if entry.above_fen is not None:
            yuan = entry.above_fen // 100
            return f"Not lent for the moment: above {yuan} yuan.", f"暂不放款：{yuan} 元以上。"
        return "Your quota can't be drawn for the moment.", "您的额度暂时不能使用。"
