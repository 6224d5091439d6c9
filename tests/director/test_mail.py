"""E-mail over a mail server of our own: one that takes everything, one that says nothing, one that refuses."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
import time
from base64 import b64decode
from collections.abc import Awaitable, Callable
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import pytest
from director_making import NAME, PLAIN, A, setup

from directrix.checks.actions import TellQuorum, TellServer
from directrix.checks.engine import Report
from directrix.checks.history import Result
from directrix.checks.outcome import failure, success
from directrix.director.mail import LONGEST_QUEUE, Mailer
from directrix.director.told import Checked, Told
from directrix.keepalived.values import GlobalDefinitions, Mail, MailTls
from directrix.vrrp.states import State


def settings(port: int, **more: object) -> GlobalDefinitions:
    mail = Mail(recipients=("ops@x.test", "b@x.test"), server="127.0.0.1", port=port, connect_timeout=1, **more)  # type: ignore[arg-type]
    return GlobalDefinitions(router_id="lb1", mail=mail)


class Post:
    """A mail server that keeps what it gets."""

    def __init__(self, refusals: int = 0, tls: ssl.SSLContext | None = None) -> None:
        self.taken: list[EmailMessage] = []
        self.to: list[str] = []
        self.logins: list[str] = []
        """Who has logged in, and by which words on the wire."""
        self.refusals = refusals
        self._tls = tls

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 post\r\n")
        while line := await reader.readline():
            word = line.split()[0].upper()
            if word == b"EHLO" and self._tls is not None:
                writer.write(b"250-post\r\n250-STARTTLS\r\n250 AUTH PLAIN\r\n")
                continue
            if word == b"STARTTLS" and self._tls is not None:
                writer.write(b"220 go on\r\n")
                await writer.start_tls(self._tls)
                continue
            if word == b"AUTH":
                _, name, password = b64decode(line.split()[2]).decode().split("\0")
                secret = writer.get_extra_info("ssl_object") is not None
                self.logins.append(f"{name} {password}{' in secret' if secret else ''}")
                writer.write(b"235 ok\r\n")
                continue
            if word == b"DATA":
                writer.write(b"354 go on\r\n")
                content = (await reader.readuntil(b"\r\n.\r\n"))[:-5]
                message = message_from_bytes(content, policy=policy.default)
                assert isinstance(message, EmailMessage)
                self.taken.append(message)
            elif word == b"MAIL" and self.refusals:
                self.refusals -= 1
                writer.write(b"451 later\r\n")
                continue
            elif word == b"RCPT":
                self.to.append(line.decode().strip())
            writer.write(b"221 bye\r\n" if word == b"QUIT" else b"250 ok\r\n")
        writer.close()


def run(
    handle: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
    story: Callable[[int], Awaitable[None]],
    tls: ssl.SSLContext | None = None,
) -> None:
    async def main() -> None:
        server = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=tls)  # type: ignore[arg-type]
        try:
            await story(server.sockets[0].getsockname()[1])
        finally:
            server.close()

    asyncio.run(main())


def test_servers_quorums_and_instances_are_told_of_to_all_recipients() -> None:
    post = Post()
    virtual = setup("global_defs { smtp_alert\n}\n" + PLAIN).virtuals[NAME]

    async def story(port: int) -> None:
        mailer = Mailer()
        mailer.configure(settings(port, no_faults=True))
        mailer.server_or_quorum(Told(virtual, TellServer((A, 80), False)))
        mailer.server_or_quorum(Told(virtual, TellQuorum(True, 3, 1, starting=True)))
        mailer.server_or_quorum(Told(virtual, TellQuorum(False, 0, 1), "TCP_CHECK: connection\udcff refused"))
        mailer.instance("VI", State.MASTER)
        mailer.instance("VI", State.FAULT)
        await mailer.close(20.0)

    run(post.serve, story)
    assert [message["Subject"].strip() for message in post.taken] == [
        "[lb1] Realserver 10.0.0.1:80 of virtual server [192.0.2.1]:tcp:80 - DOWN",
        "[lb1] Quorum of virtual server [192.0.2.1]:tcp:80 - DOWN",
        "[lb1] VRRP Instance VI - Entering MASTER state",
    ]
    assert post.to[:2] == ["RCPT TO:<ops@x.test>", "RCPT TO:<b@x.test>"]


def checked(up: bool) -> Checked:
    result = Result(0.0, 0.1, success("connected") if up else failure("refused"), up)
    return Checked((NAME, (A, 80), "TCP_CHECK"), Report("x", result, up, True), turned=False)


def test_a_check_that_changes_is_told_of_unless_it_is_asked_not_to() -> None:
    post = Post()
    virtual = setup(PLAIN).virtuals[NAME]
    quiet = setup(PLAIN.replace("weight 1\n", "weight 1\nsmtp_alert off\n")).virtuals[NAME]

    async def story(port: int) -> None:
        mailer = Mailer()
        mailer.configure(settings(port))
        mailer.check(virtual, checked(False))
        mailer.check(quiet, checked(True))
        mailer.check(virtual, checked(True))
        mailer.configure(settings(port, no_checkers=True))
        mailer.check(virtual, checked(False))
        await mailer.close(20.0)

    run(post.serve, story)
    about = "[lb1] Check TCP_CHECK of realserver 10.0.0.1:80 of virtual server [192.0.2.1]:tcp:80"
    assert [message["Subject"] for message in post.taken] == [f"{about} - DOWN", f"{about} - UP"]
    assert [message.get_content().strip() for message in post.taken] == [
        "TCP_CHECK fails: refused",
        "TCP_CHECK succeeds: connected",
    ]


@pytest.fixture
def trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """A certificate for 127.0.0.1 that this process trusts."""
    words = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=post"
    files = ["-keyout", str(tmp_path / "key"), "-out", str(tmp_path / "certificate")]
    subprocess.run([*words.split(), "-addext", "subjectAltName=IP:127.0.0.1", *files], check=True, capture_output=True)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "certificate"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "certificate", tmp_path / "key")
    return context


@pytest.mark.parametrize("mode", [MailTls.TLS, MailTls.STARTTLS])
def test_mail_goes_in_secret_and_with_a_log_in_if_asked(mode: MailTls, trusted: ssl.SSLContext) -> None:
    post = Post(tls=trusted)

    async def story(port: int) -> None:
        mailer = Mailer(again=())
        mailer.configure(settings(port, tls=mode, user="lb", password="geheim"))
        mailer.instance("VI", State.MASTER)
        await mailer.close(20.0)

    run(post.serve, story, trusted if mode is MailTls.TLS else None)
    assert len(post.taken) == 1
    assert post.logins == ["lb geheim in secret"]


def test_a_server_that_does_not_speak_tls_gets_neither_password_nor_message(
    trusted: ssl.SSLContext, caplog: pytest.LogCaptureFixture
) -> None:
    post = Post()

    async def story(port: int) -> None:
        mailer = Mailer(again=())
        mailer.configure(settings(port, tls=MailTls.STARTTLS, user="lb", password="geheim"))
        mailer.instance("VI", State.MASTER)
        await mailer.close(20.0)

    run(post.serve, story)
    assert (post.taken, post.logins) == ([], [])
    assert "doesn't take" in caplog.text


def test_a_message_that_is_refused_is_tried_again() -> None:
    post = Post(refusals=1)

    async def story(port: int) -> None:
        mailer = Mailer(again=(0.01,))
        mailer.configure(settings(port))
        mailer.instance("VI", State.BACKUP)
        await mailer.close(20.0)

    run(post.serve, story)
    assert len(post.taken) == 1


def test_a_server_that_stalls_holds_nobody_up_and_the_queue_is_bounded() -> None:
    async def stall(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async def story(port: int) -> None:
        mailer = Mailer(again=())
        mailer.configure(settings(port))
        begun = time.monotonic()
        for _ in range(LONGEST_QUEUE + 50):
            mailer.instance("VI", State.BACKUP)
        assert time.monotonic() - begun < 10.0
        await mailer.close(0.05)

    run(stall, story)


def test_without_a_server_or_recipients_nothing_is_sent() -> None:
    async def nobody(message: EmailMessage, mail: Mail) -> None:
        raise AssertionError("something was sent")

    async def story() -> None:
        mailer = Mailer(nobody)
        for mail in (Mail(recipients=("a@x.test",)), Mail(server="127.0.0.1")):
            mailer.configure(GlobalDefinitions(mail=mail))
            mailer.instance("VI", State.MASTER)
        await mailer.close()

    asyncio.run(story())
