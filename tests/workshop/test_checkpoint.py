import zipfile

import numpy as np
import pytest

from minigan import Adam, BatchNorm, Dense, Sequential
from minigan.workshop import load, save


def test_a_nested_dictionary_comes_back_bit_for_bit(tmp_path):
    rng = np.random.default_rng(0)
    rng.random(5)
    state = {"net": {"0.W": rng.standard_normal((3, 4), np.float32), "deep": {"b": np.zeros(0)}},
             "noise": rng.bit_generator.state, "step": 938, "lr": 0.1, "nothing": None,
             "history": rng.standard_normal((7, 4)),
             "arguments": {"loss": "hinge", "data": [1, "a"]}}
    save(tmp_path / "a.npz", state)
    found = load(tmp_path / "a.npz")
    np.testing.assert_equal(found, state)
    assert found["net"]["0.W"].dtype == np.float32 and found["net"]["deep"]["b"].shape == (0,)
    assert isinstance(found["step"], int)


def test_a_random_stream_goes_on_where_it_was(tmp_path):
    rng = np.random.default_rng(0)
    rng.standard_normal(7)
    save(tmp_path / "a.npz", {"rng": rng.bit_generator.state})
    expected = rng.standard_normal(7)
    other = np.random.default_rng(1)
    other.bit_generator.state = load(tmp_path / "a.npz")["rng"]
    assert np.array_equal(other.standard_normal(7), expected)


def test_networks_and_optimizers_go_through_a_file(tmp_path):
    def make(seed):
        net = Sequential(Dense(3, 4, np.random.default_rng(seed)), BatchNorm(4))
        return net, Adam(net.parameters())

    net, adam = make(0)
    y, cache = net.forward(np.random.default_rng(2).standard_normal((5, 3), np.float32))
    net.backward(y, cache)
    adam.step()
    save(tmp_path / "a.npz", {"net": net.state_dict(), "adam": adam.state_dict()})
    other, other_adam = make(1)
    found = load(tmp_path / "a.npz")
    other.load_state_dict(found["net"])
    other_adam.load_state_dict(found["adam"])
    np.testing.assert_equal(other.state_dict(), net.state_dict())
    np.testing.assert_equal(other_adam.state_dict(), adam.state_dict())


def test_the_file_holds_no_pickle(tmp_path):
    save(tmp_path / "a.npz", {"W": np.ones(3), "text": "x"})
    with zipfile.ZipFile(tmp_path / "a.npz") as archive:
        assert not any(b"|O" in archive.read(name)[:128] for name in archive.namelist())


def test_a_save_that_fails_half_way_leaves_the_old_checkpoint(tmp_path, monkeypatch):
    def fill_the_disk(file, **members):
        file.write(b"PK half of a file")
        raise OSError("no space left on device")

    path = tmp_path / "a.npz"
    save(path, {"step": 1})
    with pytest.raises(TypeError, match="object is not JSON serializable"):
        save(path, {"step": object()})
    monkeypatch.setattr(np, "savez", fill_the_disk)
    with pytest.raises(OSError, match="no space left"):
        save(path, {"step": 2})
    assert load(path) == {"step": 1} and list(tmp_path.iterdir()) == [path]


def test_arrays_may_have_any_name_without_a_slash(tmp_path):
    state = {name: np.full(2, i) for i, name in enumerate(
        ["json", "file", "args", "kwds", "allow_pickle", "arrays", "", "a b.c"])}
    save(tmp_path / "a.npz", state | {"deep": state})
    np.testing.assert_equal(load(tmp_path / "a.npz"), state | {"deep": state})


@pytest.mark.parametrize("key", [3, None, "a/b"])
@pytest.mark.parametrize("value", [1, np.ones(2), {}], ids=["plain", "array", "dictionary"])
def test_keys_that_would_not_come_back_are_refused(tmp_path, key, value):
    for state in ({key: value}, {"deep": {key: value}}):
        with pytest.raises(ValueError, match=f"keys are strings without /, got {key!r}: rename"):
            save(tmp_path / "a.npz", state)
    assert not list(tmp_path.iterdir())


def test_arrays_of_objects_are_refused_since_only_pickle_could_save_them(tmp_path):
    for array in (np.array([object()]), np.zeros(2, [("x", float), ("y", object)])):
        with pytest.raises(ValueError, match="W is an array of Python objects"):
            save(tmp_path / "a.npz", {"net": {"W": array}})


def test_a_path_without_npz_is_kept_as_it_is(tmp_path):
    save(tmp_path / "model", {"step": 1})
    assert load(tmp_path / "model") == {"step": 1}


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no checkpoint .*gone.npz"):
        load(tmp_path / "gone.npz")


def with_byte(content, position, value):
    """A zip file with another byte at `position` of the first entry of its directory."""
    content = bytearray(content)
    content[content.index(b"PK\1\2") + position] = value
    return bytes(content)


DAMAGES = {
    "text": lambda path: path.write_bytes(b"not a zip"),
    "empty": lambda path: path.write_bytes(b""),
    "truncated": lambda path: path.write_bytes(path.read_bytes()[:-200]),
    "flipped": lambda path: path.write_bytes(path.read_bytes().replace(b"\xf0\x3f", b"\xf0\x3e")),
    "encrypted": lambda path: path.write_bytes(with_byte(path.read_bytes(), 8, 1)),
    "an unknown compression": lambda path: path.write_bytes(with_byte(path.read_bytes(), 10, 99)),
    "another npz": lambda path: np.savez(path, W=np.ones(3)),
    "other JSON": lambda path: np.savez(path, json=np.array("3")),
    "other nesting": lambda path: np.savez(path, json=np.array('{"a": 3}'), **{"arrays/a/b": 1}),
    "pickle": lambda path: np.savez(path, json=np.array("{}"), W=np.array([object()])),
    "a folder": lambda path: path.unlink() or path.mkdir(),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_is_not_a_whole_checkpoint_is_refused_by_name(tmp_path, damage):
    path = tmp_path / "a.npz"
    save(path, {"W": np.ones(1000), "step": 1})
    DAMAGES[damage](path)
    with pytest.raises(ValueError, match="a.npz is not a whole checkpoint of minigan"):
        load(path)


def test_a_broken_compression_is_refused_by_name(tmp_path):
    np.savez_compressed(tmp_path / "a.npz", json=np.array("{}"), W=np.arange(1000))
    content = (tmp_path / "a.npz").read_bytes()
    (tmp_path / "a.npz").write_bytes(content.replace(content[400:600], b"\xff" * 200))
    with pytest.raises(ValueError, match="a.npz is not a whole checkpoint of minigan"):
        load(tmp_path / "a.npz")


def test_a_member_that_unpacks_to_more_than_the_file_is_refused_before_it_is_unpacked(
        tmp_path, monkeypatch):
    np.savez_compressed(tmp_path / "a.npz", json=np.array("{}"), **{"arrays/W": np.zeros(10**6)})
    monkeypatch.setattr(np.lib.npyio.NpzFile, "__getitem__", None)
    with pytest.raises(ValueError, match="a.npz is not .*: its members unpack to more than"):
        load(tmp_path / "a.npz")


def test_a_damaged_member_is_named(tmp_path):
    save(tmp_path / "a.npz", {"net": {"W": np.ones(1000)}, "step": 1})
    content = (tmp_path / "a.npz").read_bytes()
    (tmp_path / "a.npz").write_bytes(content.replace(b"\xf0\x3f", b"\xf0\x3e"))
    with pytest.raises(ValueError, match="a.npz is not a whole .*arrays/net/W"):
        load(tmp_path / "a.npz")
