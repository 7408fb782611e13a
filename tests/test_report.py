"""What people read: complete, escaped, the same bytes for the same run, and self-contained."""

import re
import shutil
import subprocess
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest

from harness.judge.judge import judge
from harness.judge.view import RunView
from harness.report.charts import nice_top
from harness.report.html import html
from harness.report.live import LiveView, text_of
from harness.report.tables import Page, Table, notes_text, page_html, table_text
from harness.report.text import summary
from harness.watch import Glance
from tests.run_views import changed, clean

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


def page(view: RunView) -> str:
    return html(view, judge(view))


def test_the_same_run_gives_the_same_page() -> None:
    assert page(clean()) == page(clean())


def test_the_page_is_self_contained() -> None:
    text = page(clean())
    assert not re.findall(r"""(?:src|href)\s*=|url\(|@import|<script|https?://""", text)


def test_text_of_a_target_is_escaped() -> None:
    view = clean()
    evil = "<img src=x onerror=alert(1)>"
    fault = replace(view.faults[0], name=evil)
    text = page(replace(view, faults=(fault,), ended=f"error: {evil}"))
    assert evil not in text
    assert "&lt;img" in text


def test_a_summary_moves_no_cursor() -> None:
    """A hop, a reason, a fault's last words are a target's, and go to somebody's terminal."""
    view = replace(clean(), ended="error: \x1b[2J\u202e")
    told = summary(view, judge(view))
    assert not {"\x1b", "\u202e"} & {*told}
    assert "\\u001b[2J\\u202e" in told
    hop = Table("", ("hop", "draws"), (("risk\x1b[2J\nx", "3"),), ("",))
    lines = [*table_text(hop), *notes_text("wrong", ["\x1b[2J\nx"])]
    assert not {"\x1b", "\n"} & {*"".join(lines)}


def test_the_page_says_verdict_expectations_faults_and_rules() -> None:
    view = clean()
    text = page(view)
    for words in (
        "HELD",
        "guarantee &gt;= 97 %",
        "acknowledged-once",
        "bank.partner-a",
        "baseline",
    ):
        assert words in text, words
    assert text.count('class="shade"') == 3 * len(view.faults)


def test_a_run_without_anything_still_has_a_page() -> None:
    empty = changed(
        clean(), intents=(), attempts=(), calls=(), draws=(), tries=(), versions=(), postings=(),
        payouts=(), generator=(), population=(), faults=(), ended="cut",
    )  # fmt: skip
    assert "INCONCLUSIVE" in page(empty)
    assert "no data" in summary(empty, judge(empty))


def test_the_summary_starts_with_the_verdict() -> None:
    view = clean()
    lines = summary(view, judge(view)).splitlines()
    assert lines[0].startswith("HELD (exit 0): 389 of 389")
    assert any("12 of 12 rules held" in line for line in lines)


def test_axes_end_at_round_numbers() -> None:
    assert [nice_top(value) for value in (0, 0.7, 1, 11, 99, 101)] == [1, 0.8, 1, 15, 100, 150]


GLANCE = Glance(16.2, "fault", 110.0, 98.0, 0.973, 40, ("process: kill ledger-1",))


def test_the_live_line_has_everything() -> None:
    text = text_of(GLANCE)
    for words in ("16.2 s", "fault", "110/s", "98/s", "(estimate) 97.3 %", "kill ledger-1"):
        assert words in text


def test_plain_lines_come_once_a_second_or_on_a_change() -> None:
    out = StringIO()
    live = LiveView(out)
    for step in range(11):
        live.show(replace(GLANCE, at_s=16 + step / 10))
    assert len(out.getvalue().splitlines()) == 2
    live.show(replace(GLANCE, at_s=17.1, faults=()))
    assert len(out.getvalue().splitlines()) == 3
    assert "\r" not in out.getvalue()


def test_a_wide_table_wraps_and_its_figures_stay_whole() -> None:
    """Columns beyond the edge of a page hide what it is about."""
    why = "cannot tell: other draws were promised, more than 1 % apart, from 9 to 10"
    row = ("deadlines, off from full", "+¥4,200.00", "75 %: -¥3.00 to +¥4.50", why)
    table = Table("t", ("", "money", "interval", ""), (row,), ("",))
    text = page_html(Page("t", "x", "", "r", (table,), ()))
    whole = re.findall(r'<span class="one">([^<]*)</span>', text)
    assert whole == ["+¥4,200.00", "75 %: -¥3.00", "+¥4.50"]
    assert f"<td>{why}</td>" in text
    assert re.findall(r"([^{}]*)\{[^{}]*white-space:nowrap", text) == [" .one "]


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium to look at the page with")
def test_a_browser_draws_it_without_a_complaint(tmp_path: Path) -> None:
    report = tmp_path / "report.html"
    report.write_text(page(clean()))
    picture = tmp_path / "report.png"
    done = subprocess.run(
        [
            str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic",
            "--no-first-run", "--disable-background-networking", "--disable-component-update",
            "--disable-sync", f"--user-data-dir={tmp_path / 'profile'}", "--enable-logging=stderr",
            "--window-size=1060,2300", f"--screenshot={picture}", report.as_uri(),
        ],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert picture.exists(), done.stderr[-500:]
    assert picture.stat().st_size > 20_000
    assert "CONSOLE" not in done.stderr
