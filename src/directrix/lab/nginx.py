"""The nginx of a real server: its configuration, written for one host of a lab."""

from __future__ import annotations

import grp
import pwd

from directrix.lab.definition import Host

LARGE = 100 * 1024 * 1024
"""Size of what `/large` answers with, in bytes; a sparse file, so it takes no memory."""


def configuration(host: Host) -> str:
    """The nginx.conf of a host; paths in it are relative to the directory nginx is given with `-p`.

    `/` answers with the host's name, `/large` with LARGE zero bytes.
    """
    nobody = pwd.getpwnam("nobody")
    listening = "\n".join(
        f"        listen {where}{port} backlog=4096{option};"
        for port in host.nginx
        for where, option in (("", ""), ("[::]:", " ipv6only=on"))
    )
    return f"""\
user nobody {grp.getgrgid(nobody.pw_gid).gr_name};
worker_processes 1;
worker_rlimit_nofile 16384;
pid nginx.pid;
error_log error.log;

events {{
    worker_connections 8192;
}}

http {{
    access_log off;
    client_max_body_size 0;
    client_body_temp_path client-body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    default_type text/plain;
    keepalive_requests 1000000;

    server {{
{listening}
        server_name {host.name};

        location / {{
            return 200 "{host.name}\\n";
        }}
        location = /large {{
            root files;
        }}
    }}
}}
"""


def command(directory: str) -> list[str]:
    """The command that starts it; it goes into the background once it listens."""
    return ["nginx", "-p", f"{directory}/", "-c", "nginx.conf", "-e", "error.log"]
