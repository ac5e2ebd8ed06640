import os

import pytest

from minigan.workshop.files import whole_file, writable_folder


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
