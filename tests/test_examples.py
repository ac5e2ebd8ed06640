"""The examples as a user runs them, on the built-in digits."""
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="the examples draw: pip install -e '.[test]'")
pytest.importorskip("tqdm", reason="the examples show their progress: pip install -e '.[test]'")

from minigan import load  # noqa: E402

EXAMPLES = Path(__file__).parent.parent / "examples"
sys.path.insert(0, str(EXAMPLES))
import generate  # noqa: E402
import mnist_gan  # noqa: E402


@pytest.fixture(autouse=True)
def small_data(monkeypatch, tmp_path):
    """No network, no MNIST of this machine, and 100 built-in digits instead of 60000."""
    draw = mnist_gan.draw_digits
    monkeypatch.setattr(mnist_gan, "draw_digits", lambda count, rng: draw(100, rng))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("MINIGAN_DATA", raising=False)
    monkeypatch.setattr("minigan.data.MIRRORS", ["http://127.0.0.1:9/"])
    monkeypatch.chdir(tmp_path)


def run(*words, data="digits"):
    mnist_gan.main(["--data", data, "--batch-size", "20", "--latent-dim", "5", *map(str, words)])


def test_a_run_leaves_all_it_promises(capsys):
    run("--epochs", 2, "--out", "a", "--save-samples", 30)
    assert {path.name for path in Path("a").iterdir()} == {
        "checkpoint.npz", "samples_epoch_001.png", "samples_epoch_002.png", "samples.png",
        "losses.png", "training.gif", "samples.npz"}
    images = np.load("a/samples.npz")["images"]
    assert images.shape == (30, 28, 28) and images.dtype == np.float32
    assert images.min() >= 0 and images.max() <= 1
    saved = load("a/checkpoint.npz")
    assert saved["step"] == 10 and saved["epoch"] == 2 and saved["history"].shape == (10, 4)
    out, err = capsys.readouterr()
    assert "BUILT-IN DIGITS" in out and "10 steps" in out and "D(G(z))" in err


@pytest.mark.parametrize("stop", [["--epochs", 1], ["--steps", 3]], ids=["epoch", "step"])
def test_resuming_equals_an_uninterrupted_run_bit_for_bit(stop):
    run("--epochs", 2, "--out", "whole")
    run(*stop, "--out", "parts")
    run("--epochs", 2, "--out", "parts", "--resume")
    np.testing.assert_equal(load("parts/checkpoint.npz"), load("whole/checkpoint.npz"))
    assert Path("parts/samples.png").read_bytes() == Path("whole/samples.png").read_bytes()


def test_pictures_do_not_disturb_the_training(monkeypatch):
    run("--epochs", 2, "--out", "with", "--save-samples", 10)
    for name in ("save_grid", "save_curves", "save_animation"):
        monkeypatch.setattr(mnist_gan, name, lambda *_: None)
    run("--epochs", 2, "--out", "without")
    np.testing.assert_equal(load("with/checkpoint.npz"), load("without/checkpoint.npz"))


def test_the_dcgan_trains_and_generates():
    run("--arch", "dcgan", "--steps", 2, "--out", "a")
    saved = load("a/checkpoint.npz")
    assert np.isfinite(saved["history"]).all() and saved["generator"]["4.W"].ndim == 4
    generate.main(["a/checkpoint.npz", "--count", "3", "--out", "digits.npz"])
    assert np.load("digits.npz")["images"].shape == (3, 28, 28)
    with pytest.raises(SystemExit, match="was trained with --arch dcgan, not mlp"):
        mnist_gan.main(["--resume", "--out", "a", "--arch", "mlp"])


@pytest.mark.parametrize("loss", mnist_gan.LOSSES)
def test_every_loss_trains(loss):
    run("--loss", loss, "--steps", 3, "--out", loss)
    saved = load(f"{loss}/checkpoint.npz")
    assert np.isfinite(saved["history"]).all()
    limit = max(abs(value).max() for value in saved["discriminator"].values())
    assert (limit <= np.float32(0.01)) == (loss == "wasserstein")


def test_resume_takes_up_what_is_not_given_and_refuses_what_differs():
    run("--epochs", 1, "--out", "a")
    mnist_gan.main(["--resume", "--out", "a", "--epochs", "2"])
    assert load("a/checkpoint.npz")["step"] == 10
    for words, complaint in [(["--latent-dim", "7"], "--latent-dim 5, not 7"),
                             (["--loss", "hinge"], "--loss nonsaturating, not hinge")]:
        with pytest.raises(SystemExit, match=f"was trained with {complaint}"):
            mnist_gan.main(["--resume", "--out", "a", *words])


def test_a_finished_run_is_not_overwritten_by_the_next():
    run("--steps", 1, "--out", "a")
    with pytest.raises(SystemExit, match="checkpoint.npz exists: add --resume, or choose another"):
        run("--steps", 1, "--out", "a")


def test_auto_falls_back_loudly_and_mnist_never(capsys):
    run("--steps", 1, "--out", "a", data="auto")
    out = capsys.readouterr().out
    assert "could not be downloaded" in out and "MINIGAN_DATA" in out and "BUILT-IN DIGITS" in out
    assert load("a/checkpoint.npz")["arguments"]["data"] == "digits"
    with pytest.raises(SystemExit, match="error: .* could not be downloaded"):
        run("--steps", 1, "--out", "b", data="mnist")
    with pytest.raises(SystemExit, match="error: neither .* is in nowhere"):
        run("--data-dir", "nowhere", "--out", "b", data="mnist")


def test_digits_never_download(monkeypatch):
    monkeypatch.setattr(mnist_gan, "load_mnist", None)
    run("--steps", 1, "--out", "a")


@pytest.mark.parametrize("words", [
    ["--epochs", "0"], ["--lr", "-1"], ["--lr", "nan"], ["--seed", "-1"], ["--loss", "mse"],
    ["--batch-size", "x"]])
def test_impossible_arguments_are_named(words, capsys):
    with pytest.raises(SystemExit):
        run(*words)
    assert f"argument {words[0]}: " in capsys.readouterr().err


def test_a_missing_backend_is_one_clear_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)
    with pytest.raises(SystemExit, match='error: backend "cupy" needs CuPy'):
        run("--backend", "cupy")


def test_generate_draws_from_a_checkpoint(capsys):
    run("--steps", 2, "--out", "a")
    for out in ["new/digits.png", "digits.npz"]:
        generate.main(["a/checkpoint.npz", "--count", "9", "--out", out])
        assert Path(out).exists()
    images = np.load("digits.npz")["images"]
    assert images.shape == (9, 28, 28) and images.min() >= 0 and images.max() <= 1
    with pytest.raises(SystemExit, match="there is no checkpoint b.npz"):
        generate.main(["b.npz"])
    with pytest.raises(SystemExit):
        generate.main(["a/checkpoint.npz", "--out", "digits.jpg"])
    assert "--out takes a file .png or .npz, got digits.jpg" in capsys.readouterr().err


ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join([str(EXAMPLES), str(EXAMPLES.parent)])}


def test_the_dry_run_leaves_nothing_behind(tmp_path):
    words = [sys.executable, EXAMPLES / "mnist_gan.py", "--dry-run"]
    done = subprocess.run(words, cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True,
                          timeout=60)
    assert done.returncode == 0, done.stderr
    assert "BUILT-IN DIGITS" in done.stdout and not list(tmp_path.iterdir())


@pytest.mark.skipif(os.name == "nt", reason="sends the signal of Ctrl-C")
def test_ctrl_c_saves_and_says_how_to_go_on(tmp_path):
    code = ("import mnist_gan as m; draw = m.draw_digits; "
            "m.draw_digits = lambda count, rng: draw(200, rng); m.main()")
    words = [sys.executable, "-c", code, "--data", "digits", "--out", "a", "--epochs", "10000"]
    process = subprocess.Popen(words, cwd=tmp_path, env=ENVIRONMENT, text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    checkpoint = tmp_path / "a" / "checkpoint.npz"
    while not checkpoint.exists() and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert "Interrupted. To go on: python " in out and "--resume --out a" in out
    saved = load(checkpoint)
    assert saved["step"] == len(saved["history"]) > 0
