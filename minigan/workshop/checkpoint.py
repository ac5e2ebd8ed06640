"""A checkpoint: a dictionary of arrays and plain numbers, in one .npz file without pickle.

It is nested as you like, e.g. {"generator": generator.state_dict(), "noise":
rng.bit_generator.state, "step": 938}. Arrays become members of the .npz under the path of their
keys, and the rest is one JSON text beside them: to read a stranger's file runs none of its code."""
import json

import numpy as np

from minigan.backend import to_host
from minigan.workshop.files import whole_file


def save(path, state):
    """Writes a dictionary of dictionaries, arrays (NumPy or CuPy) and JSON values, atomically.
    Raises ValueError if a key is no string or has a slash, or if an array holds Python objects."""
    arrays = {}

    def take_arrays(node, path):
        plain = {}
        for key, value in node.items():
            if not isinstance(key, str) or "/" in key:
                raise ValueError(f"checkpoint keys are strings without /, got {key!r}: rename it")
            if isinstance(value, dict):
                plain[key] = take_arrays(value, f"{path}/{key}")
            elif hasattr(value, "dtype"):
                if value.dtype.hasobject:
                    raise ValueError(f"{key} is an array of Python objects: make it one of numbers")
                arrays[f"{path}/{key}"] = to_host(value)
            else:
                plain[key] = value
        return plain

    text = json.dumps(take_arrays(state, "arrays"))  # so no array has the name "json" or "file"
    with whole_file(path) as part, open(part, "wb") as file:
        np.savez(file, json=np.array(text), **arrays)


def load(path):
    """Returns the dictionary that `save` wrote, with NumPy arrays. Raises FileNotFoundError if
    there is no such file, ValueError if it is no whole checkpoint."""
    try:
        with np.load(path, allow_pickle=False) as file:
            state = dict(json.loads(str(file["json"])))
            for name in file.files:
                if name != "json":
                    *folders, last = name.removeprefix("arrays/").split("/")
                    node = state
                    for folder in folders:
                        node = node[folder]
                    node[last] = file[name]
    except FileNotFoundError:
        raise FileNotFoundError(f"there is no checkpoint {path}") from None
    except Exception as error:  # a strange file fails in np.load, zipfile, zlib, json, or above
        raise ValueError(f"{path} is not a whole checkpoint of minigan ({error})") from error
    return state
