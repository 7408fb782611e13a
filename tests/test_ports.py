"""Ports of a lender's services: one each, held from the start, and taken back after a kill."""

import random
import socket

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


def test_a_port_that_somebody_listens_on_is_not_taken_back() -> None:
    with listening_socket() as held:
        held.listen()
        with pytest.raises(OSError, match="in use"):
            bound_again(held.getsockname()[1])


def test_a_port_is_taken_back_although_connections_linger() -> None:
    with listening_socket() as held:
        held.listen()
        port = held.getsockname()[1]
        caller = socket.create_connection(("127.0.0.1", port))
        accepted, _ = held.accept()
    accepted.close()  # whoever closes first lingers
    caller.close()
    with bound_again(port) as again:
        again.listen()
