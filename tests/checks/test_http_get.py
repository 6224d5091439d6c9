"""HTTP_GET and SSL_GET against servers as they are, good and bad."""

from __future__ import annotations

import asyncio
import hashlib
import ssl
import subprocess
from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from served import Handler, closed_port, dripping, endless, resetting, run, saying, serving, silent

from directrix.checks.http_client import HttpVersion
from directrix.checks.http_get import HttpChecker, HttpGet, Tls, Url, UrlRegex, status_ranges
from directrix.checks.outcome import Outcome
from directrix.checks.settings import Target

PAGE = b"<html>Welcome to host a</html>\n"
GOOD = b"HTTP/1.0 200 OK\r\nContent-Type: text/html\r\n\r\n" + PAGE
HEAD = len(GOOD) - len(PAGE)
DIGEST = hashlib.md5(PAGE).hexdigest()
ROOT = Url("/")


async def fetched(target: Target, url: Url = ROOT, **options: object) -> Outcome:
    return await HttpChecker(HttpGet(target, (url,), **options)).check()  # type: ignore[arg-type]


def met(handler: Handler, url: Url = ROOT, timeout: float = 10.0, patience: float | None = None) -> Outcome:
    """What the checker finds at a server."""

    async def story() -> Outcome:
        async with serving(handler, timeout=timeout) as target:
            return await fetched(replace(target, patience=patience), url)

    return run(story())


@pytest.mark.parametrize(
    ("url", "ok", "detail"),
    [
        (ROOT, True, "/: status 200"),
        (Url("/", status=((201, 204), (300, 399))), False, "/: status 200"),
        (Url("/", status=((404, 404), (200, 200))), True, "/: status 200"),
        (Url("/", digest=DIGEST), True, "/: status 200"),
        (Url("/", digest=DIGEST.upper()), True, "/: status 200"),
        (Url("/", digest="0" * 32), False, f"/: digest {DIGEST}"),
        (Url("/", regex=UrlRegex("host [abc]")), True, "/: status 200"),
        (Url("/", regex=UrlRegex("^Content-Type: text/html", ("multiline",))), True, "/: status 200"),
        (Url("/", regex=UrlRegex("text/html", no_match=True)), False, "/: the regex matches"),
        (Url("/", regex=UrlRegex("HOST A")), False, "/: the regex does not match"),
        (Url("/", regex=UrlRegex("HOST A", ("caseless",))), True, "/: status 200"),
        (Url("/", regex=UrlRegex("host", no_match=True)), False, "/: the regex matches"),
        (Url("/", regex=UrlRegex("sorry", no_match=True)), True, "/: status 200"),
        (Url("/", regex=UrlRegex("host", first=HEAD + 18)), False, "/: the regex does not match"),
        (Url("/", regex=UrlRegex("host", first=HEAD + 17, last=HEAD + 17)), True, "/: status 200"),
        (Url("/", regex=UrlRegex("host", last=HEAD + 16)), False, "/: the regex does not match"),
    ],
)
def test_a_page_is_held_against_status_digest_and_regex(url: Url, ok: bool, detail: str) -> None:
    assert met(saying(GOOD), url) == Outcome(ok, detail)


@pytest.mark.parametrize(
    ("handler", "detail"),
    [
        (saying(b"HTTP/1.0 503 Busy\r\n\r\n"), "/: status 503"),
        (saying(), "the server closed the connection without an answer"),
        (saying(b"220 mail.example.com ESMTP\r\n"), "the answer is no HTTP: "),
        (saying(b"\0\xff" * 500), "the answer is no HTTP: illegal"),
        (saying(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n"), "the answer is no HTTP: illegal"),
        (saying(b"HTTP/1.0 200 OK\r\n" + b"X: y\r\n" * 30000 + b"\r\n"), "the answer is no HTTP: "),
        (resetting, "reading failed: Connection reset by peer"),
        (endless, "the answer is longer than 16777216 bytes"),
    ],
)
def test_what_is_no_good_page_fails_and_says_why(handler: Handler, detail: str) -> None:
    outcome = met(handler)
    assert not outcome.ok
    assert outcome.detail.startswith(detail)


def test_a_server_that_says_nothing_fails_within_connect_timeout() -> None:
    assert met(silent, timeout=0.5) == Outcome(False, "the server said nothing for 0.5 s")


def test_a_server_that_drips_fails_when_patience_ends() -> None:
    assert met(dripping, patience=0.4) == Outcome(False, "not finished within 0.4 s")


def test_a_server_that_keeps_the_connection_open_costs_no_time() -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(PAGE), PAGE)
    assert met(saying(answer, close=False), Url("/", digest=DIGEST)).ok


def test_an_answer_in_pieces_is_put_together_and_chunks_are_digested_with_their_heads() -> None:
    chunks = b"5\r\n<html\r\n1a\r\n" + PAGE[5:] + b"\r\n0\r\n\r\n"
    answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks
    pieces = [answer[start : start + 7] for start in range(0, len(answer), 7)]
    assert met(saying(*pieces), Url("/", digest=hashlib.md5(chunks).hexdigest())).ok


def test_a_body_is_as_long_as_the_head_says_or_what_comes_of_it() -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"
    five = Url("/", digest=hashlib.md5(b"12345").hexdigest())
    assert met(saying(answer + b"12345"), five) == Outcome(True, "/: status 200")
    assert met(saying(answer + b"1234567"), five) == Outcome(True, "/: status 200")
    assert met(saying(answer + b"123")) == Outcome(True, "/: status 200, cut off")
    assert not met(saying(answer + b"123"), five).ok


def test_a_port_where_nobody_listens_is_refused() -> None:
    assert run(fetched(Target(IPv4Address("127.0.0.1"), closed_port()))).detail == (
        "connecting failed: Connection refused"
    )


@pytest.mark.parametrize(
    ("version", "virtualhost", "expected"),
    [
        (HttpVersion.HTTP_1_0, "", "GET /a?b=c HTTP/1.0|Host: 127.0.0.1:PORT|User-Agent: KeepAliveClient (directrix)"),
        (
            HttpVersion.HTTP_1_0C,
            "www.example.com",
            "GET /a?b=c HTTP/1.0|Host: www.example.com|User-Agent: KeepAliveClient (directrix)|Connection: close",
        ),
        (
            HttpVersion.HTTP_1_1,
            "www.example.com:81",
            "GET /a?b=c HTTP/1.1|Host: www.example.com:81|User-Agent: KeepAliveClient (directrix)|Connection: close",
        ),
    ],
)
def test_the_request_is_of_the_version_asked_for_and_names_the_virtual_host(
    version: HttpVersion, virtualhost: str, expected: str
) -> None:
    async def story() -> None:
        heard: list[bytes] = []

        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            heard.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(GOOD)
            await writer.drain()

        async with serving(handle) as target:
            assert (await fetched(target, Url("/a?b=c", virtualhost), version=version)).ok
            wanted = expected.replace("PORT", str(target.port)).split("|")
        assert heard[0].decode().split("\r\n") == [*wanted, "", ""]

    run(story())


def test_an_ipv6_address_stands_in_brackets_in_the_host_header() -> None:
    async def story() -> bytes:
        heard: list[bytes] = []

        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            heard.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(GOOD)

        async with serving(handle, "::1") as target:
            assert (await fetched(target)).ok
            return heard[0].replace(str(target.port).encode(), b"PORT")

    assert b"\r\nHost: [::1]:PORT\r\n" in run(story())


def test_each_attempt_fetches_the_page_whose_turn_it_is() -> None:
    async def story() -> list[str]:
        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            asked = await reader.readuntil(b"\r\n\r\n")
            writer.write(GOOD if asked.startswith(b"GET /one ") else b"HTTP/1.0 404 No\r\n\r\n")
            await writer.drain()

        async with serving(handle) as target:
            checker = HttpChecker(HttpGet(target, (Url("/one"), Url("/two"))))
            return [(await checker.check(item)).detail for item in (0, 1, 0)]

    assert run(story()) == ["/one: status 200", "/two: status 404", "/one: status 200"]


def test_status_codes_are_read_as_keepalived_writes_them() -> None:
    assert status_ranges([]) == ((200, 299),)
    assert status_ranges(["200-299", "404", "500-599"]) == ((200, 299), (404, 404), (500, 599))
    for wrong in ("99", "600", "300-200", "OK", "200-", "-200"):
        with pytest.raises(ValueError, match="status_code"):
            status_ranges([wrong])


def test_without_a_page_there_is_nothing_to_check() -> None:
    with pytest.raises(ValueError, match="need a url"):
        HttpGet(Target(IPv4Address("127.0.0.1"), 80), ())


def test_a_regex_that_runs_wild_fails_its_check_soon() -> None:
    wild = saying(b"HTTP/1.0 200 OK\r\n\r\n" + b"a" * 5000)
    outcome = met(wild, Url("/", regex=UrlRegex("(a+a+)+[bc]")))
    assert not outcome.ok
    assert "takes too much steps" in outcome.detail


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate that nobody has signed, for another name, and its key."""
    directory = tmp_path_factory.mktemp("tls")
    key, pem = directory / "key.pem", directory / "cert.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
            *("-days", "2", "-subj", "/CN=another.example.com", "-keyout", str(key), "-out", str(pem)),
        ],
        check=True,
        capture_output=True,
    )
    return pem, key


def server_context(certificate: tuple[Path, Path]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    return context


def test_ssl_get_takes_any_certificate_and_reads_a_large_page(certificate: tuple[Path, Path]) -> None:
    body = bytes(range(256)) * 4000
    url = Url("/", digest=hashlib.md5(body).hexdigest())

    async def story() -> Outcome:
        context = server_context(certificate)
        async with serving(saying(b"HTTP/1.0 200 OK\r\n\r\n" + body), ssl=context) as target:
            return await fetched(target, url, tls=Tls())

    assert run(story()) == Outcome(True, "/: status 200")


@pytest.mark.parametrize(
    ("enable_sni", "virtualhost", "name"),
    [(True, "www.example.com:8443", "www.example.com"), (True, "", None), (False, "www.example.com", None)],
)
def test_the_server_name_is_told_if_enabled(
    certificate: tuple[Path, Path], enable_sni: bool, virtualhost: str, name: str | None
) -> None:
    names: list[str | None] = []

    async def story() -> Outcome:
        context = server_context(certificate)
        context.sni_callback = lambda _, told, __: names.append(told)
        async with serving(saying(GOOD), ssl=context) as target:
            return await fetched(target, Url("/", virtualhost), tls=Tls(), enable_sni=enable_sni)

    assert run(story()).ok
    assert names == [name]


@pytest.mark.parametrize(
    ("handler", "detail"),
    [
        (saying(b"HTTP/1.0 400 Bad Request\r\n\r\n"), "the TLS handshake failed: "),
        (saying(), "the TLS handshake failed: the server closed the connection"),
        (resetting, "the TLS handshake failed: Connection reset by peer"),
        (silent, "no TLS handshake within 1 s"),
    ],
)
def test_a_server_without_tls_fails_the_handshake(handler: Handler, detail: str) -> None:
    async def story() -> Outcome:
        async with serving(handler, timeout=1.0 if handler is silent else 20.0) as target:
            return await fetched(target, tls=Tls())

    outcome = run(story())
    assert not outcome.ok
    assert outcome.detail.startswith(detail)


def test_a_certificate_of_our_own_is_shown(certificate: tuple[Path, Path]) -> None:
    async def story() -> Outcome:
        context = server_context(certificate)
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(certificate[0])
        async with serving(saying(GOOD), ssl=context) as target:
            return await fetched(target, tls=Tls(certificate=str(certificate[0]), key=str(certificate[1])))

    assert run(story()).ok
