import json
import zipfile

import numpy as np
import pytest

from minigan import Adam, BatchNorm, Dense, Sequential, load, save


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


def test_a_failing_save_leaves_the_old_checkpoint(tmp_path):
    path = tmp_path / "a.npz"
    save(path, {"step": 1})
    with pytest.raises(TypeError):
        save(path, {"step": object()})
    assert load(path) == {"step": 1} and list(tmp_path.iterdir()) == [path]


def test_a_path_without_npz_is_kept_as_it_is(tmp_path):
    save(tmp_path / "model", {"step": 1})
    assert load(tmp_path / "model") == {"step": 1}


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no checkpoint .*gone.npz"):
        load(tmp_path / "gone.npz")


@pytest.mark.parametrize("damage", ["truncated", "text", "empty", "another npz", "pickle"])
def test_what_is_not_a_whole_checkpoint_is_refused_by_name(tmp_path, damage):
    path = tmp_path / "a.npz"
    save(path, {"W": np.ones(1000), "step": 1})
    if damage == "truncated":
        path.write_bytes(path.read_bytes()[:-200])
    elif damage == "another npz":
        np.savez(path, W=np.ones(3))
    elif damage == "pickle":
        np.savez(path, json=np.array(json.dumps({})), W=np.array([object()]))
    else:
        path.write_bytes({"text": b"not a zip", "empty": b""}[damage])
    with pytest.raises(ValueError, match="a.npz is not a whole checkpoint of minigan"):
        load(path)
