import pytest
from birds import addresses
from birds.errors import UsageError

# -- what is on the public internet


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "127.8.8.8", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0",
     "224.0.0.1", "255.255.255.255", "198.18.0.1", "::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "fec0::1",
     "ff0e::1",
     "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:0:127.0.0.1", "2002:7f00:1::", "2002:a9fe:a9fe::1", "64:ff9b::7f00:1",
     "64:ff9b:1::7f00:1", "64:ff9b:1:7f00:0:100::", "64:ff9b:1::808:808", "2001:0:4136:e378:8000:63bf:80ff:fffe",
     "2001:db8::1", "100::1"],
)  # fmt: skip
def test_private_addresses_are_not_public_in_any_form(address: str) -> None:
    assert not addresses.is_public(address)


@pytest.mark.parametrize(
    "address",
    ["8.8.8.8", "151.101.1.1", "2606:4700:4700::1111", "2a00:1450:4003::200e", "::ffff:8.8.8.8", "2002:808:808::1",
     "64:ff9b::808:808"],
)  # fmt: skip
def test_public_addresses_are_public(address: str) -> None:
    assert addresses.is_public(address)


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.0.0.1.", "127.1", "0", "2130706433", "0x7f000001", "0X7F.1", "0177.0.0.1", "017700000001",
     "10.0.0.1", "169.254.169.254", "0xa9fea9fe", "::1", "::ffff:127.0.0.1", "::ffff:7f00:1", "2002:7f00:1::",
     "fe80::1%eth0", "64:ff9b::7f00:1", "localhost", "LocalHost.", "a.localhost", "localhost.localdomain", "nas.local",
     "metadata.google.internal", "nas.lan", "x.home.arpa", "router", "", "127%2e0.0.1", ":"],
)  # fmt: skip
def test_a_private_host_shows_in_any_spelling(host: str) -> None:
    assert addresses.is_private_in_text(host)


@pytest.mark.parametrize(
    "host", ["8.8.8.8", "134744072", "0x08.8.8.8", "2606:4700:4700::1111", "example.com", "notlocal.net", "1.2.3.4.com"]
)
def test_a_public_host_does_not(host: str) -> None:
    assert not addresses.is_private_in_text(host)


# -- patterns of allowed hosts


@pytest.mark.parametrize(
    ("pattern", "n", "some"),
    [
        ("127.0.0.1:8000", 1, ("127.0.0.1", 8000)),
        ("LocalHost:80", 1, ("localhost", 80)),
        ("[::1]:8000", 1, ("::1", 8000)),
        ("127.0.1.1-60:8000", 60, ("127.0.1.60", 8000)),
        ("127.0.0.1:8001-8060", 60, ("127.0.0.1", 8060)),
        ("127.0.1.1-2:8001-8003", 6, ("127.0.1.2", 8003)),
        ("my-host.lan:65535", 1, ("my-host.lan", 65_535)),
    ],
)
def test_a_pattern_is_exact_pairs(pattern: str, n: int, some: tuple[str, int]) -> None:
    pairs = addresses.parse_allowed_hosts([pattern])
    assert len(pairs) == n
    assert some in pairs


def test_patterns_add_up() -> None:
    assert addresses.parse_allowed_hosts([]) == frozenset()
    assert addresses.parse_allowed_hosts(["a:1", "b:2", "a:1"]) == {("a", 1), ("b", 2)}


@pytest.mark.parametrize(
    "pattern",
    ["", "127.0.0.1", "127.0.0.1:", ":80", "127.0.0.1:http", "http://127.0.0.1:80", "::1:80", "127.0.0.1:80/", "a b:80",
     "127.0.0.1:65536", "127.0.0.1:8060-8001", "127.0.1.60-1:80", "127.0.1.1-999:80", "127.0.0.1:1-65535",
     "127.0.0.1-255:1-100", "*:80"],
)  # fmt: skip
def test_a_pattern_of_another_form_is_refused(pattern: str) -> None:
    with pytest.raises(UsageError) as caught:
        addresses.parse_allowed_hosts([pattern])
    assert "--allow-host" in caught.value.hint
