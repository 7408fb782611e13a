"""Writes what people read into the run directory."""

from pathlib import Path

from harness.judge.verdict import Verdict
from harness.judge.view import RunView
from harness.report.html import html
from harness.report.text import summary


def write_reports(run: Path, view: RunView, verdict: Verdict) -> str:
    """summary.md and report.html; returns the summary for the terminal. Raises OSError."""
    text = summary(view, verdict)
    (run / "summary.md").write_text(f"```\n{text}\n```\n")
    (run / "report.html").write_text(html(view, verdict))
    return text
