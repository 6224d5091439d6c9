"""nginx behind the director, ab before it."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from hosts import VIP, VIP6, Cluster, service, until
from traffic import connect

pytestmark = pytest.mark.root

NGINX = """
daemon off; master_process off; pid {dir}/pid; error_log {dir}/error;
events {{ worker_connections 4096; }}
http {{
  access_log off; client_body_temp_path {dir}; proxy_temp_path {dir}; fastcgi_temp_path {dir};
  uwsgi_temp_path {dir}; scgi_temp_path {dir};
  server {{ listen {vip}:80 backlog=4096; listen [{vip6}]:80 backlog=4096; location / {{ return 200 {name}; }} }}
}}
"""


@pytest.mark.parametrize("vip", [VIP, VIP6], ids=["IPv4", "IPv6"])
def test_ab_fails_no_request(one: Cluster, vip: str, tmp_path: Path) -> None:
    for tool in ("nginx", "ab"):
        if not shutil.which(tool):
            pytest.skip(f"{tool} is not installed")
    for name in ("rs1", "rs2"):
        directory = tmp_path / name
        directory.mkdir()
        (directory / "conf").write_text(NGINX.format(dir=directory, vip=VIP, vip6=VIP6, name=name))
        one[name].set("core/somaxconn", 4096)
        one[name].start("nginx", "-c", str(directory / "conf"), "-e", str(directory / "error"))
    one["director"].up()
    one["director"].restore(service())

    def listening() -> bool:
        try:
            for name in ("rs1", "rs2"):
                connect(one[name], vip).close()
        except OSError:
            return False
        return True

    until("both answer", listening, 5)
    url = f"http://[{vip}]/" if ":" in vip else f"http://{vip}/"
    done = one["client"].run("ab", "-q", "-n", "5000", "-c", "500", "-s", "20", url)
    assert re.search(r"Complete requests: +5000\n", done.stdout)
    assert re.search(r"Failed requests: +0\n", done.stdout)
    assert "Non-2xx" not in done.stdout
    # A client port that comes again while the director still knows its last connection is, as in IPVS, no new one.
    director = one["director"]

    def counted() -> int:
        lines = director.ipvsadm("-Ln --stats --exact").splitlines()
        [row] = [line.split() for line in lines if line.startswith("TCP") and vip in line]
        return int(row[2])

    until("most connections are counted", lambda: counted() > 4000, 5)
    assert counted() <= 5002
    print("\n" + re.search(r"Requests per second.*", done.stdout)[0])  # type: ignore[index]
