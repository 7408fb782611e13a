"""A site cut off, and a site without its banks, on a lender whose edges lead through the proxy."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.faults.network_fault import NetworkFault, Toxic
from harness.faults.network_looks import Late
from harness.faults.sample import LENDER
from harness.faults.site import SiteCut, crosses, edges_over, site_of
from harness.guardian.client import Guardian
from harness.proxy.client import start_proxy
from tests.fault_life import seen_and_healed, undone_by_the_journal
from tests.lender_process import TOKEN, lender, until
from tests.surroundings import LenderSurroundings

# Long in sum: a slow module, so that every run fits its ten minutes.
pytestmark = pytest.mark.slow

CUT = SiteCut("b", "off", "site: cut_off b")
NO_BANKS = SiteCut("b", "banks", "site: banks_cut b")


@pytest.fixture(scope="module")
def around(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LenderSurroundings]:
    run: Path = tmp_path_factory.mktemp("site")
    (run / ".token").write_text(TOKEN)
    edges = edges_over("site b", LENDER)
    with Guardian.start(run) as guardian:
        proxy = start_proxy(guardian, run, TOKEN, 1)
        listen = {edge: proxy.add(edge) for edge in edges}
        named = {edge: f"{host}:{port}" for edge, (host, port) in listen.items()}
        with lender(run / "lender", edges=named) as made:
            for edge in edges:
                server = made.service(edge.partition("->")[2])
                proxy.set_upstream(edge, server.host, server.port)
            yield LenderSurroundings(made, proxy, listen)


def press(around: LenderSurroundings, key: str, borrower: int, gateway: str) -> int:
    """A press at one of the gateways; its status."""
    body = {"borrower": borrower, "amount_fen": 100, "purpose": "education"}
    headers = {"Idempotency-Key": key}
    return around.made.ask("POST", "/v1/draws", body, headers, gateway=gateway)[0]


@pytest.mark.parametrize("fault", [CUT, NO_BANKS], ids=["cut off", "no banks"])
def test_it_is_seen_and_healed_and_seen_gone(around: LenderSurroundings, fault: SiteCut) -> None:
    seen_and_healed(around, fault)
    undone_by_the_journal(around, fault)


def test_an_edge_between_two_replicas_can_be_late(around: LenderSurroundings) -> None:
    """And its neighbour is not."""
    toxic = Toxic("latency", "downstream", (("latency", 800), ("jitter", 0)))
    fault = NetworkFault(
        "gateway-1->risk-2", toxic, Late(0.8), "network: latency gateway-1->risk-2"
    )
    other = replace(fault, edge="gateway-2->risk-1")
    seen_and_healed(around, fault)
    fault.inject(around)
    try:
        assert fault.observe(around).bites is True
        assert other.observe(around).bites is False
    finally:
        fault.heal(around)
    undone_by_the_journal(around, fault)


@pytest.mark.slow
def test_the_other_site_goes_on_when_one_is_cut_off(around: LenderSurroundings) -> None:
    """Its gateway gives up what it had asked of the lost replicas and asks its own."""
    CUT.inject(around)
    try:
        until(lambda: CUT.observe(around).bites is True, CUT.bites_within_s)
        until(lambda: around.made.draw("a-goes-on", borrower=10)[0] == 201, 20)
    finally:
        CUT.heal(around)
    until(lambda: CUT.observe(around).bites is False, 5)
    until(lambda: press(around, "b-is-back", 30, "gateway-2") == 201, 10)


def test_borders_that_share_edges_can_be_cut_at_once(around: LenderSurroundings) -> None:
    NO_BANKS.inject(around)
    try:
        CUT.inject(around)
        CUT.heal(around)
        until(lambda: NO_BANKS.observe(around).bites is True, NO_BANKS.bites_within_s)
    finally:
        NO_BANKS.heal(around)
        CUT.heal(around)
    until(lambda: NO_BANKS.observe(around).bites is False, 5)
    until(lambda: CUT.observe(around).bites is False, 5)


@pytest.mark.slow
def test_without_its_banks_a_site_pays_nothing_and_loses_nothing(
    around: LenderSurroundings,
) -> None:
    """What it left unknown is ended by the sweeper of the other site, whose banks answer."""
    NO_BANKS.inject(around)
    try:
        until(lambda: NO_BANKS.observe(around).bites is True, NO_BANKS.bites_within_s)
        assert press(around, "no-banks-here", 40, "gateway-2") in (503, 504)
        until(lambda: around.made.control("GET", "/pending")[1].get("paying") == 0, 15)
    finally:
        NO_BANKS.heal(around)
    until(lambda: NO_BANKS.observe(around).bites is False, 5)
    until(lambda: around.made.draw("no-banks-here", borrower=40)[0] == 201, 10)
    assert around.made.ask("GET", "/v1/borrowers/40/quota")[1]["outstanding_fen"] == 100


NAMES = st.builds(
    lambda role, number: f"{role}-{number}",
    st.sampled_from(["gateway", "risk", "compliance", "ledger"]), st.integers(1, 8),
) | st.sampled_from(["borrower", "bank.own", "bank.partner-a"])  # fmt: skip


@given(NAMES, NAMES)
def test_what_crosses_one_border_of_replicas_crosses_the_other(client: str, server: str) -> None:
    """Between two sites a cut is the same from both sides; within one, and outside, nothing is."""
    edge, outside = f"{client}->{server}", None in (site_of(client), site_of(server))
    if not outside:
        assert crosses("site a", edge) == crosses("site b", edge)
    if site_of(client) == site_of(server):
        assert not crosses("site a", edge)
    if crosses("site a->banks", edge):
        assert crosses("site a", edge)
        assert server.startswith("bank.")


def test_all_edges_over_a_border_are_there_and_no_other() -> None:
    edges = edges_over("site b", LENDER)
    assert len(edges) == len(set(edges)) == 11
    assert {"borrower->gateway-2", "gateway-1->risk-2", "gateway-2->risk-1",
            "ledger-2->bank.own"} <= set(edges)  # fmt: skip
    assert not {"gateway-1->risk-1", "gateway-2->risk-2", "gateway-1->bank.own"} & set(edges)
