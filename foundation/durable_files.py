"""Files that survive a power cut: written whole, in folders whose entries are on the disk too."""

import os
from pathlib import Path

# Kinds of filesystems that end with the machine, or with the container.
IN_MEMORY = {"tmpfs", "ramfs", "devtmpfs"}
MOUNTS = Path("/proc/self/mountinfo")


def make_folder(path: Path) -> None:
    """Create the folder and its missing parents, for this user only. A folder that exists stays as it is."""
    missing = [one for one in (path, *path.parents) if not one.exists()]
    for folder in reversed(missing):
        folder.mkdir(mode=0o700, exist_ok=True)
        sync_folder(folder.parent)


def write_file(path: Path, data: bytes) -> None:
    """Write the file, or replace it by rename: a kill leaves the old or the new. After an error nothing is left."""
    part = path.with_name(f"{path.name}.part")
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def move_file(path: Path, folder: Path) -> Path:
    """Move the file into a folder of the same disk, which is made if need be. Returns its new path."""
    make_folder(folder)
    target = folder / path.name
    path.replace(target)
    sync_folder(folder)
    sync_folder(path.parent)
    return target


def sync_folder(path: Path) -> None:
    """Wait until the entries of the folder are on the disk: new names, renames, removals."""
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def memory_filesystem(path: Path) -> str | None:
    """The kind of the filesystem that has the path, or would have it, if that is in memory, such as `tmpfs`.

    None for a disk, and on systems without /proc.
    """
    whole = path.resolve()
    device = next(one for one in (whole, *whole.parents) if one.exists()).stat().st_dev
    number = f"{os.major(device)}:{os.minor(device)}"
    if not MOUNTS.exists():
        return None
    # "36 35 98:0 /root /mount/point rw,noatime shared:1 - ext3 /dev/root rw": proc_pid_mountinfo(5).
    for line in MOUNTS.read_text(errors="replace").splitlines():
        kind = line.partition(" - ")[2].split(" ", 1)[0]
        if line.split(" ", 3)[2] == number and kind in IN_MEMORY:
            return kind
    return None
