"""The MNIST files are believed only when they are whole; an epoch deals out each image once."""
import gzip
import hashlib
import os
import socket
import struct
import threading
import time
import tracemalloc
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from minigan.workshop import data
from minigan.workshop.data import batches, load_mnist, read_idx, to_float

REAL = os.environ.get("MINIGAN_DATA")
needs_real_files = pytest.mark.skipif(not REAL, reason="MINIGAN_DATA names no directory of MNIST")
IMAGES, LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"


def idx(array):
    """The IDX file of a uint8 array, built independently of the code under test."""
    return struct.pack(f">4B{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


@pytest.fixture(autouse=True)
def home(monkeypatch, tmp_path):
    """Keeps each test off the user's cache and off the internet; gives the cache it has instead."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.delenv("MINIGAN_DATA", raising=False)
    monkeypatch.setattr(data, "MIRRORS", ())
    return tmp_path / "home" / "minigan"


@pytest.fixture
def tiny(monkeypatch):
    """{name: content} of a little MNIST (not square, so that no axis can pass for another)."""
    rng = np.random.default_rng(0)
    files = {}
    for prefix, count in (("train", 7), ("t10k", 5)):
        images = rng.integers(0, 256, (count, 4, 3), dtype=np.uint8)
        files[f"{prefix}-images-idx3-ubyte"] = idx(images)
        files[f"{prefix}-labels-idx1-ubyte"] = idx(images[:, 0, 0] % 10)
    sums = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    monkeypatch.setattr(data, "SHA256", sums)
    monkeypatch.setattr(data, "LARGEST", 4096)
    return files


def put(folder, files, zipped=True):
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        if zipped:
            (folder / f"{name}.gz").write_bytes(gzip.compress(content))
        else:
            (folder / name).write_bytes(content)
    return folder


# Mirrors: what a server may do when it is asked for a file whose .gz is `body`.

def answer(request, body, status=200, length=None):
    request.send_response(status)
    request.send_header("Content-Length", str(len(body) if length is None else length))
    request.end_headers()
    request.wfile.write(body)


def good(request, body):
    answer(request, body)


def picky(request, body):
    bot = request.headers["User-Agent"].startswith("Python-urllib")
    answer(request, b"" if bot else body, status=403 if bot else 200)


def forbidden(request, body):
    answer(request, b"no", status=403)


def truncated(request, body):
    answer(request, body[:-10], length=len(body))


def cut_short(request, body):
    answer(request, body[:-10])


def corrupt(request, body):
    answer(request, body[:20] + bytes([body[20] ^ 255]) + body[21:])


def login_page(request, body):
    answer(request, b"<!DOCTYPE html> Please log in to this network")


def altered(request, body):
    content = gzip.decompress(body)
    answer(request, gzip.compress(content[:-1] + bytes([content[-1] ^ 1])))


def bomb(request, body):
    answer(request, gzip.compress(struct.pack(">4B3I", 0, 0, 8, 3, 60000, 28, 28) + bytes(10**6)))


def garbled(request, body):
    request.wfile.write(b"220 this is no HTTP\r\n\r\n")


def silent(request, body):
    request.server.released.wait(5)


def trickle(request, content):
    for byte in content:
        request.wfile.write(bytes([byte]))
        if request.server.released.wait(0.05):
            break


def trickling(request, body):
    request.send_response(200)
    request.end_headers()
    trickle(request, body)


def trickling_status(request, body):
    trickle(request, b"HTTP/1.0 200 " + b"fine " * 100)


def trickling_header(request, body):
    request.wfile.write(b"HTTP/1.0 200 OK\r\n")
    trickle(request, b"Server: slow\r\n" * 100)


def endless(request, body):
    answer(request, b"", length=10**12)
    while not request.server.released.is_set():
        request.wfile.write(bytes(10**6))


MIRRORS = {mirror.__name__: mirror for mirror in (
    good, picky, forbidden, truncated, cut_short, corrupt, login_page, altered, bomb, garbled,
    silent, trickling, trickling_status, trickling_header, endless)}


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        _, mirror, name = self.path.split("/")
        self.server.asked.append(f"{mirror}/{name}")
        try:
            MIRRORS[mirror](self, self.server.files[name])
        except ConnectionError:
            pass  # the client has hung up, as it should on some of these

    def log_message(self, *args):
        pass


@pytest.fixture
def serve(monkeypatch):
    """serve(files, "silent", "good") makes a local server's /silent/ and /good/ the mirrors."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.block_on_close = False
    server.asked, server.released = [], threading.Event()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()

    def start(files, *mirrors):
        server.files = {f"{name}.gz": gzip.compress(content, 1) for name, content in files.items()}
        address = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setattr(data, "MIRRORS", [f"{address}/{mirror}/" for mirror in mirrors])
        monkeypatch.setattr(data, "SILENCE", 0.25 if "silent" in mirrors else 10)
        monkeypatch.setattr(data, "DEADLINE", 0.25 if "trickling" in str(mirrors) else 60)
        return server.asked

    yield start
    server.released.set()
    server.shutdown()
    thread.join()
    server.server_close()


# IDX files

@pytest.mark.parametrize("shape", [(5,), (2, 300), (3, 4, 2), (0, 28, 28)])
@pytest.mark.parametrize("zipped", [True, False])
def test_read_idx_returns_what_was_written(tmp_path, shape, zipped):
    array = np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)
    (tmp_path / "any").write_bytes(gzip.compress(idx(array)) if zipped else idx(array))
    found = read_idx(tmp_path / "any")
    assert found.dtype == np.uint8 and found.shape == shape and np.array_equal(found, array)
    found[...] = 0  # the caller's own, to change as he likes


def test_read_idx_knows_gzip_by_the_content_and_not_by_the_name(tmp_path):
    array = np.arange(6, dtype=np.uint8).reshape(2, 3)
    (tmp_path / "unpacked.gz").write_bytes(idx(array))
    assert np.array_equal(read_idx(str(tmp_path / "unpacked.gz")), array)


WHOLE = idx(np.arange(24, dtype=np.uint8).reshape(2, 3, 4))


@pytest.mark.parametrize("content, complaint", [
    (b"", "expected 00 00 08, as IDX files begin, found b''"),
    (b"\0\0\x08", "expected 00 00 08"),
    (b"<html>", "found b'<htm'"),
    (WHOLE[:2] + b"\x0d" + WHOLE[3:], "expected 00 00 08"),
    (WHOLE[:10], "found 10"),
    (WHOLE[:-1], r"expected 40 bytes for its shape \[2, 3, 4\], found 39"),
    (WHOLE + b"\0", "expected 40 bytes .*, found 41"),
    (gzip.compress(WHOLE + b"\0"), "expected 40 bytes .*, found 41"),
    (gzip.compress(WHOLE)[:-9], "expected a whole gzip file, found a broken one"),
    (gzip.compress(WHOLE)[:-1], "expected a whole gzip file"),
    (gzip.compress(WHOLE)[:12] + b"\xff\xff" + gzip.compress(WHOLE)[14:], "whole gzip file"),
    (gzip.compress(WHOLE)[:-8] + bytes(8), "whole gzip file"),
    (gzip.compress(WHOLE) + b"more", "whole gzip file"),
])
def test_a_damaged_file_is_refused_with_its_name_the_reason_and_the_remedy(
        tmp_path, content, complaint):
    path = tmp_path / "images"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=complaint) as error:
        read_idx(path)
    assert str(error.value).startswith(f"{path} is damaged: ")
    assert str(error.value).endswith("delete it and download it again")


@pytest.mark.parametrize("stated, found", [((2, 3, 4), "found 41"),
                                           ((2**32 - 1, 2**32 - 1, 2**32 - 1), "found ")])
def test_no_more_is_unpacked_than_the_header_states_or_a_gz_can_hold(tmp_path, stated, found):
    head = struct.pack(">4B3I", 0, 0, 8, 3, *stated)
    (tmp_path / "bomb").write_bytes(gzip.compress(head + bytes(10**7)))
    tracemalloc.start()
    with pytest.raises(ValueError, match=rf"expected \d+ bytes for its shape .*, {found}"):
        read_idx(tmp_path / "bomb")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < (10**6 if stated == (2, 3, 4) else 3 * 10**7)


# Where load_mnist looks

@pytest.mark.parametrize("split, prefix", [("train", "train"), ("test", "t10k")])
@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("place", ["directory", "variable", "cache"])
def test_load_mnist_finds_the_files_of_a_split(
        monkeypatch, tmp_path, home, tiny, split, prefix, zipped, place):
    folder = put(home if place == "cache" else tmp_path / "mine", tiny, zipped)
    if place == "variable":
        monkeypatch.setenv("MINIGAN_DATA", str(folder))
    images, labels = load_mnist(folder if place == "directory" else None, split)
    assert idx(images) == tiny[f"{prefix}-images-idx3-ubyte"]
    assert idx(labels) == tiny[f"{prefix}-labels-idx1-ubyte"]


def test_load_mnist_reads_the_layout_of_torchvision(tmp_path, tiny):
    put(tmp_path / "MNIST" / "raw", tiny, zipped=False)
    assert idx(load_mnist(tmp_path)[0]) == tiny[IMAGES]


def test_the_cache_lies_in_the_home_directory_by_default(monkeypatch, tmp_path, tiny):
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    put(tmp_path / ".cache" / "minigan", tiny)
    assert idx(load_mnist()[0]) == tiny[IMAGES]


def test_an_unknown_split_is_refused_with_the_two_names():
    with pytest.raises(ValueError, match="'train' or split='test', got 'valid'"):
        load_mnist(split="valid")


@pytest.mark.parametrize("place", ["directory", "variable"])
def test_a_named_place_without_the_files_is_an_error_and_nothing_else_is_tried(
        monkeypatch, tmp_path, home, tiny, serve, place):
    asked = serve(tiny, "good")
    put(home, tiny)
    mine = put(tmp_path / "mine", {IMAGES: tiny[IMAGES]})
    if place == "variable":
        monkeypatch.setenv("MINIGAN_DATA", str(mine))
    with pytest.raises(FileNotFoundError) as error:
        load_mnist(mine if place == "directory" else None)
    assert f"neither {LABELS} nor {LABELS}.gz is in {mine}: put " in str(error.value)
    assert asked == [] and len(list(mine.iterdir())) == 1


def test_a_directory_is_preferred_to_the_variable(monkeypatch, tmp_path, tiny):
    monkeypatch.setenv("MINIGAN_DATA", str(tmp_path / "absent"))
    assert idx(load_mnist(put(tmp_path / "mine", tiny))[0]) == tiny[IMAGES]


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("cached", [True, False])
def test_a_file_that_is_not_mnist_is_refused_everywhere(
        tmp_path, home, tiny, serve, zipped, cached):
    asked = serve(tiny, "good")
    other = tiny | {LABELS: tiny[LABELS][:-1] + b"\x0b"}
    folder = put(home if cached else tmp_path / "mine", other, zipped)
    path = folder / (f"{LABELS}.gz" if zipped else LABELS)
    with pytest.raises(ValueError, match="expected SHA-256 .*delete it") as error:
        load_mnist(None if cached else folder)
    assert str(path) in str(error.value) and data.SHA256[LABELS] in str(error.value)
    assert read_idx(path)[-1] == 11 and asked == []  # a good IDX file, and left where it was
    path.unlink()
    if cached:
        assert idx(load_mnist()[1]) == tiny[LABELS]


# Downloading

def test_a_download_fills_the_cache_and_is_done_once(home, tiny, serve, capsys):
    asked = serve(tiny, "good")
    for _ in range(2):
        images, labels = load_mnist()
        assert idx(images) == tiny[IMAGES] and idx(labels) == tiny[LABELS]
    assert asked == [f"good/{IMAGES}.gz", f"good/{LABELS}.gz"]
    assert sorted(path.name for path in home.iterdir()) == [f"{IMAGES}.gz", f"{LABELS}.gz"]
    out, err = capsys.readouterr()
    assert out == "" and err.splitlines() == [f"download {data.MIRRORS[0]}{name}.gz"
                                              for name in (IMAGES, LABELS)]


def test_a_mirror_that_refuses_the_name_of_python_is_asked_under_ours(tiny, serve):
    serve(tiny, "picky")
    assert idx(load_mnist()[0]) == tiny[IMAGES]


FAILURES = {
    "forbidden": "HTTP Error 403: Forbidden",
    "truncated": "expected a whole gzip file",
    "cut_short": "expected a whole gzip file",
    "corrupt": "expected",
    "login_page": "found b'<!DO'",
    "altered": "expected SHA-256",
    "bomb": "expected 47040016 bytes for its shape [60000, 28, 28], found 4097",
    "garbled": "220 this is no HTTP",
    "silent": "timed out",
    "trickling": "no end after 0.25 s",
    "trickling_status": "no end after 0.25 s",
    "trickling_header": "no end after 0.25 s",
    "endless": "expected 00 00 08",
}


@pytest.mark.parametrize("bad", FAILURES)
def test_a_bad_mirror_is_skipped_for_the_next(home, tiny, serve, bad):
    asked = serve(tiny, bad, "good")
    start = time.monotonic()
    assert idx(load_mnist()[0]) == tiny[IMAGES]
    assert time.monotonic() - start < 2
    assert asked[:2] == [f"{bad}/{IMAGES}.gz", f"good/{IMAGES}.gz"]
    assert idx(read_idx(home / f"{IMAGES}.gz")) == tiny[IMAGES]


@pytest.mark.parametrize("bad, complaint", FAILURES.items())
def test_when_all_mirrors_fail_one_error_tells_why_and_nothing_is_left(
        home, tiny, serve, bad, complaint):
    serve(tiny, bad, "forbidden")
    with pytest.raises(ConnectionError) as error:
        load_mnist()
    lines = [line for line in str(error.value).splitlines() if line]
    assert len(lines) == 4 and lines[0] == f"{IMAGES}.gz could not be downloaded:"
    assert lines[1].startswith(f"  {data.MIRRORS[0]}{IMAGES}.gz: ") and complaint in lines[1]
    assert lines[2] == f"  {data.MIRRORS[1]}{IMAGES}.gz: HTTP Error 403: Forbidden"
    assert str(home) in lines[3] and "$MINIGAN_DATA" in lines[3]
    assert not home.exists() or not any(home.iterdir())


def test_a_mirror_that_cannot_be_reached_is_skipped_for_the_next(monkeypatch, tiny, serve):
    serve(tiny, "good")
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound but not listening: connections are refused
        refusing = f"http://127.0.0.1:{unused.getsockname()[1]}/"
        monkeypatch.setattr(data, "MIRRORS", [refusing, "nonsense", *data.MIRRORS])
        assert idx(load_mnist()[0]) == tiny[IMAGES]


def test_a_file_appears_in_the_cache_whole_or_not_at_all(monkeypatch, home, tiny, serve):
    serve(tiny, "good")
    seen = []

    def replace(source, target):
        assert Path(source).parent == Path(target).parent  # one disk: one step
        assert idx(read_idx(source)) == tiny[IMAGES] and not Path(target).exists()
        seen.append(Path(target).name)
        raise PermissionError("no room")

    monkeypatch.setattr(os, "replace", replace)
    with pytest.raises(ConnectionError, match="no room"):
        load_mnist()
    assert seen == [f"{IMAGES}.gz"] and list(home.iterdir()) == []


def test_an_interrupted_write_leaves_nothing_behind(monkeypatch, home, tiny, serve):
    serve(tiny, "good")
    write_bytes = Path.write_bytes

    def interrupted(path, content):
        write_bytes(path, content[:10])
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "write_bytes", interrupted)
    with pytest.raises(KeyboardInterrupt):
        load_mnist()
    assert list(home.iterdir()) == []


def test_a_cache_that_cannot_be_written_is_named_with_the_remedy(home, tiny, serve):
    serve(tiny, "good")
    home.parent.write_bytes(b"a file where the directory should be")
    with pytest.raises(ConnectionError, match="MINIGAN_DATA") as error:
        load_mnist()
    assert str(home) in str(error.value).splitlines()[1]


# Batches

NUMBERED = np.arange(10, dtype=np.uint8)[:, None, None] * np.ones((1, 2, 3), np.uint8)


def numbers(epoch):
    return [((x[:, 0, 0, 0] + 1) * 127.5).round().astype(int).tolist() for x in epoch]


def test_an_epoch_is_one_permutation_cut_into_full_batches():
    order = np.random.default_rng(3).permutation(10).tolist()
    found = numbers(batches(NUMBERED, 4, np.random.default_rng(3)))
    assert found == [order[:4], order[4:8]]
    assert numbers(batches(NUMBERED, 5, np.random.default_rng(3))) == [order[:5], order[5:]]


def test_a_batch_is_float32_channels_last_between_minus_one_and_one():
    x, = batches(np.array([[[0, 255, 51]]] * 2, np.uint8), 2, np.random.default_rng(0))
    assert x.dtype == np.float32 and x.shape == (2, 1, 3, 1)
    np.testing.assert_allclose(x[0, 0, :, 0], [-1, 1, -0.6], rtol=0, atol=1e-7)


def test_skipping_gives_the_rest_of_the_same_epoch_and_the_same_next_epoch():
    rng = np.random.default_rng(5)
    epochs = [numbers(batches(NUMBERED, 3, rng)) for _ in range(2)]
    for skip in range(4):
        rng = np.random.default_rng(5)
        assert numbers(batches(NUMBERED, 3, rng, skip)) == epochs[0][skip:]
        assert numbers(batches(NUMBERED, 3, rng)) == epochs[1]


def test_the_order_is_drawn_when_batches_is_called():
    rng = np.random.default_rng(7)
    epoch = batches(NUMBERED, 5, rng)
    rng.random(100)
    assert numbers(epoch) == numbers(batches(NUMBERED, 5, np.random.default_rng(7)))


def test_batches_leaves_the_images_as_they_were():
    images = NUMBERED.copy()
    for x in batches(images, 2, np.random.default_rng(0)):
        x[...] = 0
    assert np.array_equal(images, NUMBERED)


@pytest.mark.parametrize("batch_size, skip, complaint", [
    (0, 0, "batch_size must be 1 to 10, the images, got 0"),
    (-1, 0, "got -1"),
    (11, 0, "got 11"),
    (4, 3, "skip must be 0 to 2, the batches of an epoch, got 3"),
    (4, -1, "got -1"),
])
def test_batches_refuses_at_once_what_no_epoch_has(batch_size, skip, complaint):
    with pytest.raises(ValueError, match=complaint):
        batches(NUMBERED, batch_size, np.random.default_rng(0), skip)


def test_every_pixel_value_has_its_place_between_minus_one_and_one():
    images = np.arange(256, dtype=np.uint8).reshape(2, 16, 8)
    x = to_float(images)
    assert x.dtype == np.float32 and x.shape == (2, 16, 8, 1)
    np.testing.assert_allclose(x.ravel(), np.linspace(-1, 1, 256), rtol=0, atol=1e-7)


@pytest.mark.parametrize("images", [np.zeros((2, 3, 4)), np.zeros((3, 4), np.uint8)])
def test_to_float_refuses_what_is_not_a_stack_of_byte_images(images):
    with pytest.raises(ValueError, match=r"takes uint8 images of shape \(N, H, W\), got"):
        to_float(images)


# The real files

@needs_real_files
@pytest.mark.parametrize("split, counts", [
    ("train", [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]),
    ("test", [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]),
])
def test_the_real_files_are_read_and_survive_a_download(home, serve, split, counts):
    images, labels = load_mnist(REAL, split)
    assert images.dtype == np.uint8 and images.shape == (sum(counts), 28, 28)
    assert np.bincount(labels).tolist() == counts
    prefix = {"train": "train", "test": "t10k"}[split]
    serve({f"{prefix}-images-idx3-ubyte": idx(images), f"{prefix}-labels-idx1-ubyte": idx(labels)},
          "good")
    fetched = load_mnist(split=split)
    assert np.array_equal(fetched[0], images) and np.array_equal(fetched[1], labels)
    assert len(list(home.iterdir())) == 2
