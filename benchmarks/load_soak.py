"""A soak of the generator: does any of its processes grow? Growth is the slope after a warm-up.

Half an hour is one piece, with the same processes from its beginning to its end; a longer soak is
several, so that it can be gone on with.
"""

import tempfile
from pathlib import Path
from typing import Any

from benchmarks.load_run import Load, Loaded, run_load
from benchmarks.load_stub_up import stub_up
from benchmarks.load_truth import quantile, slope

RATE_PER_S = 100
PIECE_S = 1800.0
WARM_S = 120.0
SAMPLE_S = 5.0
SEED = 20260411


def piece(number: int, seconds: float) -> dict[str, Any]:
    """One piece: bytes a minute by which each process grew, and all that it was sampled at."""
    # A third of a piece too short for the warm-up proper, so that a look at it shows something.
    warm_s = min(WARM_S, seconds / 3)
    with tempfile.TemporaryDirectory(prefix="load-") as name, stub_up(Path(name), "fast") as stub:
        load = Load(RATE_PER_S, seconds, seed=SEED + number, sample_s=min(SAMPLE_S, seconds / 20))
        loaded = run_load(Path(name), stub.url, load)
        stub.stop()
    late_ms = loaded.late_ms()
    return {
        "seconds": seconds, "requests": len(late_ms), "planned": len(loaded.intents),
        "complete": int(loaded.complete), "late_ms_p99": round(quantile(late_ms, 0.99), 3),
        "processes": {name: _grown(loaded, name, warm_s) for name in sorted(loaded.samples)},
    }  # fmt: skip


def _grown(loaded: Loaded, name: str, warm_s: float) -> dict[str, Any]:
    points = [
        ((sample.at_ns - loaded.t0_ns) / 60e9, float(sample.rss_bytes))
        for sample in loaded.samples[name]
        if loaded.t0_ns <= sample.at_ns <= loaded.end_ns and sample.rss_bytes
    ]
    found = slope([point for point in points if point[0] * 60 >= warm_s])
    return {
        "bytes_per_min": None if found is None else round(found),
        "mb_at_last": round(points[-1][1] / 2**20, 1) if points else None,
        "samples_mb": [[round(at, 3), round(size / 2**20, 2)] for at, size in points],
    }
