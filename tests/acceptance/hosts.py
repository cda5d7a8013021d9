"""Two machines on one: network namespaces joined by a cable (Linux, as root)."""

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import psutil

_IP = shutil.which("ip") or ""


@dataclass(frozen=True, slots=True)
class Host:
    """A network namespace with one address."""

    name: str
    address: str

    @property
    def inside(self) -> list[str]:
        """Give what a command line begins with that sees this machine's disk and only this host's network."""
        return [_IP, "netns", "exec", self.name]

    def start(
        self, command: Sequence[str], settings: Mapping[str, str], *, log: int = subprocess.DEVNULL
    ) -> "subprocess.Popen[bytes]":
        """Start a program on it."""
        environment = os.environ | dict(settings)
        return subprocess.Popen([*self.inside, *command], env=environment, stdout=log, stderr=log)

    def pull_the_plug(self) -> None:
        """Kill everything that runs on it, at once."""
        for process in [psutil.Process(pid) for pid in self._pids()]:
            process.kill()

    def _pids(self) -> list[int]:
        said = subprocess.run([_IP, "netns", "pids", self.name], capture_output=True, text=True, check=True)
        return [int(pid) for pid in said.stdout.split()]


def why_not() -> str:
    """Say why hosts cannot be made here; empty when they can."""
    if not _IP:
        return "needs the program `ip` (Debian: iproute2)"
    command = [_IP, "netns", "add", "okapia-probe"]
    probe = subprocess.run(command, capture_output=True, text=True, check=False)
    if probe.returncode:
        return f"needs network namespaces: {probe.stderr.strip()}"
    _ip("netns", "delete", "okapia-probe")
    return ""


@contextmanager
def two_hosts() -> Iterator[tuple[Host, Host]]:
    """Give two hosts that reach each other and nothing else; all that runs on them ends with the block."""
    tag = f"{os.getpid() % 10_000}"
    first, second = Host(f"okapia-a{tag}", "10.231.7.1"), Host(f"okapia-b{tag}", "10.231.7.2")
    cables = {first: f"oka{tag}", second: f"okb{tag}"}
    try:
        for host in cables:
            _ip("netns", "add", host.name)
        _ip("link", "add", cables[first], "type", "veth", "peer", "name", cables[second])
        for host, cable in cables.items():
            _ip("link", "set", cable, "netns", host.name)
            _ip("-n", host.name, "address", "add", f"{host.address}/24", "dev", cable)
            for device in (cable, "lo"):
                _ip("-n", host.name, "link", "set", device, "up")
        yield first, second
    finally:
        for host in cables:
            host.pull_the_plug()
            _ip("netns", "delete", host.name)


def _ip(*arguments: str) -> None:
    subprocess.run([_IP, *arguments], check=True, capture_output=True)
