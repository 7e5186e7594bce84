"""Debian's Prometheus, which scrapes daemons every second."""

import json
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from deploy.grafana.pictures.prometheus import Prometheus
from tests.support.helpers import eventually, required_program

REMEDY = "install it: apt-get install --no-install-recommends prometheus"


@contextmanager
def running_prometheus(
    folder: Path, ports: Sequence[int], *, rules: Sequence[Path] = ()
) -> Iterator[Prometheus]:
    """Scrape these ports of 127.0.0.1 and evaluate the files of rules, both every second. It answers once it has scraped one of them, which takes some six seconds."""
    program = required_program("prometheus", REMEDY)
    targets = [f"127.0.0.1:{port}" for port in ports]
    config = folder / "prometheus.yml"
    config.write_text(
        "global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}\n"
        f"rule_files: {json.dumps(list(map(str, rules)))}\n"
        f"scrape_configs: [{{job_name: retuned, static_configs: [{{targets: {targets}}}]}}]\n"
    )
    address = f"127.0.0.1:{_free_port()}"
    command = [
        str(program),
        f"--config.file={config}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address={address}",
    ]
    log = folder / "log"
    with log.open("wb") as output, subprocess.Popen(command, stdout=output, stderr=output) as server:
        try:
            found = Prometheus(address)
            eventually(lambda: server.poll() is not None or _has_scraped(found), deadline_s=60)
            assert server.poll() is None, log.read_text()
            yield found
        finally:
            server.terminate()


def _has_scraped(prometheus: Prometheus) -> bool:
    try:
        return bool(prometheus.value("max(up)"))
    except OSError:
        return False


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])
