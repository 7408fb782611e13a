"""The faults of a run under each other, numbered, and what happened meanwhile: geometry on the time
axis of the charts; the template draws. Pure."""

from dataclasses import dataclass

from harness.clock import NS_PER_S
from harness.judge.view import RunView
from harness.report.charts import LEFT, RIGHT, WIDTH, shades, x_at
from harness.report.happened import happened

ROW = 20
# Marks that lie closer than this are put under each other, so many at most.
APART = 22.0
UNDER_EACH_OTHER = 4
EVENTS_MAX = 60


@dataclass(frozen=True, slots=True)
class Band:
    """A fault as it was observed. text_x, anchor: where its name has room."""

    x: float
    y: float
    width: float
    number: int
    text: str
    text_x: float
    anchor: str


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that happened, numbered as in the list below. at_s: from t = 0."""

    x: float
    y: float
    number: int
    at_s: float
    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Timeline:
    """left_out: events beyond the first EVENTS_MAX."""

    width: int
    height: int
    left: int
    right: int
    bands: tuple[Band, ...]
    marks: tuple[Mark, ...]
    left_out: int


def timeline(view: RunView) -> Timeline:
    """Faults that were seen, a row each, and the events below them."""
    bands = []
    for row, shade in enumerate(shades(view)):
        fits = shade.x + len(shade.text) * 6 + 30 < WIDTH - RIGHT
        bands.append(
            Band(
                shade.x, 4 + row * ROW, shade.width, shade.number, shade.text,
                round(shade.x + 20 if fits else shade.x - 6, 1), "start" if fits else "end",
            )
        )  # fmt: skip
    top, marks = 4 + len(bands) * ROW, []
    events = happened(view)
    last_x = [float("-inf")] * UNDER_EACH_OTHER
    for number, event in enumerate(events[:EVENTS_MAX], start=1):
        x = x_at(view, event.at_ns)
        lane = next((n for n, at in enumerate(last_x) if x - at >= APART), number % len(last_x))
        last_x[lane] = x
        at_s = (event.at_ns - view.t0_ns) / NS_PER_S
        marks.append(Mark(x, top + 14 + lane * 15, number, at_s, event.kind, event.text))
    lanes = sum(at > float("-inf") for at in last_x)
    return Timeline(
        width=WIDTH,
        height=top + (lanes * 15 + 10 if marks else 0),
        left=LEFT,
        right=RIGHT,
        bands=tuple(bands),
        marks=tuple(marks),
        left_out=max(0, len(events) - EVENTS_MAX),
    )
