"""Who borrows and what they do: `load.journey` and `load.population` of a scenario."""

from harness.scenario.model import PHASES, Journey, LogNormal, PopulationSpec
from harness.scenario.nodes import Book, Node, fields, shown, value
from harness.scenario.numbers import number, one_of
from harness.units import parse_range_s, parse_share, parse_yuan_fen, parse_yuan_range_fen

AMOUNT_FEN_MAX = 1_000_000_00
ZIPF_MAX = 3
SIGMA_MAX = 3
LOOKS_MAX = 8
LIMITS_MAX = 100
REPAY_AFTER_S, REPAY_AFTER_S_MAX = (2.0, 10.0), 600
MEDIAN_FEN, SIGMA, RANGE_FEN = 700_00, 1.0, (100_00, 5_000_00)


def journey(book: Book, node: Node | None) -> Journey:
    """draw, quota, must_refuse; hot, hot_in, repay and repay_after are optional."""
    path = "load.journey"
    keys = ("draw", "quota", "must_refuse")
    optional = ("hot", "hot_in", "repay", "repay_after")
    found = fields(book, node, path, keys, optional) if node else {}
    value(book, found.get("draw"), f"{path}.draw", number(1, 1), 1.0, "1: each intent is one draw")

    def share(key: str) -> float:
        return value(book, found.get(key), f"{path}.{key}", parse_share, 0.0, "")

    if "repay_after" in found and "repay" not in found:
        book.add(found["repay_after"], f"{path}.repay_after", "no repay beside it", "both or none")
    if "hot_in" in found and "hot" not in found:
        book.add(found["hot_in"], f"{path}.hot_in", "no hot beside it", "both or none")
    low_s, high_s = value(
        book, found.get("repay_after"), f"{path}.repay_after", _some_time,
        REPAY_AFTER_S, "",
    )  # fmt: skip
    return Journey(
        quota_per_draw=value(
            book, found.get("quota"), f"{path}.quota", number(0, LOOKS_MAX), 0.0, ""
        ),
        must_refuse=share("must_refuse"),
        hot=share("hot"),
        hot_in=value(book, found.get("hot_in"), f"{path}.hot_in", one_of(*PHASES), "", ""),
        repay=share("repay"),
        repay_after_low_s=low_s,
        repay_after_high_s=high_s,
    )


def _some_time(text: object) -> tuple[float, float]:
    low_s, high_s = parse_range_s(text)
    if high_s > REPAY_AFTER_S_MAX:
        raise ValueError(f"a range of durations up to {REPAY_AFTER_S_MAX} s, such as 2s..10s")
    return low_s, high_s


def population(book: Book, node: Node | None) -> PopulationSpec:
    """zipf, amounts, limits, students and unverified, each optional."""
    path = "load.population"
    keys = ("zipf", "amounts", "limits", "students", "unverified")
    found = fields(book, node, path, (), keys) if node else {}

    def share(key: str) -> float:
        return value(book, found.get(key), f"{path}.{key}", parse_share, 0.0, "")

    return PopulationSpec(
        zipf=value(book, found.get("zipf"), f"{path}.zipf", number(0, ZIPF_MAX), 0.0, ""),
        amounts=_amounts(book, found["amounts"]) if "amounts" in found else None,
        limits=value(book, found.get("limits"), f"{path}.limits", number(1, LIMITS_MAX), 1.0, ""),
        students=share("students"),
        unverified=share("unverified"),
    )


def _amounts(book: Book, node: Node) -> LogNormal:
    path = "load.population.amounts"
    found = fields(book, node, path, (), ("median", "sigma", "range"))
    low_fen, high_fen = value(book, found.get("range"), f"{path}.range", _range, RANGE_FEN, "")
    median_fen = value(book, found.get("median"), f"{path}.median", parse_yuan_fen, MEDIAN_FEN, "")
    if not low_fen <= median_fen <= high_fen:
        at = found.get("median", node)
        text = shown(at) if "median" in found else f"the usual {MEDIAN_FEN // 100} yuan"
        allowed = f"a median within {low_fen // 100} yuan..{high_fen // 100} yuan"
        book.add(at, f"{path}.median", text, allowed)
    return LogNormal(
        median_fen=median_fen,
        sigma=value(book, found.get("sigma"), f"{path}.sigma", number(0.01, SIGMA_MAX), SIGMA, ""),
        low_fen=low_fen,
        high_fen=high_fen,
    )


def _range(text: object) -> tuple[int, int]:
    """Whole yuan, from one."""
    low_fen, high_fen = parse_yuan_range_fen(text)
    if low_fen < 100 or high_fen > AMOUNT_FEN_MAX or low_fen % 100 or high_fen % 100:
        raise ValueError(f"whole amounts from 1 yuan to {AMOUNT_FEN_MAX // 100} yuan")
    return low_fen, high_fen
