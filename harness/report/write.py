"""Judges a run directory and writes what people and programs read into it."""

from harness.errors import HarnessError
from harness.evidence.store import RunDir
from harness.judge.doubts import evidence_wrong
from harness.judge.judge import judge
from harness.judge.load_view import load_view
from harness.judge.verdict import Verdict, verdict_bytes
from harness.judge.view import RunView
from harness.report.html import html
from harness.report.junit import junit
from harness.report.markdown import summary_md
from harness.report.text import headline, summary


def judge_and_write(run: RunDir) -> tuple[RunView, Verdict, str]:
    """verdict.json, junit.xml, summary.md and report.html from what is on disk, for whoever ran it.

    The last is the summary for the terminal. Raises HarnessError.
    """
    view = load_view(run)
    verdict = judge(view)
    text = summary(view, verdict)
    untold = headline(view, verdict) if evidence_wrong(view, verdict.parts) else ""
    files = {
        "junit.xml": junit(verdict.value).encode(),
        "summary.md": summary_md(verdict.value, untold).encode(),
        "report.html": html(view, verdict).encode(),
        # Last: who finds a verdict finds that all of it could be said.
        "verdict.json": verdict_bytes(verdict),
    }
    try:
        for name, content in files.items():
            (run.path / name).write_bytes(content)
    except OSError as exc:
        raise HarnessError(f"the reports could not be written to {run.path}: {exc}") from exc
    return view, verdict, text
