"""A checkpoint: a dictionary of arrays and plain numbers, in one .npz file without pickle.

It is nested as you like, e.g. {"generator": generator.state_dict(), "noise":
rng.bit_generator.state, "step": 938}. Arrays become members of the .npz under the path of their
keys, and the rest is one JSON text beside them: to read a stranger's file runs none of its code."""
import json
import math
from pathlib import Path

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
    there is no such file, ValueError, which names the member, if it is no whole checkpoint."""
    member = "its directory"
    try:
        with np.load(path, allow_pickle=False) as file:
            if sum(info.file_size for info in file.zip.infolist()) > Path(path).stat().st_size:
                raise ValueError("its members unpack to more than the file; `save` packs none")
            member = "json"
            state = dict(json.loads(str(file["json"])))
            for member in file.files:
                if member != "json":
                    *folders, last = member.removeprefix("arrays/").split("/")
                    node = state
                    for folder in folders:
                        node = node[folder]
                    node[last] = file[member]
    except FileNotFoundError:
        raise FileNotFoundError(f"there is no checkpoint {path}") from None
    except Exception as error:  # a strange file fails in np.load, zipfile, zlib, json, or above
        raise ValueError(
            f"{path} is not a whole checkpoint of minigan ({member}: {error})") from error
    return state


def load_with_arguments(path, defaults):
    """What `load` returns, and its `arguments` but for those that are None. Raises ValueError, too,
    if one is not like its default, or if the generator is smaller than its width says."""
    saved = load(path)
    arguments = saved.get("arguments")
    if not isinstance(arguments, dict):
        raise ValueError(f"{path} is a checkpoint of another program: it remembers no arguments")
    arguments = {name: value for name, value in arguments.items() if value is not None}
    for name in arguments.keys() & defaults.keys():
        value, default = arguments[name], defaults[name]
        if type(value) is int and type(default) is float:
            default = 0  # as 1 does for 1.0
        if default is not None:
            check_state(value, default, f"{path}: arguments/{name}")
    if "width" in defaults:  # to build a generator much larger than the file might take all memory
        width, latent_dim = arguments.get("width", 1), arguments.get("latent_dim", 1)
        weights = saved["generator"].values() if isinstance(saved.get("generator"), dict) else []
        numbers = sum(getattr(array, "size", 0) for array in weights)
        if not (width > 0 < latent_dim and width * (width + latent_dim) <= numbers):
            raise ValueError(f"{path}: generator has {numbers} numbers, which does not fit its "
                             f"width {width} and latent_dim {latent_dim}")
    return saved, arguments


def check_state(state, own, name):
    """Raises ValueError, which names the member, unless `state` is like `own`: dictionaries with
    the same keys, finite arrays of the same dtype and shape, text, finite numbers and ints >= 0."""
    expected, found = _kind(own), _kind(state)
    if expected != found:
        raise ValueError(f"{name}: expected {expected}, got {found}")
    if isinstance(own, dict):
        for key in {**own, **state}:
            check_state(state.get(key), own.get(key), f"{name}/{key}")
    elif hasattr(own, "dtype") and not np.isfinite(state).all():
        raise ValueError(f"{name}: expected finite numbers, got NaN or infinity")


def _kind(thing):
    if hasattr(thing, "dtype"):
        return f"{thing.dtype} of shape {thing.shape}"
    if type(thing) is int and 0 <= thing < 2**128:
        return "an int from 0 up"
    if type(thing) is float and 0 <= thing < math.inf:
        return "a finite number from 0 up"
    if isinstance(thing, (str, dict)):
        return "text" if isinstance(thing, str) else "a dictionary"
    return "nothing" if thing is None else f"{thing!r:.50}"
