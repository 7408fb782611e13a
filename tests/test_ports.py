"""Ports of a lender's services: one each, held from the start, and taken back after a kill."""

import random

import pytest

from mock_lender.cluster.ports import FIRST, bound_again, free_port, listening_socket


@pytest.fixture
def unlucky(monkeypatch: pytest.MonkeyPatch) -> int:
    """Everybody begins to look at the same port."""
    start = FIRST + 17
    monkeypatch.setattr(random.SystemRandom, "randint", lambda *_: start)
    return start


@pytest.mark.usefixtures("unlucky")
def test_no_two_services_are_given_one_port() -> None:
    held = [listening_socket() for _ in range(5)]
    try:
        ports = [one.getsockname()[1] for one in held]
        assert len(set(ports)) == 5
        # A program that binds for itself is not sent to one of them either, though none listens.
        assert free_port() not in ports
        for one in held:
            one.listen()
    finally:
        for one in held:
            one.close()


def test_a_port_that_somebody_holds_is_not_taken_back() -> None:
    with listening_socket() as held:
        port = held.getsockname()[1]
        with pytest.raises(OSError, match="in use"):
            bound_again(port)
    with bound_again(port) as again:
        again.listen()
