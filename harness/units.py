"""Quantities as people write them: `80ms`, `0.3s..1s`, `60/s`, `50 %`, `700 yuan`; and as people
read them."""

import re

_SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}
_DURATION = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(us|ms|min|s|m|h)\s*")
_RATE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*/\s*(s|min|m|h)\s*")
_YUAN = re.compile(r"\s*(\d+(?:\.\d{1,2})?)\s*yuan\s*")
_BYTES = re.compile(r"\s*(\d+)\s*(B|KB|MB)\s*")
_PERCENT = re.compile(r"\s*(\d+(?:\.\d+)?)\s*%\s*")


def parse_duration_s(text: object) -> float:
    """`80ms` -> 0.08. A bare number has no unit and is refused. Raises ValueError."""
    match = _DURATION.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise ValueError("a duration with its unit, such as 80ms, 1.5s or 2min")
    return float(match[1]) * _SECONDS[match[2]]


def parse_range_s(text: object) -> tuple[float, float]:
    """`0.3s..1s` -> (0.3, 1.0); one duration is a range of width zero. Raises ValueError."""
    if not isinstance(text, str):
        raise ValueError("a duration or a range of durations, such as 0.3s..1s")
    low, _, high = text.partition("..")
    bounds = parse_duration_s(low), parse_duration_s(high or low)
    if bounds[0] > bounds[1]:
        raise ValueError("a range of durations with the smaller first, such as 0.3s..1s")
    return bounds


def parse_rate_per_s(text: object) -> float:
    """`60/s` -> 60.0, `90/min` -> 1.5. Raises ValueError."""
    match = _RATE.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise ValueError("a rate with its unit, such as 60/s")
    return float(match[1]) / _SECONDS[match[2]]


def parse_bytes(text: object) -> int:
    """`20 KB` -> 20000. A bare number is refused. Raises ValueError."""
    match = _BYTES.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise ValueError("an amount of data with its unit, such as 500 B or 20 KB")
    return int(match[1]) * {"B": 1, "KB": 1000, "MB": 1_000_000}[match[2]]


def parse_rate_kb_per_s(text: object) -> int:
    """`20 KB/s` -> 20, in whole KB of 1000 bytes. Raises ValueError."""
    amount, slash, unit = text.partition("/") if isinstance(text, str) else ("", "", "")
    try:
        size = parse_bytes(amount)
    except ValueError:
        size = 1
    if not slash or unit.strip() != "s" or size % 1000:
        raise ValueError("whole KB a second, such as 20 KB/s")
    return size // 1000


def parse_share(value: object) -> float:
    """`50 %` -> 0.5, 0.03 -> 0.03; between 0 and 1. Raises ValueError."""
    share = None
    if isinstance(value, str) and (match := _PERCENT.fullmatch(value)):
        share = float(match[1]) / 100
    elif isinstance(value, int | float) and not isinstance(value, bool):
        share = float(value)
    if share is None or not 0 <= share <= 1:
        percent = share is not None and 1 < share <= 100 and not isinstance(value, str)
        meant = f"{share:g} %? " if percent else ""
        raise ValueError(f"{meant}a share from 0 to 1, or from 0 % to 100 %")
    return share


def parse_yuan_fen(text: object) -> int:
    """`700 yuan` -> 70000 fen, `0.5 yuan` -> 50. A bare number is refused. Raises ValueError."""
    match = _YUAN.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise ValueError("an amount with its unit, such as 700 yuan")
    whole, _, part = match[1].partition(".")
    return int(whole) * 100 + int(part.ljust(2, "0"))


def parse_yuan_range_fen(text: object) -> tuple[int, int]:
    """`100 yuan..5000 yuan` -> (10000, 500000). Raises ValueError."""
    low, dots, high = text.partition("..") if isinstance(text, str) else ("", "", "")
    bounds = (parse_yuan_fen(low), parse_yuan_fen(high)) if dots else (1, 0)
    if bounds[0] > bounds[1]:
        raise ValueError("a range of amounts, the smaller first, such as 100 yuan..5000 yuan")
    return bounds


def format_duration(seconds: float) -> str:
    """0.08 -> `80ms`, 1.5 -> `1.5s`; as parse_duration_s reads it."""
    return f"{seconds * 1000:g}ms" if 0 < seconds < 1 else f"{seconds:g}s"


def format_yuan(amount_fen: int) -> str:
    """1234567 -> `¥12,345.67`."""
    sign, fen = ("-" if amount_fen < 0 else ""), abs(amount_fen)
    return f"{sign}¥{fen // 100:,}.{fen % 100:02d}"
