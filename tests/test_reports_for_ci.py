"""junit.xml and summary.md: what CI servers and pull requests are given, whatever a run says."""

import json
import shutil
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.evidence.store import RunDir
from harness.judge.judge import judge
from harness.report.junit import junit
from harness.report.markdown import escaped, summary_md
from harness.report.write import judge_and_write
from tests.kept_runs import DATA
from tests.run_views import broken, changed, clean


def value_of(view: Any) -> dict[str, Any]:
    return judge(view).value


def parsed(text: str) -> ElementTree.Element:
    return ElementTree.fromstring(text)  # noqa: S314  our own, from the line before


def test_a_test_case_for_the_run_each_expectation_and_each_rule() -> None:
    value = value_of(clean())
    (suite,) = parsed(junit(value))
    names = [case.get("name") for case in suite.iter("testcase")]
    assert len(names) == 1 + len(value["expectations"]) + len(value["audit"])
    assert "fault: guarantee >= 97 %" in names
    assert "rule 1 acknowledged-once" in names
    assert suite.get("failures") == suite.get("errors") == "0"
    assert suite.get("tests") == str(len(names))


def test_a_verdict_is_left_only_when_all_of_it_could_be_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who runs many drills goes by it, and the process that failed had another exit code."""
    run = Path(shutil.copytree(DATA / "held", tmp_path / "held"))
    (run / "verdict.json").unlink(missing_ok=True)

    def fails(*_: object) -> str:
        raise ValueError("a defect")

    monkeypatch.setattr("harness.report.write.html", fails)
    with pytest.raises(ValueError, match="a defect"):
        judge_and_write(RunDir.open(run))
    assert not (run / "verdict.json").exists()


def test_breached_is_a_failure_and_inconclusive_an_error() -> None:
    value = value_of(broken(clean(), range(200, 240)))
    (suite,) = parsed(junit(value))
    failed = [
        case.get("name") for case in suite.iter("testcase") if case.find("failure") is not None
    ]
    assert value["verdict"] == "breached"
    assert "fault: guarantee >= 97 %" in failed
    assert suite.get("failures") == str(len(failed))
    doubted = value_of(changed(clean(), ended="cut"))
    (suite,) = parsed(junit(doubted))
    first = suite.find("testcase")
    assert first is not None
    error = first.find("error")
    assert error is not None
    assert error.text == "\n".join(doubted["doubts"])
    assert int(suite.get("errors") or 0) >= 1


@settings(deadline=None)
@given(st.text(max_size=40))
def test_any_text_gives_xml_that_can_be_read_and_markdown_of_one_line(text: str) -> None:
    value = value_of_clean()
    value["reason"] = value["scenario"] = text
    value["doubts"] = [text]
    value["audit"][0] |= {"verdict": "breached", "first": text}
    value["expectations"][0] |= {"expected": text, "verdict": "breached", "shown": text}
    (suite,) = parsed(junit(value))
    assert suite.get("tests") == str(len(list(suite.iter("testcase"))))
    assert "\n" not in escaped(text)
    plain = len(summary_md(value_of_clean()).splitlines())
    assert len(summary_md(value).splitlines()) == plain + 2  # a doubt and a rule


def value_of_clean(kept: list[str] = []) -> dict[str, Any]:  # noqa: B006  once for all examples
    if not kept:
        kept.append(json.dumps(value_of(clean())))
    found: dict[str, Any] = json.loads(kept[0])
    return found


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("a|b", r"a\|b"),
        ("<img src=x>", r"\<img src=x\>"),
        ("[x](http://evil)", r"\[x\](http\://evil)"),
        ("*_`~#$&", r"\*\_\`\~\#\$\&"),
        ("a\r\n\x1b[31mb\u202e", r"a \[31mb "),
        ("@team", "@\u200bteam"),
        ("www.evil.example", "www\u200b.evil.example"),
        ("fixes #12, GH-3", "fixes \\#\u200b12, GH-\u200b3"),
    ],
)
def test_markdown_of_others_is_only_words(text: str, made: str) -> None:
    assert escaped(text) == made


def test_a_summary_fits_a_pull_request_and_says_what_matters() -> None:
    text = summary_md(value_of(broken(clean(), range(200, 240))))
    assert text.startswith("### ❌ breached: ")
    assert "| ❌ | fault: guarantee \\>= 97 % |" in text
    assert "- broken by system at " in text
    assert "- audit: 12 of 12 rules held" in text
    assert len(text) < 2500
    many = value_of_clean()
    many["doubts"] = [f"doubt {n}" for n in range(9)]
    assert "and 4 more doubts" in summary_md(many)


def test_of_changed_evidence_no_file_tells_a_cause(tmp_path: Path) -> None:
    run = Path(shutil.copytree(DATA / "held", tmp_path / "held"))
    with (run / "attempts.parquet").open("ab") as file:
        file.write(b"x")
    _, verdict, text = judge_and_write(RunDir.open(run))
    changed = "attempts.parquet is not what it was when the run ended"
    first = f"nothing can be told: the evidence is not what it was: {changed}"
    assert verdict.exit_code == 3
    assert text.startswith(f"INCONCLUSIVE (exit 3): {first}")
    for told in (text, (run / "summary.md").read_text(), (run / "report.html").read_text()):
        assert first in told
        for words in ("at machine", "nothing was sent", "nothing was repaid"):
            assert words not in told
        assert "promised draws" not in told
        assert "184" not in told
