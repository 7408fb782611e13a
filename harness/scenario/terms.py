"""What is agreed about the sources of funds; part of the model of a scenario."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Amount:
    """Money: so many fen, or a share of all that is planned to be drawn; the other is None."""

    fen: int | None = None
    of_demand: float | None = None


@dataclass(frozen=True, slots=True)
class TierTerms:
    """What is agreed about a tier. None: any amount; of the balance: more than will be asked for.

    hourly, daily: what may be drawn from it in an hour, in a day of the calendar. parts: in how
    many its money is kept, each for some of the draws, by a lender that does not allocate finely.
    """

    balance: Amount | None = None
    hourly: Amount | None = None
    daily: Amount | None = None
    parts: int = 8


@dataclass(frozen=True, slots=True)
class Calendar:
    """How long an hour is, how many of them are a day, counted from t = 0; and which share of what
    the load's shape says the lender expects of each hour."""

    hour_s: float = 3600.0
    day_hours: int = 24
    forecast: float = 1.0
