"""The private PostGIS cluster: made, started and stopped from the installed server programs.

It listens on a Unix socket only, in a folder that nobody else may enter, so it needs no port
and no password. PostgreSQL refuses to run as root: for root it runs as the `postgres` user.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import hashlib
import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from shikong.store.errors import ServerMissing, StoreError

OWNER = "shikong"
_SOCKET_ROOT = Path("/tmp")  # noqa: S108 - socket paths are limited to 107 bytes; the folder is checked and 0700


@dataclass(frozen=True)
class Cluster:
    """A private cluster. `durable=False` trades safety for speed and is for tests only."""

    home: Path
    socket: Path
    durable: bool = True

    @property
    def dsn(self) -> str:
        """libpq address of the service's database."""
        return self.dsn_of(OWNER)

    def dsn_of(self, database: str) -> str:
        """libpq address of a database in this cluster."""
        return f"host={self.socket} user={OWNER} dbname={database}"

    def ensure_running(self) -> None:
        """Make the cluster if it is not there and start it if it does not run.

        Raises ServerMissing when no server programs with PostGIS are installed.
        """
        bindir = find_programs()
        _private_folder(self.socket)
        if not _as_owner("test", "-f", str(self.home / "PG_VERSION"), check=False):
            self._init(bindir)
        if not self.running():
            _as_owner(
                str(bindir / "pg_ctl"), "-D", str(self.home), "-l", str(self.home / "server.log"), "-w", "-t", "60",
                "-o", f"-k {self.socket} -c listen_addresses=''", "start",
            )  # fmt: skip

    def stop(self) -> None:
        """Stop the cluster; harmless when it does not run."""
        if self.running():
            _as_owner(str(find_programs() / "pg_ctl"), "-D", str(self.home), "-m", "fast", "-w", "stop")

    def running(self) -> bool:
        """Whether the server answers for this folder."""
        return _as_owner(str(find_programs() / "pg_ctl"), "-D", str(self.home), "status", check=False)

    def _init(self, bindir: Path) -> None:
        _private_folder(self.home)
        _as_owner(
            str(bindir / "initdb"), "-D", str(self.home), "-U", OWNER, "--auth=trust", "--encoding=UTF8",
            "--locale=C.UTF-8", "--data-checksums",
        )  # fmt: skip
        conf = self.home / "postgresql.conf"
        text = "".join(f"{name} = {value}\n" for name, value in _tuning(self.durable).items())
        _as_owner("sh", "-c", 'printf "%s" "$1" >> "$2"', "sh", text, str(conf))


def private(data: Path) -> Cluster:
    """The private cluster that belongs to a data folder."""
    digest = hashlib.sha256(str(data).encode()).hexdigest()[:10]
    home = data / "postgres"
    if os.geteuid() == 0 and not _reachable_by_owner(data):
        home = Path("/var/lib/shikong") / digest  # a folder below /root is closed to the postgres user
    return Cluster(home, _SOCKET_ROOT / f"shikong-{digest}")


def find_programs() -> Path:
    """Folder of the newest installed server programs that have PostGIS. Raises ServerMissing."""
    candidates = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name), reverse=True)
    on_path = shutil.which("pg_config")
    if on_path:
        candidates.append(Path(_output(on_path, "--bindir")))
    for bindir in candidates:
        config = bindir / "pg_config"
        share = Path(f"/usr/share/postgresql/{bindir.parent.name}")
        if not share.is_dir() and config.exists():
            share = Path(_output(str(config), "--sharedir"))
        if (bindir / "initdb").exists() and (share / "extension/postgis.control").exists():
            return bindir
    raise ServerMissing


def _output(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def _owner() -> str | None:
    """The account that must run the server, or None for the present one."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam("postgres").pw_name
    except KeyError:
        raise ServerMissing from None


def _as_owner(*command: str, check: bool = True) -> bool:
    """Run a command as the account that owns the cluster; whether it succeeded."""
    owner = _owner()
    prefix = ["runuser", "-u", owner, "--"] if owner else []
    done = subprocess.run([*prefix, *command], cwd="/", capture_output=True, text=True, check=False)
    if check and done.returncode:
        raise StoreError(f"{Path(command[0]).name} failed: {(done.stderr or done.stdout).strip()}")
    return done.returncode == 0


def _private_folder(path: Path) -> None:
    """Make a folder that only the cluster's account may enter."""
    owner = _owner()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.mkdir(mode=0o700, exist_ok=True)
    if owner:
        shutil.chown(path, owner, owner)
    expected = pwd.getpwnam(owner).pw_uid if owner else os.geteuid()
    if path.is_symlink() or path.stat().st_uid != expected:
        raise StoreError(f"{path} belongs to somebody else; remove it or choose another SHIKONG_DATA")
    path.chmod(0o700)


def _reachable_by_owner(folder: Path) -> bool:
    folder.mkdir(parents=True, exist_ok=True)
    return _as_owner("test", "-x", str(folder), check=False)


def _tuning(durable: bool) -> dict[str, str]:
    """Server settings for one machine that also runs the service.

    JIT compiles for longer than most of our queries run, so it is off.
    """
    memory_mb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20
    settings = {
        "shared_buffers": f"{max(128, min(memory_mb // 8, 8192))}MB",
        "effective_cache_size": f"{max(512, memory_mb // 2)}MB",
        "work_mem": "32MB",
        "maintenance_work_mem": f"{max(64, min(memory_mb // 16, 1024))}MB",
        "max_wal_size": "4GB",
        "checkpoint_timeout": "15min",
        "wal_compression": "on",
        "random_page_cost": "1.1",
        "jit": "off",
        "max_connections": "100",
        "timezone": "'Asia/Shanghai'",
        "log_timezone": "'Asia/Shanghai'",
        "log_min_duration_statement": "5s",
    }
    if not durable:
        settings |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "shared_buffers": "128MB"}
    return settings
