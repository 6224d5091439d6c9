"""E-mail over a mail server of our own: one that takes everything, one that says nothing, one that refuses."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from email import message_from_bytes, policy
from email.message import EmailMessage

from director_making import NAME, PLAIN, A, setup

from directrix.checks.actions import TellQuorum, TellServer
from directrix.director.balancer import Told
from directrix.director.mail import LONGEST_QUEUE, Mailer
from directrix.keepalived.values import GlobalDefinitions, Mail
from directrix.vrrp.states import State


def settings(port: int, **more: object) -> GlobalDefinitions:
    mail = Mail(recipients=("ops@x.test", "b@x.test"), server="127.0.0.1", port=port, connect_timeout=1, **more)  # type: ignore[arg-type]
    return GlobalDefinitions(router_id="lb1", mail=mail)


class Post:
    """A mail server that keeps what it gets."""

    def __init__(self, refusals: int = 0) -> None:
        self.taken: list[EmailMessage] = []
        self.to: list[str] = []
        self.refusals = refusals

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 post\r\n")
        while line := await reader.readline():
            word = line.split()[0].upper()
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
) -> None:
    async def main() -> None:
        server = await asyncio.start_server(handle, "127.0.0.1", 0)  # type: ignore[arg-type]
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
        mailer.server_or_quorum(Told(virtual, TellQuorum(False, 0, 1)))
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
        assert time.monotonic() - begun < 1.0
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
