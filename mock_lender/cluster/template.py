"""An initialised database with the schema in it, made once a version and copied for each lender."""

import asyncio
import functools
import subprocess
from pathlib import Path

from mock_lender.cluster.binaries import binaries, copy_template, initialised, wrapped
from mock_lender.cluster.postgres import Access, Server
from mock_lender.ledger import setup

TEMPLATE_ACCESS = Access("template")


def copied(work: Path, cache: Path, data: Path) -> None:
    """A copy in `data`, of a template that is made where it is missing. Raises PostgresError."""
    shown = subprocess.run(
        [str(binaries() / "postgres"), "--version"], capture_output=True, text=True, check=True
    )
    key = f"{shown.stdout.split()[-1]}-{setup.schema_digest()}"
    copy_template(cache, key, functools.partial(make_template, work), data)


def make_template(work: Path, data: Path) -> None:
    """An empty cluster with the schema in it, stopped. Raises PostgresError, OSError."""
    data.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    initialised(data, TEMPLATE_ACCESS.password, binaries(), wrapped())
    server = Server.start("template", data, work / "template.log", 10)
    try:
        server.wait_listening()
        asyncio.run(setup.create_schema(TEMPLATE_ACCESS.dsn(server.port)))
    finally:
        server.stop()
