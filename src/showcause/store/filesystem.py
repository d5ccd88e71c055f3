"""Every file-system call of the store, so that tests can record, fail and reorder them."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path


class FileSystem:
    """The real one. Files and directories are synced before they are named."""

    def read(self, path: Path) -> bytes:
        return path.read_bytes()

    def write(self, path: Path, data: bytes) -> None:
        """A new file, synced. Raises FileExistsError where there is one."""
        with open(path, "xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())

    def link(self, source: Path, target: Path) -> None:
        """Give a file a second name. Raises FileExistsError where the name is taken: this is the compare-and-swap."""
        os.link(source, target)

    def rename(self, source: Path, target: Path) -> None:
        os.replace(source, target)

    def remove(self, path: Path) -> None:
        with contextlib.suppress(FileNotFoundError):
            path.unlink()

    def touch(self, path: Path) -> None:
        os.utime(path)

    def age(self, path: Path, now: float) -> float:
        """Seconds since the file was written or touched."""
        return now - path.stat().st_mtime

    def exists(self, path: Path) -> bool:
        return path.exists()

    def make(self, folder: Path) -> None:
        """The folder and those above it, each name synced into its parent."""
        if folder.is_dir():
            return
        self.make(folder.parent)
        with contextlib.suppress(FileExistsError):
            folder.mkdir()
        self.sync(folder.parent)

    def sync(self, folder: Path) -> None:
        if os.name == "nt":  # Windows cannot open directories; NTFS journals names by itself
            return
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

    def names(self, folder: Path) -> list[str]:
        """Entries of a folder, sorted; none where it is not there."""
        try:
            return sorted(os.listdir(folder))
        except FileNotFoundError:
            return []

    def files(self, folder: Path) -> list[Path]:
        """All files below, sorted; links are listed, never followed."""
        return sorted(Path(top) / name for top, _, names in os.walk(folder, followlinks=False) for name in names)
