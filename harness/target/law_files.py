"""The law as files of the mock lender: its rules file as it was written, and its register."""

from collections.abc import Iterable
from pathlib import Path

from harness.evidence.rows import Borrower
from harness.scenario.law import LawSpec
from mock_lender.cluster.config import LawConfig


def law_config(folder: Path, law: LawSpec, population: Iterable[Borrower]) -> LawConfig | None:
    """Writes them into a folder; None without rules."""
    if not law.rules:
        return None
    rules_yaml, register_csv = folder / "rules.yaml", folder / "register.csv"
    rules_yaml.write_text(law.text)
    rows = ["borrower,group,limit_fen,student,unverified"]
    rows += [
        f"{one.borrower},{one.group},{one.limit_fen},{int(bool(one.student))},"
        f"{int(bool(one.unverified))}"
        for one in population
    ]
    register_csv.write_text("\n".join(rows) + "\n")
    return LawConfig(
        str(rules_yaml), str(register_csv), law.today, law.adoption_s, dict(law.all_in_cost_bp)
    )
