"""HTTP_GET, SSL_GET and TCP_CHECK against nginx and OpenSSL's s_server, as people run them."""

from __future__ import annotations

import asyncio
import hashlib
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from ipaddress import IPv4Address

import pytest
from served import closed_port, run

from directrix.checks.http_client import HttpVersion
from directrix.checks.http_get import HttpChecker, HttpGet, Tls, Url, UrlRegex
from directrix.checks.outcome import Outcome
from directrix.checks.settings import Target
from directrix.checks.tcp_check import TcpCheck, TcpChecker

LOCAL = IPv4Address("127.0.0.1")
LARGE = b"0123456789abcdef" * 65536


@contextmanager
def process(*words: str, port: int) -> Iterator[Target]:
    """A server, from when it takes connections until the end of the test."""
    started = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        target = Target(LOCAL, port, connect_timeout=20)
        deadline = time.monotonic() + 30
        while not run(TcpChecker(TcpCheck(target)).check()).ok:
            assert started.poll() is None, started.stderr and started.stderr.read().decode()
            assert time.monotonic() < deadline
            time.sleep(0.02)
        yield target
    finally:
        started.terminate()
        started.communicate(timeout=30)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    directory = tmp_path_factory.mktemp("tls")
    pem, key = str(directory / "cert.pem"), str(directory / "key.pem")
    words = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=example.com"
    subprocess.run([*words.split(), "-keyout", key, "-out", pem], check=True, capture_output=True)
    return pem, key


@pytest.fixture(scope="module")
def nginx(tmp_path_factory: pytest.TempPathFactory, certificate: tuple[str, str]) -> Iterator[tuple[Target, Target]]:
    """nginx with a default host and one called www.example.com, over HTTP and HTTPS."""
    if not (program := shutil.which("nginx", path="/usr/sbin:/usr/bin:/sbin")):
        pytest.skip("no nginx here")
    root = tmp_path_factory.mktemp("nginx")
    (root / "www").mkdir()
    (root / "www" / "index.html").write_bytes(b"the named host\n")
    (root / "www" / "large").write_bytes(LARGE)
    root.chmod(0o755)
    plain, tls = closed_port(), closed_port()
    listens = f"listen 127.0.0.1:{plain}; listen 127.0.0.1:{tls} ssl;"
    (root / "nginx.conf").write_text(f"""
daemon off; master_process off; pid {root}/pid; error_log {root}/error.log; events {{ worker_connections 64; }}
http {{
  access_log off; client_body_temp_path {root}/t1; proxy_temp_path {root}/t2; fastcgi_temp_path {root}/t3;
  uwsgi_temp_path {root}/t4; scgi_temp_path {root}/t5;
  ssl_certificate {certificate[0]}; ssl_certificate_key {certificate[1]};
  server {{ {listens.replace(";", " default_server;")} return 503 "sorry $ssl_server_name\\n"; }}
  server {{ {listens} server_name www.example.com; root {root}/www; location = /moved {{ return 302 /; }} }}
}}
""")
    with process(program, "-p", str(root), "-c", str(root / "nginx.conf"), port=plain) as target:
        yield target, replace(target, port=tls)


def fetched(target: Target, url: Url, **options: object) -> Outcome:
    async def story() -> Outcome:
        checker = HttpChecker(HttpGet(target, (url,), **options))  # type: ignore[arg-type]
        first, second = await asyncio.gather(checker.check(), checker.check())
        assert first == second
        return first

    return run(story())


@pytest.mark.parametrize("version", HttpVersion)
@pytest.mark.parametrize("tls", [None, Tls()], ids=["HTTP", "HTTPS"])
def test_nginx_serves_its_hosts_in_every_version(
    nginx: tuple[Target, Target], version: HttpVersion, tls: Tls | None
) -> None:
    target = nginx[tls is not None]

    def found(url: Url) -> str:
        return fetched(target, url, version=version, tls=tls).detail

    named = Url("/", "www.example.com")
    assert found(named) == "/: status 200"
    assert found(replace(named, digest=hashlib.md5(b"the named host\n").hexdigest())) == "/: status 200"
    assert found(replace(named, regex=UrlRegex("^the [a-z]+ host$", ("multiline",)))) == "/: status 200"
    assert found(replace(named, path="/large", digest=hashlib.md5(LARGE).hexdigest())) == "/large: status 200"
    assert found(replace(named, path="/none")) == "/none: status 404"
    assert found(replace(named, path="/moved")) == "/moved: status 302"
    assert found(Url("/")) == "/: status 503"
    assert found(Url("/", status=((503, 503),))) == "/: status 503"


def test_nginx_is_told_the_server_name(nginx: tuple[Target, Target]) -> None:
    url = Url("/", "other.example.com", status=((503, 503),), regex=UrlRegex("sorry other.example.com"))
    assert fetched(nginx[1], url, tls=Tls(), enable_sni=True).ok
    assert not fetched(nginx[1], url, tls=Tls(), enable_sni=False).ok


def test_http_to_a_port_of_https_is_found_out(nginx: tuple[Target, Target]) -> None:
    assert fetched(nginx[1], Url("/")).detail == "/: status 400"
    assert fetched(nginx[0], Url("/"), tls=Tls()).detail.startswith("the TLS handshake failed")


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_openssls_server_is_understood(certificate: tuple[str, str], version: str) -> None:
    port = closed_port()
    words = ["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-cert", certificate[0], "-key", certificate[1]]
    with process(*words, "-www", "-quiet", version, port=port) as target:
        assert fetched(target, Url("/", regex=UrlRegex("Ciphers supported")), tls=Tls()).ok
