"""Is the load's evidence all there? By its manifest, and by the rows and the plan it speaks of."""

from collections import Counter

from harness.evidence.manifest import PLACE
from harness.judge.view import RunView
from harness.load.shares import share_of


def incomplete(view: RunView) -> list[str]:
    """What is missing, from whom, of which seconds; none when everything is there.

    Runs from before there were manifests are taken for what their streams show.
    """
    manifest = view.manifest
    if manifest is None:
        owed = view.owes_manifest and view.ended == "complete"
        return [f"its {PLACE} is missing"] if owed else []
    found = manifest.problems()
    known = {
        "attempts": view.attempts.counts("worker"),
        "generator": Counter(row.worker for row in view.generator),
        "clocks": Counter(row.worker for row in view.clocks),
    }
    planned_sha256 = view.planned.fingerprints(share_of, len(manifest.shares))
    for one in manifest.shares:
        if one.missing:
            continue
        for table, counts in known.items():
            told = one.rows.get(table, 0)
            if counts[one.worker] != told:
                found.append(f"{one.worker}: {counts[one.worker]} of {told} rows of {table}")
        if planned_sha256[one.share] != one.sha256:
            found.append(f"share {one.share + 1}: the intents are not those that were handed out")
    return found
