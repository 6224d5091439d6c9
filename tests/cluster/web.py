"""nginx on real servers, and clients that ask for pages without end and count what fails."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections import Counter
from pathlib import Path

from hosts import VIP, Host, until
from traffic import connect

_CONF = """
daemon off; master_process off; pid {here}/pid; error_log {here}/error.log;
events {{ worker_connections 512; }}
http {{
  access_log off; client_body_temp_path {here}/b; proxy_temp_path {here}/p; fastcgi_temp_path {here}/f;
  uwsgi_temp_path {here}/u; scgi_temp_path {here}/s;
  server {{ listen 80 default_server; location / {{ return 200 "{name}\\n"; }} }}
}}
"""


class Nginx:
    """A web server that says its host's name."""

    def __init__(self, host: Host, directory: Path) -> None:
        self._host = host
        self._here = directory / host.name
        self._here.mkdir()
        (self._here / "nginx.conf").write_text(_CONF.format(here=self._here, name=host.name))
        self.start()

    def start(self) -> None:
        self._process = self._host.start("nginx", "-p", str(self._here), "-c", str(self._here / "nginx.conf"))

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


class Load:
    """Some clients, each asking for one page after the other over new connections.

    They wait for so many seconds, `thinking`, between connecting and asking: what happens meanwhile meets open ones.
    """

    def __init__(self, host: Host, clients: int = 4, patience: float = 1.0, thinking: float = 0.0) -> None:
        self.answers: Counter[str] = Counter()
        self.failures: list[tuple[float, str]] = []
        self._host, self._patience, self._thinking, self._over = host, patience, thinking, False
        self._threads = [threading.Thread(target=self._ask_on, daemon=True) for _ in range(clients)]
        for thread in self._threads:
            thread.start()

    def _ask_on(self) -> None:
        while not self._over:
            try:
                with connect(self._host, VIP, 80, self._patience) as s:
                    time.sleep(self._thinking)
                    s.sendall(b"GET / HTTP/1.0\r\n\r\n")
                    said = b""
                    while part := s.recv(4096):
                        said += part
                self.answers[said.split()[-1].decode()] += 1
            except (OSError, IndexError) as error:
                self.failures.append((time.monotonic(), str(error)))
            time.sleep(0.002)

    def more(self, count: int = 100) -> Counter[str]:
        """Who answers the next so many requests."""
        before = self.answers.copy()
        until(f"{count} more requests are answered", lambda: (self.answers - before).total() >= count, 30.0)
        return self.answers - before

    def settles_on(self, *servers: str) -> None:
        """Wait until of so many requests in a row each of these servers answers some, and nobody else any.

        What the table lists the data plane goes by a moment later, and requests that were under way are answered late.
        """
        until(f"{servers} answer", lambda: set(self.more()) == set(servers), 30.0)

    def failed_since(self, moment: float) -> int:
        return sum(at >= moment for at, _ in self.failures)

    def stop(self) -> None:
        self._over = True
        for thread in self._threads:
            thread.join()


class Directing:
    """`directrix run` on a host, as a user starts it."""

    def __init__(self, host: Host, directory: Path, configuration: str, *words: str) -> None:
        self.host = host
        self.file = directory / f"{host.name}.conf"
        self.log = directory / f"{host.name}.log"
        self._words = words
        self.file.write_text(configuration)
        self.start()

    def start(self) -> None:
        import sys

        environment = {name: value for name, value in os.environ.items() if not name.startswith("DIRECTRIX")}
        # Not through nsenter's child: signals are for the director itself, which nsenter becomes.
        self.process: subprocess.Popen[str] = self.host.start(
            *(sys.executable, "-m", "directrix", "run", "-f", str(self.file), *self._words),
            stderr=self.log.open("a"),
            env=environment,
        )

    def said(self, text: str) -> int:
        """How often the log says something."""
        return self.log.read_text().count(text)

    def ready(self, times: int = 1) -> None:
        until("the director is ready", lambda: self.said("ready: ") >= times or self._gone(), 60.0)

    def _gone(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        return False

    def reload(self, configuration: str) -> None:
        self.file.write_text(configuration)
        self.process.send_signal(signal.SIGHUP)

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait(30)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
