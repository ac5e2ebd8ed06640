"""A file is written whole or not at all, so that half a file never replaces a good one."""
import os
import secrets
import tempfile
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole_file(path):
    """`with whole_file(path) as part:` write to the path `part`; it becomes `path` if all is well.
    Until then, and after an exception, an older file stays as it was. Creates missing folders."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".part-{secrets.token_hex(4)}-{path.name}")
    try:
        yield part
        with open(part, "r+b") as file:  # r+b: Windows syncs no file that is open to read only
            os.fsync(file.fileno())  # or a power cut could leave the new name on empty content
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def writable_folder(path):
    """Creates the folder if need be, and raises OSError now if no file can be written there."""
    try:
        Path(path).mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=path).close()
    except OSError as error:
        raise OSError(
            f"no file can be written in the folder {path} ({error}): choose another one") from error
