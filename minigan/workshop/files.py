"""A file is written whole or not at all, so that half a file never replaces a good one."""
import glob
import os
import secrets
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows, which has msvcrt
    fcntl = None


@contextmanager
def whole_file(path):
    """`with whole_file(path) as part:` write to the path `part`; it becomes `path` if all is well.
    Until then, and after an exception, an older file stays as it was. Creates missing folders, and
    removes what killed processes left of this file. An OSError names it."""
    path = Path(path)
    part = path.with_name(f".part-{secrets.token_hex(4)}-{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        for old in path.parent.glob(f".part-*-{glob.escape(path.name)}"):
            with suppress(OSError):  # its writer lives
                with open(old, "r+b") as file:
                    _lock(file)
                old.unlink()
        with open(part, "xb") as file:
            with suppress(OSError):  # some network drives know no locks
                _lock(file)
            yield part
            os.fsync(file.fileno())  # or a power cut could leave the new name on empty content
        os.replace(part, path)
    except OSError as error:
        raise OSError(f"{path} could not be written: {error}") from error
    finally:
        with suppress(OSError):
            part.unlink()


def writable_folder(path):
    """Creates the folder if need be, and raises OSError now if no file can be written there."""
    try:
        Path(path).mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=path).close()
    except OSError as error:
        raise OSError(
            f"no file can be written in the folder {path} ({error}): choose another one") from error


@contextmanager
def locked_folder(path):
    """A writable_folder that no other process can have: it gets OSError. The lock, on a file .lock
    that stays, ends with the process, however that ends."""
    writable_folder(path)
    with open(Path(path) / ".lock", "ab") as file:
        try:
            _lock(file)
        except (BlockingIOError, PermissionError):
            raise OSError(f"another run is at work in {path}: let it end, or choose another folder"
                          ) from None
        except OSError as error:
            print(f"{path} cannot be locked ({error}): start no second run there")
        yield


def _lock(file):
    """Locks an open file until it is closed, or raises OSError."""
    if fcntl:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    else:
        import msvcrt
        file.seek(2**30)  # where nobody writes: what is locked there, no one else may write
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
