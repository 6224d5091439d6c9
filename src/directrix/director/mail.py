"""E-mail as things come and go, through one mail server, one message after the other, never in anybody's way.

Messages wait in a queue of bounded length; what finds no room is lost, and said so in the log. Every step of a delivery
has a time limit, so a server that stalls costs its own messages and nothing else.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable
from email.message import EmailMessage
from email.utils import formatdate, make_msgid

from directrix.checks.actions import TellQuorum
from directrix.director.telling import shown
from directrix.director.told import Checked, Told
from directrix.director.virtual import Virtual
from directrix.keepalived.values import GlobalDefinitions, Mail, MailTls
from directrix.lvs import endpoint
from directrix.vrrp.states import State

_log = logging.getLogger("directrix.director")

LONGEST_QUEUE = 200
"""So many messages may wait."""
AGAIN = (5.0, 60.0)
"""Seconds before each further attempt, while nothing else is tried."""

Deliver = Callable[[EmailMessage, Mail], Awaitable[None]]


async def deliver(message: EmailMessage, settings: Mail) -> None:
    """Hand a message to the mail server.

    Raises:
        OSError, aiosmtplib.SMTPException: it is not taken.
    """
    import aiosmtplib

    await aiosmtplib.send(
        message,
        sender=message["From"],
        recipients=list(settings.recipients),
        hostname=settings.server,
        port=settings.port,
        local_hostname=settings.helo_name or os.uname().nodename,
        timeout=settings.connect_timeout,
        use_tls=settings.tls is MailTls.TLS,
        start_tls=settings.tls is MailTls.STARTTLS,
        username=settings.user or None,
        password=settings.password or None,
    )


def _readable(text: str) -> str:
    """What a server or a script said may be no text at all; a message must be."""
    return text.encode("utf-8", "replace").decode()


def _one_line(text: str) -> str:
    return "".join(each if each.isprintable() else "?" for each in _readable(text))


class Mailer:
    """Sends what is worth a message."""

    def __init__(self, deliver: Deliver = deliver, again: tuple[float, ...] = AGAIN) -> None:
        """Nothing is sent before `configure`."""
        self._deliver, self._again = deliver, again
        self._settings = GlobalDefinitions()
        self._queue: asyncio.Queue[EmailMessage] = asyncio.Queue(LONGEST_QUEUE)
        self._task: asyncio.Task[None] | None = None

    def configure(self, settings: GlobalDefinitions) -> None:
        """Go on by these settings."""
        self._settings = settings
        if self._is_wanted and self._task is None:
            self._task = asyncio.create_task(self._send_on())

    def server_or_quorum(self, told: Told) -> None:
        """Tell of a real server or a quorum, if its configuration says `smtp_alert`."""
        virtual, action = told.virtual, told.action
        word = "UP" if action.up else "DOWN"
        if isinstance(action, TellQuorum):
            if virtual.settings.smtp_alert and not (action.starting and action.up):
                text = f"weight {action.weight}, held against {action.threshold}"
                self._queue_up(f"Quorum of virtual server {shown(virtual)} - {word}", f"Quorum is {word}: {text}.")
        elif virtual.real_servers[action.server].smtp_alert:
            server = endpoint(*action.server)
            subject = f"Realserver {server} of virtual server {shown(virtual)} - {word}"
            text = f"The real server is {'in' if action.up else 'out of'} service."
            self._queue_up(subject, f"{text}\n\n{told.cause}" if told.cause else text)

    def check(self, virtual: Virtual, checked: Checked) -> None:
        """Tell of a check that changed and moved nothing else, unless it says `no_checker_emails`."""
        _, server, name = checked.name
        configured = virtual.real_servers.get(server)
        if configured is None or not configured.smtp_alert or self._settings.mail.no_checkers:
            return
        up, detail = checked.report.verdict, checked.report.result.outcome.detail
        subject = f"Check {name} of realserver {endpoint(*server)} of virtual server {shown(virtual)}"
        self._queue_up(f"{subject} - {'UP' if up else 'DOWN'}", f"{name} {'succeeds' if up else 'fails'}: {detail}")

    def instance(self, name: str, state: State, *, is_group: bool = False) -> None:
        """Tell of a VRRP instance or group that has come into a state."""
        if state is State.FAULT and self._settings.mail.no_faults:
            return
        word = "STOP" if state is State.INITIALIZE else state.name
        kind = "VRRP Group" if is_group else "VRRP Instance"
        self._queue_up(f"{kind} {name} - Entering {word} state", f"{kind} {name} has entered {word} state.")

    async def close(self, patience: float = 2.0) -> None:
        """Give what waits so many seconds, then give up."""
        if self._task is not None:
            try:
                async with asyncio.timeout(patience):
                    await self._queue.join()
            except TimeoutError:
                _log.warning("%d messages could not be sent before the end", self._queue.qsize())
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    @property
    def _is_wanted(self) -> bool:
        return bool(self._settings.mail.server and self._settings.mail.recipients)

    def _queue_up(self, subject: str, text: str) -> None:
        if not self._is_wanted:
            return
        try:
            self._queue.put_nowait(self._message(subject, text))
        except asyncio.QueueFull:
            _log.error("a message is lost, for %d wait already: %s", LONGEST_QUEUE, subject)

    def _message(self, subject: str, text: str) -> EmailMessage:
        host, mail = os.uname().nodename, self._settings.mail
        message = EmailMessage()
        message["From"] = mail.sender or f"keepalived@{host}"
        message["To"] = ", ".join(mail.recipients)
        message["Date"] = formatdate(localtime=True)
        message["Message-ID"] = make_msgid(domain=host)
        message["X-Mailer"] = "directrix"
        message["Subject"] = _one_line(f"[{self._settings.router_id or host}] {subject}")
        message.set_content(_readable(text) + "\n")
        return message

    async def _send_on(self) -> None:
        while True:
            message = await self._queue.get()
            try:
                await self._send(message)
            finally:
                self._queue.task_done()

    async def _send(self, message: EmailMessage) -> None:
        for wait in (*self._again, None):
            mail = self._settings.mail
            try:
                # Each step has its own limit; this one is for a server that is slow in all of them.
                async with asyncio.timeout(4 * mail.connect_timeout):
                    await self._deliver(message, mail)
                return
            except Exception as error:  # a mail server may fail in any way, and none of them is to end the director
                _log.warning("%s doesn't take %r: %s", mail.server, str(message["Subject"]), error)
            if wait is not None:
                await asyncio.sleep(wait)
