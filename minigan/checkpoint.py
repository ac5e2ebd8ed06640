"""A checkpoint: a dictionary of arrays and plain numbers, in one .npz file without pickle.

It is nested as you like, e.g. {"generator": generator.state_dict(), "noise":
rng.bit_generator.state, "step": 938}. Arrays become members of the .npz under the path of their
keys, and the rest is one JSON text beside them: to read a stranger's file runs none of its code.
"""
import json
import zipfile

import numpy as np

from minigan.backend import to_host
from minigan.files import whole_file


def save(path, state):
    """Writes a dictionary of dictionaries, arrays (NumPy or CuPy) and JSON values, atomically."""
    arrays = {}

    def take_arrays(node, prefix):
        plain = {}
        for key, value in node.items():
            if isinstance(value, dict):
                plain[key] = take_arrays(value, f"{prefix}{key}/")
            elif hasattr(value, "dtype"):
                arrays[prefix + key] = to_host(value)
            else:
                plain[key] = value
        return plain

    text = json.dumps(take_arrays(state, ""))
    with whole_file(path) as part, open(part, "wb") as file:
        np.savez(file, json=np.array(text), **arrays)


def load(path):
    """Returns the dictionary that `save` wrote, with NumPy arrays.

    Raises FileNotFoundError if there is no such file, ValueError if it is not a whole checkpoint.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            state = json.loads(str(file["json"]))
            for name in file.files:
                if name != "json":
                    *folders, last = name.split("/")
                    node = state
                    for folder in folders:
                        node = node[folder]
                    node[last] = file[name]
    except FileNotFoundError:
        raise FileNotFoundError(f"there is no checkpoint {path}") from None
    except (zipfile.BadZipFile, ValueError, KeyError, EOFError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} is not a whole checkpoint of minigan ({error})") from error
    return state
