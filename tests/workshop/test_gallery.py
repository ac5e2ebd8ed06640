"""What the pages of the gallery share."""
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="the examples draw: pip install -e '.[test]'")
pytest.importorskip("tqdm", reason="the examples show their progress: pip install -e '.[test]'")

from minigan.workshop import labelled_digits, page, progress  # noqa: E402

DOC = "A page.\n\nMore of it."


def test_options_are_the_pages_and_its_own(tmp_path):
    words = ["--steps", "7", "--seed", "3", "--out", str(tmp_path / "a"), "--task", "b"]
    with page(DOC, 100, words, task=["a", "b"], weight=2.0) as args:
        assert (args.steps, args.seed, args.task, args.weight) == (7, 3, "b", 2.0)
        assert args.out == tmp_path / "a" and args.out.is_dir()


def test_a_dry_run_is_short_and_leaves_nothing(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with page(DOC, 100, ["--dry-run"]) as args:
        assert args.steps == 20 and args.data == "digits" and args.out.is_dir()
        (args.out / "a.png").write_text("picture")
    assert not args.out.exists() and not list(tmp_path.iterdir())
    assert "picture" not in capsys.readouterr().out
    with page(DOC, 100, []) as args:
        assert args.steps == 100 and args.out == Path("runs/gallery")
    assert "The picture is in runs/gallery" in capsys.readouterr().out


@pytest.mark.parametrize("words", [["--steps", "0"], ["--seed", "-1"], ["--task", "c"]])
def test_what_cannot_be_is_refused(words):
    with pytest.raises(SystemExit), page(DOC, 100, words, task=["a", "b"]):
        pass


def test_an_error_inside_is_one_line(tmp_path):
    with pytest.raises(SystemExit, match="^error: no good$"):
        with page(DOC, 100, ["--out", str(tmp_path)]):
            raise ValueError("no good")


def test_without_mnist_the_built_in_digits_are_taken_and_it_says_so(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("minigan.workshop.data.MIRRORS", ["http://127.0.0.1:9/"])
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("MINIGAN_DATA", raising=False)
    monkeypatch.setattr("minigan.workshop.gallery.draw_digits", lambda count, rng: (
        np.zeros((count, 28, 28), np.uint8), np.zeros(count, int)))
    with page(DOC, 100, ["--out", str(tmp_path)]) as args:
        (images, labels), (x_test, _) = labelled_digits(args)
        assert args.data == "digits" and len(images) == len(labels) == 20000 and len(x_test) == 2000
    assert "BUILT-IN DIGITS" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="^error: "):
        with page(DOC, 100, ["--out", str(tmp_path), "--data", "mnist"]) as args:
            labelled_digits(args)


def test_mnist_is_taken_if_it_is_there(monkeypatch, tmp_path):
    pairs = {split: (np.zeros((3, 28, 28), np.uint8), np.arange(3)) for split in ("train", "test")}
    monkeypatch.setattr("minigan.workshop.data.load_mnist",
                        lambda directory, split="train": pairs[split])
    with page(DOC, 100, ["--out", str(tmp_path)]) as args:
        assert labelled_digits(args) == [pairs["train"], pairs["test"]] and args.data == "mnist"


def test_the_bar_shows_means_of_the_last_hundred_steps(capsys):
    for step, show in progress(301, "a", "b"):
        show(np.float32(step), 2.0)
    assert f"a {np.mean(range(201, 301)):.3f}, b 2.000" in capsys.readouterr().err
