"""Rules about the books alone: recomputed from versions, postings, tries and payouts."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from harness.evidence.rows import Try, Version
from harness.judge import audit_repayments
from harness.judge.ends import IntentEnd
from harness.judge.offences import Offences
from harness.judge.view import RunView

# The drill's own words for it, see harness.drill.
CLOCK_MOVED = "the wall clock was set"


def by_account(view: RunView, kind: str) -> dict[str, list[Version]]:
    """Versions of the accounts of one kind, by what follows the colon, in order of version."""
    found: dict[str, list[Version]] = defaultdict(list)
    for version in view.versions:
        head, _, name = version.account.partition(":")
        if head == kind:
            found[name].append(version)
    for versions in found.values():
        versions.sort(key=lambda version: version.version)
    return found


def check_order(view: RunView, account: str, versions: Sequence[Version], found: Offences) -> None:
    """Versions follow one another, and so do the moments their locks were won; those say nothing
    when somebody has set the wall clock that they are read from, which is a doubt of its own."""
    dated = not any(CLOCK_MOVED in failure for failure in view.harness_failures)
    for place, version in enumerate(versions, start=1):
        if version.version != place:
            found.add(0, f"{account}: version {version.version} where {place} is due")
        if dated and place > 1 and version.locked_ns < versions[place - 2].locked_ns:
            found.add(0, f"{account}: version {place} was locked before the one it follows")


def _amounts(view: RunView) -> dict[str, int]:
    return {draw.draw_key: draw.amount_fen for draw in view.draws}


def quota(view: RunView, _: Sequence[IntentEnd]) -> Offences:
    """4: never over the limit at any version, and each version follows from the one before."""
    limits = {borrower.borrower: borrower.limit_fen for borrower in view.population}
    amounts = _amounts(view)
    repaid = {row.repay_key: row.amount_fen for row in view.repayments if row.state == "repaid"}
    found = Offences()
    for name, versions in by_account(view, "borrower").items():
        account = f"borrower:{name}"
        check_order(view, account, versions, found)
        limit_fen = limits.get(int(name), 0)
        held_fen = outstanding_fen = 0
        for version in versions:
            found.examined += 1
            if version.event == "repay":
                amount_fen = repaid.get(version.draw_key, 0)
                outstanding_fen -= amount_fen
            else:
                amount_fen = amounts.get(version.draw_key, 0)
                held_fen += amount_fen if version.event == "reserve" else -amount_fen
                outstanding_fen += amount_fen if version.event == "post" else 0
            where = f"{account} version {version.version}"
            if version.limit_fen != limit_fen:
                found.add(0, f"{where}: limit {version.limit_fen}, was given {limit_fen}")
            if (version.held_fen, version.outstanding_fen) != (held_fen, outstanding_fen):
                found.add(amount_fen, f"{where}: held and outstanding don't follow from the draws")
            now_held_fen, owed_fen = version.held_fen or 0, version.outstanding_fen or 0
            over_fen = now_held_fen + owed_fen - limit_fen
            if over_fen > 0 or now_held_fen < 0 or owed_fen < 0:
                found.add(over_fen, f"{where}: {over_fen} fen over the limit")
    if found.examined:
        audit_repayments.moved_once(view, found)
    return found


def tiers(view: RunView, _: Sequence[IntentEnd]) -> Offences:
    """5: a tier's money is conserved at every version, never negative, and shared as agreed."""
    found = Offences()
    amounts = _amounts(view)
    parts = _parts(view.tries, amounts)
    moved: Counter[tuple[str, str, str]] = Counter()
    for name, versions in by_account(view, "tier").items():
        account = f"tier:{name}"
        check_order(view, account, versions, found)
        balance_fen = held_fen = 0
        for version in versions:
            found.examined += 1
            new_balance_fen, new_held_fen = version.balance_fen or 0, version.held_fen or 0
            change = (new_balance_fen - balance_fen, new_held_fen - held_fen)
            balance_fen, held_fen = new_balance_fen, new_held_fen
            where = f"{account} version {version.version}"
            if version.event in ("reserve", "post", "void"):
                part_fen = parts.get((version.draw_key, version.try_, name), 0)
                expected = _change(version.event, part_fen)
                if change != expected:
                    lost_fen = sum(expected) - sum(change)
                    found.add(lost_fen, f"{where}: {version.event} of {part_fen} moved {change}")
            else:
                moved[version.event, version.draw_key, name.partition("/")[0]] += change[0]
                if change[1]:
                    found.add(change[1], f"{where}: {version.event} changed what is held")
            if balance_fen < 0 or held_fen < 0:
                found.add(balance_fen, f"{where}: negative")
    if found.examined:
        _check_moved(view, moved, found)
        _check_shares(view, amounts, found)
    return found


def _change(event: str, part_fen: int) -> tuple[int, int]:
    """What an event does to a slice's balance and hold."""
    if event == "reserve":
        return -part_fen, part_fen
    return (part_fen if event == "void" else 0), -part_fen


def _parts(tries: Sequence[Try], amounts: Mapping[str, int]) -> dict[tuple[str, int, str], int]:
    """What each try takes from each slice, fen: (draw_key, try, `own/3`)."""
    parts: Counter[tuple[str, int, str]] = Counter()
    for one in tries:
        whole_fen = amounts.get(one.draw_key, 0)
        parts[one.draw_key, one.try_, f"{one.tier}/{one.slice}"] += whole_fen - one.own_fen
        if one.own_fen:
            parts[one.draw_key, one.try_, f"own/{one.own_slice}"] += one.own_fen
    return parts


def _check_moved(view: RunView, moved: Mapping[tuple[str, str, str], int], found: Offences) -> None:
    """Money that no draw moved: the opening as planned, the rest against the treasury."""
    opening = {tier.tier: tier.balance_fen for tier in view.tiers}
    given: Counter[tuple[str, str]] = Counter()
    for (event, key, tier), amount_fen in moved.items():
        if event == "gather" and amount_fen:
            found.add(amount_fen, f"tier:{tier}: {amount_fen} fen more after gathering for {key}")
        if event == "opening" and amount_fen != opening.get(tier, 0):
            found.add(amount_fen, f"tier:{tier}: opened with {amount_fen} fen")
        if event != "gather":
            given[event, key] += amount_fen
    before_fen = 0
    for version in sorted(
        (v for v in view.versions if v.account == "treasury"), key=lambda v: v.version
    ):
        given[version.event, version.draw_key] += (version.balance_fen or 0) - before_fen
        before_fen = version.balance_fen or 0
    for (event, key), lost_fen in given.items():
        if lost_fen:
            found.add(lost_fen, f"{event} {key}: {lost_fen} fen between treasury and tiers")
    for tier, balance_fen in opening.items():
        if balance_fen and not any(row[0] == "opening" and row[2] == tier for row in moved):
            found.add(balance_fen, f"tier:{tier}: has no opening")


def _check_shares(view: RunView, amounts: Mapping[str, int], found: Offences) -> None:
    """Joint lending: the own part of each draw is the agreed share of it, rounded down."""
    own_bp = {tier.tier: tier.own_bp for tier in view.tiers}
    for one in view.tries:
        agreed_fen = amounts.get(one.draw_key, 0) * own_bp.get(one.tier, 0) // 10_000
        if one.own_fen != agreed_fen:
            found.add(
                one.own_fen - agreed_fen,
                f"{one.payout_key}: own part {one.own_fen} fen, agreed are {agreed_fen}",
            )


def postings(view: RunView, _: Sequence[IntentEnd]) -> Offences:
    """6: the postings of each event sum to zero, and balances are their sums."""
    found = Offences(examined=len(view.postings))
    events: Counter[tuple[str, int, str]] = Counter()
    sums: Counter[str] = Counter()
    for row in view.postings:
        events[row.draw_key, row.try_, row.event] += row.amount_fen
        sums[row.account] += row.amount_fen
    for (key, number, event), total_fen in events.items():
        if total_fen:
            found.add(total_fen, f"{key} try {number} {event}: postings sum to {total_fen} fen")
    for event_key in {(v.draw_key, v.try_, v.event) for v in view.versions}:
        if event_key not in events:
            found.add(0, f"{event_key[0]} try {event_key[1]} {event_key[2]}: no postings")
    last: dict[str, Version] = {}
    for version in view.versions:
        if version.account not in last or last[version.account].version < version.version:
            last[version.account] = version
    for account, version in sorted(last.items()):
        sides = {"held": version.held_fen, "outstanding": version.outstanding_fen,
                 "available": version.balance_fen}  # fmt: skip
        for side, balance_fen in sides.items():
            off_fen = sums[f"{account}:{side}"] - (balance_fen or 0)
            if balance_fen is not None and off_fen:
                found.add(off_fen, f"{account}:{side}: {off_fen} fen off its postings")
    _check_settlement(view, sums, found)
    if found.examined:
        audit_repayments.collected(view, sums, found)
    return found


def _check_settlement(view: RunView, sums: Mapping[str, int], found: Offences) -> None:
    """What a tier's bank has paid for the tier `own` is owed to it."""
    owed: Counter[str] = Counter()
    for one in view.tries:
        if one.state == "paid":
            owed[one.tier] += one.own_fen
    for tier, owed_fen in owed.items():
        off_fen = sums.get(f"settlement:{tier}:receivable", 0) - owed_fen
        if off_fen:
            found.add(off_fen, f"settlement:{tier}: {off_fen} fen off what was paid for own")
