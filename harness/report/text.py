"""The summary a person understands in ten lines."""

from collections.abc import Mapping
from typing import Any

from harness.judge.disagreements import told_of_disagreements
from harness.judge.expectations import shown
from harness.judge.parts import Parts
from harness.judge.verdict import Verdict
from harness.judge.view import RunView
from harness.report.happened import told_of_fault
from harness.terminal import plain
from harness.units import format_yuan

MARK = {"held": "✓", "inconclusive": "?", "breached": "✗"}


def caveat(view: RunView, parts: Parts) -> str:
    """What must be said beside every figure of a run that is not whole; empty for one that is."""
    if view.missing or view.cut or parts.incomplete:
        return "of what evidence there is, which is not all: no figure here holds"
    if view.unoffered_keys:
        return f"the run ended early: {offered(view)}"
    return ""


def offered(view: RunView) -> str:
    """How many draws were planned, and how many offered where that is not the same."""
    planned = len(view.intents) + len(view.unoffered_keys)
    text = f"{planned:,} draws planned over {view.scenario.phases.load_s:g} s"
    return f"{text}, {len(view.intents):,} of them offered" if view.unoffered_keys else text


def summary(view: RunView, verdict: Verdict) -> str:
    """Verdict first, then what it rests on."""
    parts = verdict.parts
    total = parts.guarantee.total
    lines = [
        f"{verdict.verdict.upper()} (exit {verdict.exit_code}): {verdict.reason}",
        "",
        f"guarantee   {shown('guarantee', total.count)} of draws, "
        f"{shown('guarantee', total.money)} of money; access {shown('access', total.access)}",
        f"            {total.kept:,} kept, {total.broken:,} broken "
        f"({format_yuan(total.broken_fen)}), {total.rightly_refused:,} rightly refused, "
        f"{total.wrongly_approved:,} wrongly approved",
    ]
    if view.scenario.lender.defects:
        lines.append(f"planted     defects: {', '.join(view.scenario.lender.defects)}")
    if caveat(view, parts):
        lines.append(f"            {caveat(view, parts)}")
    lines += [f"loosened    {text}" for text in parts.health.loosened]
    lines += [
        f"broken by   {b.cause} at {b.hop}: {b.draws:,} draws, {format_yuan(b.amount_fen)}"
        for b in parts.guarantee.broken_by[:5]
    ]
    lines += [
        f"disagrees   {told}" for told in told_of_disagreements(verdict.value["attribution"])[:3]
    ]
    lines += _harm(parts)
    for one in verdict.met:
        text = f"{one.expectation.phase}: {one.expectation.text}"
        actual = shown(one.expectation.measure, one.actual)
        was = f"was {actual}" if one.actual is not None or not one.why else ""
        was = ": ".join(part for part in (was, one.why) if part)
        lines.append(f"  {MARK[one.verdict]} {text:42} {was}")
    also = {one.name: _also(told_of_fault(view, one)) for one in view.faults}
    for fault in verdict.value["faults"]:
        unseen = "never seen" if fault["injected_s"] is not None else "not injected"
        seen = f"seen at {fault['observed_s']:.1f} s" if fault["observed"] else unseen
        healed = f", healed at {fault['heal_observed_s']:.1f} s" if fault["heal_observed"] else ""
        lines.append(
            f"fault       {fault['name']}: {seen}{healed}; touched {fault['exposed_calls']:,} "
            f"calls of {fault['exposed_intents']:,} draws{also.get(fault['name'], '')}"
        )
    lines += [f"not written {told_of_gap(gap)}" for gap in verdict.value["evidence_gaps"]]
    if parts.recovery.exposed_s is not None:
        lines.append(
            f"copies      {parts.recovery.rpo_draws:,} acknowledged draws lost; "
            f"{parts.recovery.exposed_s:.2f} s acknowledging with one copy "
            f"(a process kill is not a power cut; one monitor on one host has no quorum)"
        )
    repaid = parts.repaid
    if repaid.planned:
        lines.append(
            f"repaid      {repaid.repaid:,} of {repaid.asked:,} repayments acknowledged "
            f"({format_yuan(repaid.repaid_fen)}), {repaid.again:,} attempts beyond the first"
        )
    lines.append(f"audit       {_audited(parts)}")
    lines += [
        f"  {MARK[f.verdict]} rule {f.rule} {f.name}: {f.count} of {f.examined}; first: {f.first}"
        for f in parts.audit
        if f.verdict != "held"
    ]
    lines += [f"in doubt    {doubt}" for doubt in verdict.doubts]
    lines.append(_printed(verdict))
    return "\n".join(map(plain, lines))


def _harm(parts: Parts) -> list[str]:
    """What of the measures an SRE must act on; nothing that is as it should be."""
    lines = []
    blast, minutes = parts.harm.blast, parts.harm.blocked_yuan_minutes["drill"]
    if parts.guarantee.total.broken:
        avoidable = parts.guarantee.avoidable
        known = "not known how many avoidable" if avoidable is None else f"{avoidable:,} avoidable"
        blocked = "" if minutes is None else f"; {minutes:,.0f} yuan-minutes blocked"
        lines.append(
            f"harm        {blast.hit:,} of {blast.due:,} borrowers of the fault phase hit; "
            f"{known}{blocked}"
        )
    if parts.stranded is not None and parts.stranded.draws:
        lines.append(
            f"stranded    {parts.stranded.draws:,} draws refused for lack of money that lay in "
            f"other tiers ({format_yuan(parts.stranded.amount_fen)})"
        )
    if parts.truth is not None:
        lines += [
            f"untrue      {cell.wrong}: {cell.draws:,} draws, {format_yuan(cell.amount_fen)}; "
            f"first: {cell.first}"
            for cell in parts.truth.wrong
        ]
    if parts.breakers is not None:
        wrong = {
            "opened without a fault": parts.breakers.wrongly_open,
            "should have opened": parts.breakers.should_have_opened,
            "stuck after the heal": parts.breakers.stuck_breakers,
        }
        words = [f"{count} {what}" for what, count in wrong.items() if count]
        lines += [f"breakers    {', '.join(words)}"] if words else []
    lines += [f"undetected  no alert named {name}" for name in parts.detection.undetected]
    return lines


def _also(told: str) -> str:
    return f"; {told}" if told else ""


def _audited(parts: Parts) -> str:
    """How many rules held; those that had nothing to look at did not fail to."""
    clean = sum(finding.verdict == "held" for finding in parts.audit)
    idle = sum(finding.verdict == "inconclusive" for finding in parts.audit)
    if idle == len(parts.audit):
        return "not examined"
    return f"{clean} of {len(parts.audit)} rules held" + (f", {idle} not examined" if idle else "")


def told_of_gap(gap: Mapping[str, Any]) -> str:
    """A sentence on evidence that is missing, of verdict.json's `evidence_gaps`."""
    who, from_s, to_s = gap["replica"], gap["from_s"], gap["to_s"]
    if to_s is None:
        return f"{who} wrote nothing down from {from_s:.1f} s on: hops and replicas are without it"
    return (
        f"{who} wrote nothing down from {from_s:.1f} s to {to_s:.1f} s: {gap['rows_lost']:,} rows, "
        f"which figures by hop and replica are without"
    )


def _printed(verdict: Verdict) -> str:
    printed = verdict.value["printed"]
    cpu = {
        name.partition(".")[2]: value
        for name, value in printed.items()
        if name.startswith("cpu_ms_per_draw.")
    }
    words = [
        f"{name.removesuffix('_s').replace('_', ' ')} {value:.2f} s"
        for name, value in printed.items()
        if name.endswith("_s")
    ]
    if cpu:
        each = ", ".join(f"{hop} {value:.2f}" for hop, value in cpu.items())
        words.append(f"CPU {sum(cpu.values()):.2f} ms a draw ({each})")
    return "printed     " + "; ".join(words)
