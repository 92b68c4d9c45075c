"""Senders that take their time, never end or come in crowds, by real sockets: each is cut, and the others served."""

import json
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

from birds.serve.limits import Limits

Serving = Callable[..., Any]
Said = Callable[[socket.socket], bytes]
HURRIED = Limits(per_minute=0, headers_s=0.4, body_s=0.4, linger_s=0.3)


def trickle(connection: socket.socket, data: bytes) -> None:
    """Send a byte now and then until nobody takes it."""
    try:
        for byte in data:
            connection.sendall(bytes([byte]))
            time.sleep(0.02)
    except OSError:
        pass


def is_cut(connection: socket.socket, piece: bytes) -> bool:
    """Whether sending `piece` again and again comes to an end."""
    try:
        for _ in range(500_000_000 // len(piece)):
            connection.sendall(piece)
    except OSError as error:
        return not isinstance(error, TimeoutError)
    return False


def refused(answer: bytes) -> tuple[int, str]:
    """Status and reason of a raw answer."""
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"content-type: application/json" in head.lower()
    return int(head.split()[1]), json.loads(body)["error"]["reason"]


def test_headers_that_trickle_in_are_cut(serving: Serving, red: bytes, said: Said) -> None:
    with serving(HURRIED) as client, client.connect() as slow:
        sender = threading.Thread(target=trickle, args=(slow, b"GET /health HTTP/1.1\r\nX-A: " + b"a" * 400))
        sender.start()
        assert client.identify(red).status == 200
        assert refused(said(slow)) == (408, "timeout")
        sender.join()
        assert client.identify(red).status == 200
        assert client.served.tally.refused == {"timeout": 1}


def test_a_connection_that_says_nothing_is_cut(serving: Serving, said: Said) -> None:
    with serving(HURRIED) as client, client.connect() as silent:
        assert refused(said(silent)) == (408, "timeout")


def test_a_second_request_has_a_deadline_too(serving: Serving, said: Said) -> None:
    with serving(HURRIED) as client, client.connect() as slow:
        slow.sendall(f"GET /health HTTP/1.1\r\nHost: {client.host}\r\n\r\n".encode())
        time.sleep(0.2)
        assert slow.recv(65_536).startswith(b"HTTP/1.1 200")
        sender = threading.Thread(target=trickle, args=(slow, b"GET /health HTTP/1.1\r\nX-A: " + b"a" * 400))
        sender.start()
        assert refused(said(slow)) == (408, "timeout")
        sender.join()


def test_a_body_that_trickles_in_is_cut(serving: Serving, red: bytes, said: Said) -> None:
    with serving(HURRIED) as client, client.connect() as slow:
        slow.sendall(client.head(5_000_000))
        sender = threading.Thread(target=trickle, args=(slow, b"\xff" * 400))
        sender.start()
        assert client.identify(red).status == 200
        assert refused(said(slow)) == (408, "timeout")
        sender.join()
        assert client.identify(red).status == 200


def test_a_body_that_comes_in_time_is_answered_however_many_pieces_it_has(
    serving: Serving, red: bytes, said: Said
) -> None:
    with serving() as client, client.connect() as connection:
        connection.sendall(client.head(len(red), "Connection: close"))
        for start in range(0, len(red), 50):
            connection.sendall(red[start : start + 50])
        assert said(connection).startswith(b"HTTP/1.1 200")


def test_chunks_without_end_are_refused_unread(serving: Serving, red: bytes, said: Said) -> None:
    with serving(HURRIED) as client, client.connect() as endless:
        endless.sendall(client.head(None, "Transfer-Encoding: chunked"))
        assert is_cut(endless, b"1\r\nx\r\n" * 1000)
        assert client.identify(red).status == 200
        assert refused(said(endless)) == (411, "length_required")


def test_more_than_the_limit_is_refused_while_it_is_sent(serving: Serving, red: bytes, said: Said) -> None:
    with serving(HURRIED) as client, client.connect() as large:
        large.sendall(client.head(10_000_001) + b"\xff" * 100_000)
        assert refused(said(large)) == (413, "too_large")
        assert client.identify(red).status == 200


def test_a_body_longer_than_it_was_said_to_be_is_another_request(serving: Serving, red: bytes, said: Said) -> None:
    with serving(HURRIED) as client, client.connect() as connection:
        connection.sendall(client.head(len(red)) + red + b"\xff" * 1000 + b"\r\n\r\n")
        answers = said(connection)
        assert answers.startswith(b"HTTP/1.1 200")
        assert answers.count(b"HTTP/1.1 ") == 2
        assert b"HTTP/1.1 400" in answers


def test_what_is_no_http_is_refused(serving: Serving, said: Said) -> None:
    with serving(HURRIED) as client:
        for noise in (b"\x16\x03\x01\x02\x00\x01\x00" * 9, b"GET\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n"):
            with client.connect() as connection:
                connection.sendall(noise)
                assert said(connection).startswith(b"HTTP/1.1 400")
        with client.connect() as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nX: " + b"a" * 100_000)
            assert said(connection).startswith(b"HTTP/1.1 400")


def test_one_connection_too_many_is_told_to_come_back(serving: Serving, red: bytes, said: Said) -> None:
    with serving(Limits(per_minute=0, connections_per_address=2)) as client:
        with client.connect(), client.connect():
            with client.connect() as third:
                answer = said(third)
            assert refused(answer) == (503, "busy")
            assert b"retry-after: " in answer.lower()
        while client.identify(red).status != 200:  # until it has noticed that the two are gone
            time.sleep(0.02)
    few = Limits(per_minute=0, connections=1, connections_per_address=9)
    with serving(few) as client, client.connect(), client.connect() as second:
        assert refused(said(second)) == (503, "busy")


def test_who_does_not_read_his_answers_is_cut(serving: Serving) -> None:
    limits = Limits(per_minute=0, headers_s=5, answer_s=0.5, linger_s=0.2)
    with serving(limits) as client, client.connect() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        one = f"GET /static/page.js HTTP/1.1\r\nHost: {client.host}\r\n\r\n".encode()
        connection.settimeout(10)
        assert is_cut(connection, one * 100)
        assert client.get("/health").status == 200
