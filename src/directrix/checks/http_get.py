"""HTTP_GET and SSL_GET: do its pages come as they should?

One attempt fetches one URL; `course.py` says how attempts follow each other. A page is right if its status is wanted,
its digest (MD5 of the body) is the configured one, and the regular expression is found, or with `regex_no_match` isn't.

As in keepalived 2.2.7, which was asked: the expression is looked for in all that comes, the head of the answer
included, and offsets are counted from there; the digest of a body in chunks is that of the chunks with their heads; a
body shorter than its Content-Length is no failure.

SSL_GET takes any certificate, as keepalived does: it asks whether the service works, not whom it belongs to.
"""

from __future__ import annotations

import asyncio
import hashlib
import ssl
from collections.abc import Iterable
from dataclasses import dataclass, field

from directrix.checks.checker import Checker
from directrix.checks.course import RoundCourse
from directrix.checks.http_client import HttpVersion, Response, Wire, get, host_header
from directrix.checks.outcome import Outcome, failure, success
from directrix.checks.pcre import Regex, RegexError
from directrix.checks.settings import Target
from directrix.checks.stream import Stream

GOOD = ((200, 299),)
"""`status_code` if nothing is said."""


@dataclass(frozen=True, slots=True)
class UrlRegex:
    """What the answer must contain, in its head or its body.

    Attributes:
        pattern: a PCRE2 expression.
        options: `regex_options`.
        no_match: the answer must not contain it.
        first, last: where a match may begin, in bytes from the answer's beginning; None for anywhere after `first`.
    """

    pattern: str
    options: tuple[str, ...] = ()
    no_match: bool = False
    first: int = 0
    last: int | None = None


@dataclass(frozen=True, slots=True)
class Url:
    """One page.

    Attributes:
        path: what is asked for.
        virtualhost: the Host header, and the server name of TLS; empty for the address.
        status: ranges of status codes that are right, both ends included.
        digest: MD5 of the body, in hexadecimal; empty if it doesn't matter.
        regex: what the answer must contain; None if it doesn't matter.
    """

    path: str
    virtualhost: str = ""
    status: tuple[tuple[int, int], ...] = GOOD
    digest: str = ""
    regex: UrlRegex | None = None


@dataclass(frozen=True, slots=True)
class Tls:
    """The `SSL` block: what SSL_GET shows the server. Files are PEM."""

    ca: str = ""
    certificate: str = ""
    key: str = ""
    password: str = ""


@dataclass(frozen=True, slots=True)
class HttpGet:
    """HTTP_GET, or with `tls` SSL_GET.

    `enable_sni` names the virtual host in the TLS handshake. `fast_recovery`: no waiting between pages until all have
    been seen once.
    """

    target: Target
    urls: tuple[Url, ...]
    version: HttpVersion = HttpVersion.HTTP_1_0
    tls: Tls | None = None
    enable_sni: bool = False
    fast_recovery: bool = False

    def __post_init__(self) -> None:
        if not self.urls:
            raise ValueError("HTTP_GET and SSL_GET need a url")


@dataclass(frozen=True, slots=True)
class Expectation:
    """What a response is held against: a Url with its expression compiled."""

    url: Url
    regex: Regex | None = field(default=None)

    @classmethod
    def of(cls, url: Url) -> Expectation:
        """Compile a Url.

        Raises:
            RegexError: its regular expression is wrong.
        """
        return cls(url, Regex(url.regex.pattern, url.regex.options) if url.regex is not None else None)

    async def judge(self, response: Response) -> Outcome:
        """Whether the page is right. Expressions are matched in a thread: a large page may take a while."""
        if self.regex is None:
            return self._judge(response)
        return await asyncio.to_thread(self._judge, response)

    def _judge(self, response: Response) -> Outcome:
        url = self.url
        if not any(first <= response.status <= last for first, last in url.status):
            return failure(f"{url.path}: status {response.status}")
        if url.digest and (digest := _md5(response.body)) != url.digest.lower():
            return failure(f"{url.path}: digest {digest}")
        if url.regex is not None and self.regex is not None:
            try:
                found = self.regex.found_in(response.data, url.regex.first, url.regex.last)
            except RegexError as error:
                return failure(f"{url.path}: {error}")
            if found is url.regex.no_match:
                return failure(f"{url.path}: the regex {'matches' if found else 'does not match'}")
        cut_off = ", cut off" if response.cut_off else ""
        return success(f"{url.path}: status {response.status}{cut_off}")


class HttpChecker(Checker):
    """Fetches one page an attempt.

    Raises:
        RegexError: a regular expression is wrong.
        OSError, ssl.SSLError: a file of the SSL block can't be used.
    """

    def __init__(self, settings: HttpGet) -> None:
        self.settings = settings
        self.deadline = settings.target.deadline
        self.course = RoundCourse(len(settings.urls), settings.fast_recovery)
        self._pages = [Expectation.of(url) for url in settings.urls]
        self._tls = None if settings.tls is None else tls_context(settings.tls)

    async def attempt(self, item: int) -> Outcome:
        """Fetch the page whose turn it is."""
        page = self._pages[item]
        stream = await Stream.to(self.settings.target)
        try:
            if self._tls is not None:
                name = page.url.virtualhost if self.settings.enable_sni else ""
                await stream.start_tls(self._tls, name.partition(":")[0] or None)
            response = await self._fetch(stream, page.url)
        finally:
            stream.close()
        return await page.judge(response)

    async def _fetch(self, wire: Wire, url: Url) -> Response:
        target = self.settings.target
        host = host_header(url.virtualhost, str(target.address), target.port)
        return await get(wire, url.path, host, self.settings.version)


def tls_context(tls: Tls) -> ssl.SSLContext:
    """What SSL_GET shakes hands with: any certificate is taken.

    Raises:
        OSError, ssl.SSLError: a file can't be read or used.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if tls.ca:
        context.load_verify_locations(tls.ca)
    if tls.certificate:
        context.load_cert_chain(tls.certificate, tls.key or None, tls.password or None)
    return context


def status_ranges(words: Iterable[str]) -> tuple[tuple[int, int], ...]:
    """`status_code`'s words: codes and ranges such as `200-299`; none means 200-299.

    Raises:
        ValueError: a word is neither, or not between 100 and 599.
    """
    ranges = []
    for word in words:
        first, dash, last = word.partition("-")
        try:
            low = int(first)
            high = int(last) if dash else low
        except ValueError:
            raise ValueError(f"status_code {word!r} is neither a code nor a range such as 200-299") from None
        if not 100 <= low <= high <= 599:
            raise ValueError(f"status_code {word!r} is not within 100-599")
        ranges.append((low, high))
    return tuple(ranges) or GOOD


def _md5(body: bytes) -> str:
    return hashlib.md5(body, usedforsecurity=False).hexdigest()
