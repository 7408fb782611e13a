"""Rules about the books alone: recomputed from versions, postings, tries and payouts."""

from collections import Counter, defaultdict
from collections.abc import Sequence

from harness.evidence.rows import Version
from harness.judge.ends import IntentEnd
from harness.judge.offences import Offences
from harness.judge.view import RunView


def _by_account(view: RunView, kind: str) -> dict[str, list[Version]]:
    """Versions of the accounts of one kind, by what follows the colon, in order of version."""
    found: dict[str, list[Version]] = defaultdict(list)
    for version in view.versions:
        head, _, name = version.account.partition(":")
        if head == kind:
            found[name].append(version)
    for versions in found.values():
        versions.sort(key=lambda version: version.version)
    return found


def _check_order(account: str, versions: Sequence[Version], found: Offences) -> None:
    """Versions follow one another, and so do the moments their locks were won."""
    for place, version in enumerate(versions, start=1):
        if version.version != place:
            found.add(0, f"{account}: version {version.version} where {place} is due")
        if place > 1 and version.locked_ns < versions[place - 2].locked_ns:
            found.add(0, f"{account}: version {place} was locked before the one it follows")


def _amounts(view: RunView) -> dict[str, int]:
    return {draw.draw_key: draw.amount_fen for draw in view.draws}


def quota(view: RunView, _: Sequence[IntentEnd]) -> Offences:
    """4: never over the limit at any version, and each version follows from the one before."""
    limits = {borrower.borrower: borrower.limit_fen for borrower in view.population}
    amounts = _amounts(view)
    found = Offences()
    for name, versions in _by_account(view, "borrower").items():
        account = f"borrower:{name}"
        _check_order(account, versions, found)
        limit_fen = limits.get(int(name), 0)
        held_fen = outstanding_fen = 0
        for version in versions:
            found.examined += 1
            amount_fen = amounts.get(version.draw_key, 0)
            held_fen += amount_fen if version.event == "reserve" else -amount_fen
            outstanding_fen += amount_fen if version.event == "post" else 0
            where = f"{account} version {version.version}"
            if version.limit_fen != limit_fen:
                found.add(0, f"{where}: limit {version.limit_fen}, was given {limit_fen}")
            if (version.held_fen, version.outstanding_fen) != (held_fen, outstanding_fen):
                found.add(amount_fen, f"{where}: held and outstanding don't follow from the draws")
            over_fen = version.held_fen + (version.outstanding_fen or 0) - limit_fen
            if over_fen > 0 or version.held_fen < 0 or (version.outstanding_fen or 0) < 0:
                found.add(over_fen, f"{where}: {over_fen} fen over the limit")
    return found


def tiers(view: RunView, _: Sequence[IntentEnd]) -> Offences:
    """5: a tier's money is conserved at every version and never negative."""
    opening = {tier.tier: tier.balance_fen for tier in view.tiers}
    amounts = _amounts(view)
    found = Offences()
    for name, versions in _by_account(view, "tier").items():
        account = f"tier:{name}"
        _check_order(account, versions, found)
        paid_fen = 0
        for version in versions:
            found.examined += 1
            if version.event == "post":
                paid_fen += amounts.get(version.draw_key, 0)
            balance_fen = version.balance_fen or 0
            lost_fen = opening.get(name, 0) - balance_fen - version.held_fen - paid_fen
            where = f"{account} version {version.version}"
            if lost_fen:
                found.add(lost_fen, f"{where}: {lost_fen} fen are missing")
            if balance_fen < 0 or version.held_fen < 0:
                found.add(balance_fen, f"{where}: negative")
    return found


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
    written = Counter((v.draw_key, v.try_, v.event) for v in view.versions)
    for event_key in written:
        if event_key not in events:
            found.add(0, f"{event_key[0]} try {event_key[1]} {event_key[2]}: no postings")
    for name, versions in _by_account(view, "borrower").items():
        last = versions[-1]
        for side, balance_fen in (("held", last.held_fen), ("outstanding", last.outstanding_fen)):
            off_fen = sums[f"borrower:{name}:{side}"] - (balance_fen or 0)
            if off_fen:
                found.add(off_fen, f"borrower:{name}:{side}: {off_fen} fen off its postings")
    opening = {tier.tier: tier.balance_fen for tier in view.tiers}
    for name, versions in _by_account(view, "tier").items():
        last = versions[-1]
        off_fen = opening.get(name, 0) + sums[f"tier:{name}:available"] - (last.balance_fen or 0)
        if off_fen:
            found.add(off_fen, f"tier:{name}:available: {off_fen} fen off its postings")
        if sums[f"tier:{name}:held"] != last.held_fen:
            found.add(last.held_fen, f"tier:{name}:held: off its postings")
    return found


def books_agree(view: RunView, _: Sequence[IntentEnd]) -> Offences:
    """7: each paid try is in its bank's book with its amount, and nothing else is."""
    banks = {tier.tier: tier.bank for tier in view.tiers}
    amounts = _amounts(view)
    payouts = {payout.payout_key: payout for payout in view.payouts}
    closed = {tombstone.payout_key for tombstone in view.tombstones}
    found = Offences(examined=len(view.tries) + len(view.payouts))
    paid_tries = set()
    for one in view.tries:
        payout = payouts.get(one.payout_key)
        amount_fen = amounts.get(one.draw_key, 0)
        if one.state == "paid":
            paid_tries.add(one.payout_key)
            if payout is None:
                found.add(amount_fen, f"{one.payout_key}: paid in the ledger, not by the bank")
            elif (payout.bank, payout.amount_fen) != (banks.get(one.tier), amount_fen):
                found.add(amount_fen, f"{one.payout_key}: another bank or amount")
        elif payout is not None and one.state != "paying":  # still paying: rules 8 and 12
            found.add(payout.amount_fen, f"{one.payout_key}: {one.state}, paid by the bank")
    known = {one.payout_key for one in view.tries}
    for payout in view.payouts:
        if payout.payout_key not in known:
            found.add(payout.amount_fen, f"{payout.payout_key}: paid, unknown to the ledger")
        if payout.payout_key in closed:
            found.add(payout.amount_fen, f"{payout.payout_key}: closed for ever, and paid")
    return found


def no_hold_left(view: RunView, _: Sequence[IntentEnd]) -> Offences:
    """8: no money is held after the drain."""
    found = Offences()
    for kind in ("borrower", "tier"):
        for name, versions in _by_account(view, kind).items():
            found.examined += 1
            if versions[-1].held_fen:
                left_fen = versions[-1].held_fen
                found.add(left_fen, f"{kind}:{name}: {left_fen} fen still held")
    return found
