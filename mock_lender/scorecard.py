"""The scorecard: how good a risk a borrower is, in points, and how many of them a bad market takes.

Points for months with the lender, for credit elsewhere that is not in use, and for income; arrears
cost some. All of it is whole numbers, so that whoever replays a decision comes to the same. A
stressed market takes points from everybody, and most from who uses most of the credit elsewhere.
"""

import csv
from array import array
from pathlib import Path

SCORE_MOST = 9_999
FULL_BP = 10_000
BASE = 1_500
TENURE_MONTHS_MOST = 60
TENURE_EACH = 40
UNUSED_MOST = 3_600
INCOME_EACH = 600
ARREARS = 3_000
ARREARS_EACH_DAY = 50
STRESS_LEAST = 2_000
STRESS_BY_USE = 6_000
# Who has fewer points is refused in a stressed market. In a calm one nobody has, arrears aside.
CUTOFF = 1_500


def points(
    tenure_months: int,
    utilisation_bp: int,
    past_due_days: int,
    income_band: int,
    stress_bp: int = 0,
) -> int:
    """0 to 9,999. utilisation_bp, stress_bp: ten-thousandths; income_band: 1 to 5."""
    found = BASE + TENURE_EACH * min(tenure_months, TENURE_MONTHS_MOST)
    found += UNUSED_MOST * (FULL_BP - utilisation_bp) // FULL_BP
    found += INCOME_EACH * (income_band - 1)
    if past_due_days > 0:
        found -= ARREARS + ARREARS_EACH_DAY * past_due_days
    lost = STRESS_LEAST + STRESS_BY_USE * utilisation_bp // FULL_BP
    found -= stress_bp * lost // FULL_BP
    return min(max(found, 0), SCORE_MOST)


class Scorecard:
    """The scores of a population. Without features, and of strangers, nobody has a point."""

    def __init__(self, features_csv: Path | None) -> None:
        self._features = {name: array("i") for name in ("tenure", "use", "days", "band")}
        self._place: dict[int, int] = {}
        if features_csv is None:
            return
        with features_csv.open(newline="") as rows:
            for place, row in enumerate(csv.DictReader(rows)):
                self._place[int(row["borrower"])] = place
                self._features["tenure"].append(int(row["tenure_months"]))
                self._features["use"].append(int(row["utilisation_bp"]))
                self._features["days"].append(int(row["past_due_days"]))
                self._features["band"].append(int(row["income_band"]))

    @property
    def borrowers(self) -> tuple[int, ...]:
        """All that it knows."""
        return tuple(self._place)

    def of(self, borrower: object, stress_bp: int = 0) -> int:
        """The points of one borrower in such a market."""
        place = self._place.get(borrower) if isinstance(borrower, int) else None
        if place is None:
            return 0
        found = self._features
        return points(
            found["tenure"][place], found["use"][place], found["days"][place],
            found["band"][place], stress_bp,
        )  # fmt: skip

    def below_for(self, share: float) -> int:
        """The number of points below which `share` of those without arrears are, in a calm market;
        above all of them for all."""
        days = self._features["days"]
        scores = sorted(self.of(one) for one, place in self._place.items() if not days[place])
        number = round(share * len(scores))
        return scores[number] if number < len(scores) else SCORE_MOST + 1
