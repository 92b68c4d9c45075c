"""Who may ask, and what each answer says to browsers."""

import socket
from collections.abc import Callable
from typing import Any

import pytest
from birds.errors import UsageError
from birds.serve.limits import Limits, Rates, client_key

Serving = Callable[..., Any]


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", "[::1]", "evil.example:80", "a b"])
def test_a_name_that_is_not_ours_is_refused(serving: Serving, host: str) -> None:
    with serving() as client:
        for method, path in (("GET", "/"), ("GET", "/model"), ("POST", "/identify")):
            answer = client.ask(method, path, Host=host)
            assert (answer.status, answer.reason) == (421, "wrong_host")


def test_names_of_this_machine_and_allowed_ones_are_ours(serving: Serving) -> None:
    with serving(allow_hosts=["Birds.example.org"]) as client:
        for host in (
            client.host,
            f"localhost:{client.port}",
            "birds.example.org",
            "BIRDS.example.org:443",
            "localhost:1",
        ):
            assert client.get("/health", Host=host).status == 200
        assert client.get("/health", Host="example.org").status == 421


def test_at_every_address_digits_are_ours_and_foreign_names_are_not(serving: Serving) -> None:
    with serving(host="0.0.0.0", allow_public=True) as client:
        for host in ("192.168.1.9:8080", "localhost:9", socket.gethostname()):
            assert client.get("/health", Host=host).status == 200
        assert client.get("/health", Host="evil.example").status == 421


def test_a_public_address_needs_leave(serving: Serving) -> None:
    with pytest.raises(UsageError, match="nothing on the way is encrypted") as refused, serving(host="0.0.0.0"):
        pass
    assert "--i-know-this-is-public" in refused.value.hint


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site", "Origin": "http://127.0.0.1:1"},
    ],
)
def test_pictures_from_other_sites_pages_are_refused(serving: Serving, red: bytes, headers: dict[str, str]) -> None:
    with serving() as client:
        answer = client.identify(red, **headers)
        assert (answer.status, answer.reason) == (403, "cross_site")
        assert client.served.tally.identified == 0
        preflight = client.ask("OPTIONS", "/identify", **headers, Access_Control_Request_Method="POST")
    assert preflight.status == 405
    assert not [name for name in (*answer.headers, *preflight.headers) if name.lower().startswith("access-control")]


def test_pictures_from_the_page_and_from_programs_are_taken(serving: Serving, red: bytes) -> None:
    with serving(allow_hosts=["birds.example.org"]) as client:
        for headers in (
            {},
            {"Origin": f"http://{client.host}", "Sec_Fetch_Site": "same-origin"},
            {"Origin": "https://birds.example.org", "Host": "birds.example.org"},  # a proxy speaks TLS before us
        ):
            assert client.identify(red, **headers).status == 200


def test_every_answer_carries_the_headers(serving: Serving, red: bytes) -> None:
    with serving() as client:
        answers = [
            client.get("/"),
            client.get("/static/page.js"),
            client.get("/nothing"),
            client.get("/", Host="evil.example"),
            client.identify(red),
            client.identify(b"no picture"),
        ]
    for answer in answers:
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self';" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["Cache-Control"]
        assert "Server" not in answer.headers
    assert answers[4].headers["Cache-Control"] == "no-store"


def test_turns_come_back_with_time_for_each_address() -> None:
    clock = [0.0]
    rates = Rates(60, 2, now=lambda: clock[0])
    assert [rates.wait_s("a") for _ in range(3)] == [0, 0, pytest.approx(1)]
    assert rates.wait_s("b") == 0
    clock[0] = 1.0
    assert [rates.wait_s("a") for _ in range(2)] == [0, pytest.approx(1)]
    clock[0] = 1000.0
    assert [rates.wait_s("a") > 0 for _ in range(3)] == [False, False, True]


def test_rates_remember_a_bounded_number_of_addresses() -> None:
    rates = Rates(60, 1)
    for number in range(20_000):
        rates.wait_s(str(number))
    assert len(rates._buckets) == 10_000


def test_a_household_counts_as_one_client() -> None:
    assert client_key("2001:db8:1:2:aaaa::1") == client_key("2001:db8:1:2:bbbb::9") == "2001:db8:1:2::/64"
    assert client_key("2001:db8:1:3::1") != client_key("2001:db8:1:2::1")
    assert client_key("::ffff:10.0.0.1") == client_key("10.0.0.1") == "10.0.0.1"
    assert client_key("no address") == "no address"
    assert Limits().workers >= 1
