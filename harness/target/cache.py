"""Where things that may be kept between drills are kept."""

import os
from pathlib import Path


def cache_dir(fallback: Path) -> Path:
    """The user's cache folder for drawproof, or `fallback` where that can't be written."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    chosen = Path(base) / "drawproof"
    try:
        chosen.mkdir(mode=0o700, parents=True, exist_ok=True)
        probe = chosen / f".probe-{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError:
        return fallback
    return chosen
