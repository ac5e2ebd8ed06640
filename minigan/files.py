"""A file is written whole or not at all, so that half a file never replaces a good one."""
import os
import secrets
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole_file(path):
    """`with whole_file(path) as part:` write to the path `part`; it becomes `path` if all is well.

    Until then, and if an exception leaves the block, an older file `path` stays as it was. Missing
    folders are created.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".part-{secrets.token_hex(4)}-{path.name}")
    try:
        yield part
        with open(part, "rb") as file:
            os.fsync(file.fileno())  # or a power cut could leave the new name on empty content
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
