"""A file over TCP: `serve FILE READY` sends it to whoever connects to port 8080, `fetch FILE ADDRESS PORT` compares.

READY is made when the server listens. What fetching came to is printed: `the file`, `another file`,
`refused`, `no answer`.
"""

from __future__ import annotations

import socket
import sys
from pathlib import Path

PORT = 8080
PATIENCE = 5.0


def serve(file: bytes, ready: Path) -> None:
    with socket.create_server(("::", PORT), family=socket.AF_INET6, dualstack_ipv6=True) as listener:
        ready.touch()
        while True:
            with listener.accept()[0] as client:
                client.sendall(file)


def fetch(file: bytes, address: str, port: int) -> str:
    try:
        with socket.create_connection((address, port), PATIENCE) as server:
            came = b"".join(iter(lambda: server.recv(1 << 16), b""))
    except ConnectionRefusedError:
        return "refused"
    except TimeoutError:
        return "no answer"
    return "the file" if came == file else "another file"


if __name__ == "__main__":
    verb, name, argument, *more = sys.argv[1:]
    if verb == "serve":
        serve(Path(name).read_bytes(), Path(argument))
    else:
        print(fetch(Path(name).read_bytes(), argument, int(more[0])))
