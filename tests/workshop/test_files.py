import os
import subprocess
import sys
from pathlib import Path

import pytest

from minigan.workshop.files import locked_folder, whole_file, writable_folder


def test_a_file_appears_whole_and_in_new_folders(tmp_path):
    path = tmp_path / "new" / "folder" / "file.txt"
    with whole_file(path) as part:
        part.write_text("whole")
        assert not path.exists()
    assert path.read_text() == "whole"
    assert list(path.parent.iterdir()) == [path]


def test_an_exception_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "file.txt"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt), whole_file(path) as part:
        part.write_text("ha")
        raise KeyboardInterrupt
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_the_file_is_synced_through_a_descriptor_that_may_write(tmp_path, monkeypatch):
    # To write nothing fails on a descriptor that is read-only, as fsync does on Windows.
    monkeypatch.setattr("minigan.workshop.files.os.fsync", lambda file: os.write(file, b""))
    with whole_file(tmp_path / "file.txt") as part:
        part.write_text("whole")
    assert (tmp_path / "file.txt").read_text() == "whole"


def test_a_folder_is_proved_to_be_writable_and_left_empty(tmp_path):
    writable_folder(tmp_path / "new" / "folder")
    assert not list((tmp_path / "new" / "folder").iterdir())
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(OSError, match=f"no file can be written in the folder .*{path.name} "):
            writable_folder(path)


def process(code, folder):
    """Runs code, which prints a line when it is ready, in another process in the folder."""
    code = f"from minigan.workshop.files import *\n{code}\n    print('ready', flush=True); input()"
    other = subprocess.Popen([sys.executable, "-c", code], cwd=folder, text=True,
                             env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert other.stdout.readline() == "ready\n"
    return other


def test_a_killed_writer_s_part_is_cleared_by_the_next_and_a_living_one_s_is_not(tmp_path):
    code = "with whole_file('file [1].txt') as part:\n    part.write_text('whole')"
    with process(code, tmp_path) as dead:
        dead.kill()
    (tmp_path / ".part-0-other").write_text("of another file")
    living = process(code, tmp_path)
    assert len(list(tmp_path.glob(".part-*.txt"))) == 1  # that of the living
    with whole_file(tmp_path / "file [1].txt") as part:
        part.write_text("mine")
    assert len(list(tmp_path.glob(".part-*.txt"))) == 1
    living.communicate("\n", timeout=20)
    assert living.returncode == 0 and (tmp_path / "file [1].txt").read_text() == "whole"
    assert {path.name for path in tmp_path.iterdir()} == {"file [1].txt", ".part-0-other"}


def test_a_folder_is_locked_until_its_process_ends_however_it_ends(tmp_path):
    with process("with locked_folder('.'):", tmp_path) as other:
        with pytest.raises(OSError, match=f"another run is at work in {tmp_path}: let it end"):
            with locked_folder(tmp_path):
                pass
        other.kill()
    for _ in range(2):
        with locked_folder(tmp_path):
            pass


def test_where_there_are_no_locks_that_is_said_and_no_one_is_kept_out(
        tmp_path, monkeypatch, capsys):
    def fail(_):
        raise OSError("no locks available")

    monkeypatch.setattr("minigan.workshop.files._lock", fail)
    with locked_folder(tmp_path), whole_file(tmp_path / "file.txt") as part:
        part.write_text("whole")
    assert "cannot be locked (no locks available): start no second" in capsys.readouterr().out
    assert (tmp_path / "file.txt").read_text() == "whole"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a disk that is full")
def test_an_error_while_writing_names_the_file(tmp_path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="file.txt could not be written: .*No space left"):
        with whole_file(tmp_path / "file.txt"), open("/dev/full", "w") as full:
            full.write("whole")
    with pytest.raises(OSError, match="folder could not be written: .*"):
        with whole_file(tmp_path / "folder") as part:
            part.write_text("whole")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]
