"""MNIST as arrays, and the batches a GAN is trained on.

No file is believed, nor a download put into the cache, before its SHA-256 is found to be right."""
import gzip
import hashlib
import io
import math
import os
import sys
import threading
import urllib.request
import zlib
from concurrent.futures import Future, wait
from http.client import HTTPException
from pathlib import Path

import numpy as np

from minigan.workshop.digits import draw_digits
from minigan.workshop.files import whole_file

MIRRORS = ("https://ossci-datasets.s3.amazonaws.com/mnist/",
           "https://storage.googleapis.com/cvdf-datasets/mnist/")
SHA256 = {  # of the decompressed files, since every mirror packs its .gz differently
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
LARGEST = 47040016  # bytes of the largest of these: no more is downloaded or unpacked
SILENCE = 10  # seconds without a byte after which a mirror is given up,
DEADLINE = 300  # and seconds for one file, since a mirror that trickles is never silent


def load_mnist(directory=None, split="train"):
    """Returns images, uint8 (N, 28, 28), and labels, uint8 (N,): N = 60000, or 10000 for "test".

    The files, .gz or not, come from `directory` (or MNIST/raw below it, as torchvision has it), or
    else from $MINIGAN_DATA. If you name neither, they come from the cache, and are downloaded into
    it if need be. Raises ValueError for another split and for a damaged file, which is left for you
    to delete; FileNotFoundError if a place that you named lacks a file; ConnectionError if all
    mirrors fail. Source: LeCun, Cortes, Burges, "The MNIST database ..." (CC BY-SA 3.0)."""
    prefix = {"train": "train", "test": "t10k"}.get(split)
    if prefix is None:
        raise ValueError(f"load_mnist takes split='train' or split='test', got {split!r}")
    return (_load(directory, f"{prefix}-images-idx3-ubyte"),
            _load(directory, f"{prefix}-labels-idx1-ubyte"))


def training_images(data, directory=None, count=60000, seed=0):
    """Images to train on, uint8 (N, 28, 28), and which they are, "mnist" or "digits"; says so.

    data: "mnist", or "digits": `count` digits drawn by a program; or "auto": MNIST, if it is there
    or can be downloaded, else digits. Raises what load_mnist raises."""
    for images, _ in mnist_if_any(data, directory, "train"):
        print(f"data: MNIST, {len(images)} images")
        return images, "mnist"
    print(f"data: BUILT-IN DIGITS, {count} images drawn by a program")
    return draw_digits(count, np.random.default_rng(seed))[0], "digits"


def mnist_if_any(data, directory, *splits):
    """load_mnist's pair for each split; [] for "digits", and for "auto" where there is none."""
    try:
        return [load_mnist(directory, split) for split in splits if data != "digits"]
    except ConnectionError as error:
        if data == "mnist":
            raise
        print(f"{error}.\nNo MNIST, so: ", end="")
        return []


def batches(images, batch_size, rng, skip=0):
    """Generates one epoch of images, uint8 (N, H, W): float32 (batch_size, H, W, 1) in [-1, 1].

    The order is one permutation, drawn at once from the numpy Generator `rng`; the N % batch_size
    images at its end are left out. skip: how many batches a resumed run has already seen.
    Raises ValueError unless 1 <= batch_size <= N and 0 <= skip <= N // batch_size."""
    if not 1 <= batch_size <= len(images):
        raise ValueError(f"batch_size must be 1 to {len(images)}, the images, got {batch_size}")
    count = len(images) // batch_size
    if not 0 <= skip <= count:
        raise ValueError(f"skip must be 0 to {count}, the batches of an epoch, got {skip}")
    order = rng.permutation(len(images))[:count * batch_size].reshape(count, batch_size)
    return (to_float(images[some]) for some in order[skip:])


def to_float(images):
    """images / 127.5 - 1: uint8 (N, H, W), else ValueError, to float32 (N, H, W, 1) in [-1, 1]."""
    if images.dtype != np.uint8 or images.ndim != 3:
        raise ValueError("to_float takes uint8 images of shape (N, H, W), "
                         f"got {images.dtype} of shape {images.shape}")
    return images[..., None].astype(np.float32) / 127.5 - 1


def read_idx(path, sha256=None):
    """Reads any IDX file of unsigned bytes, .gz or not: a uint8 array of the shape that it states.

    Format: 00 00 08, the number of axes, the length of each as a big-endian uint32, the elements.
    Raises ValueError if the file is damaged, or its decompressed bytes have another SHA-256."""
    try:
        raw = Path(path).read_bytes()
        return _decode(raw, sha256, most=1032 * len(raw))  # which is the most that a .gz can hold
    except ValueError as error:
        raise ValueError(f"{path} is damaged: {error}; delete it and download it again") from None


def cache_folder():
    """Where downloads are kept: $XDG_CACHE_HOME/minigan or ~/.cache/minigan."""
    return (Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "minigan").expanduser()


def _load(directory, name):
    named = directory or os.environ.get("MINIGAN_DATA")
    folder = Path(named).expanduser() if named else cache_folder()
    for path in (folder / name, folder / f"{name}.gz", folder / "MNIST" / "raw" / name):
        if path.is_file():
            return read_idx(path, SHA256[name])
    if named:
        raise FileNotFoundError(
            f"neither {name} nor {name}.gz is in {folder}: put the four MNIST files there, or give "
            "neither a directory nor $MINIGAN_DATA, and they are downloaded")
    failures = ""
    for mirror in MIRRORS:
        url = f"{mirror}{name}.gz"
        try:
            raw = _fetch(url)
            array = _decode(raw, SHA256[name], LARGEST)
            with whole_file(folder / f"{name}.gz") as part:
                part.write_bytes(raw)
            return array
        except (OSError, HTTPException, ValueError) as error:
            failures += f"  {url}: {error}\n"
    raise ConnectionError(f"{name}.gz could not be downloaded:\n{failures}Put MNIST's four files "
                          f"into {folder}, or name their place to load_mnist or $MINIGAN_DATA")


def _decode(raw, sha256, most):
    """The array in an IDX file. Of a .gz, only the bytes that its header states, and no more than
    `most`, are unpacked, and one more, to see that it is too many."""
    file = io.BytesIO(raw)
    if raw[:2] == b"\x1f\x8b":  # the name would not tell: browsers unpack a .gz and leave its name
        file = gzip.open(file)
    try:
        content = file.read(4)
        if len(content) < 4 or content[:3] != b"\0\0\x08":
            raise ValueError(f"expected 00 00 08, as IDX files begin, found {content!r}")
        start = 4 + 4 * content[3]
        content += file.read(start - 4)
        shape = [int.from_bytes(content[i:i + 4], "big") for i in range(4, start, 4)]
        expected = start + math.prod(shape)
        content += file.read(min(expected, most) + 1 - start)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ValueError(f"expected a whole gzip file, found a broken one ({error})") from None
    if len(content) != expected:
        raise ValueError(f"expected {expected} bytes for its shape {shape}, found {len(content)}")
    if sha256 and (found := hashlib.sha256(content).hexdigest()) != sha256:
        raise ValueError(f"expected SHA-256 {sha256}, found {found}")
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape).copy()


def _fetch(url):
    """The bytes at url, but LARGEST + 1 at most. A thread waits for them, and is left to itself
    after DEADLINE, since a server that trickles, be it only its header, never times out."""
    print("download", url, file=sys.stderr)
    request = urllib.request.Request(url, headers={"User-Agent": "minigan"})  # Python's gets 403s
    answer = Future()

    def ask():
        try:
            with urllib.request.urlopen(request, timeout=SILENCE) as response:
                answer.set_result(response.read(LARGEST + 1))
        except Exception as error:
            answer.set_exception(error)

    threading.Thread(target=ask, daemon=True).start()
    if not wait([answer], DEADLINE).done:
        raise TimeoutError(f"no end after {DEADLINE} s")
    return answer.result()
