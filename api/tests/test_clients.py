"""The network that counts as one client."""

import pytest

from api.clients import client_network


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("198.51.100.1", "198.51.100.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("", "unknown"),
        ("a.socket", "unknown"),
    ],
)
def test_client_network_when_ipv6_then_is_its_64_network(address: str, network: str) -> None:
    assert client_network({"REMOTE_ADDR": address}) == network
