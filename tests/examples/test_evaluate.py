"""evaluate.py as a user runs it, on the built-in digits in place of MNIST."""
import re
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="the examples draw: pip install -e '.[test]'")

from minigan.workshop import (  # noqa: E402
    draw_digits, judge, parzen_log_likelihood, save, save_samples)

sys.path.insert(0, str(Path(__file__).parents[2] / "examples"))
import evaluate  # noqa: E402

TRAIN = draw_digits(2000, np.random.default_rng(0))
TEST = draw_digits(300, np.random.default_rng(1))


@pytest.fixture(autouse=True)
def small_data(monkeypatch, tmp_path):
    monkeypatch.setattr(evaluate, "load_mnist",
                        lambda directory, split="train": TRAIN if split == "train" else TEST)
    monkeypatch.setattr(evaluate, "COUNT", 300)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)


def rows(text):
    """{name: (distance, entropy, least, most, sure, parzen, error)} of the printed table."""
    return {line[:40].strip(): [float(number) for number in re.findall(r"-?\d+\.\d+", line[40:])]
            for line in text.splitlines()[2:]}


def test_better_samples_get_better_numbers_and_the_classifier_is_trained_once(capsys):
    rng = np.random.default_rng(2)
    digits, labels = draw_digits(300, rng)
    save_samples("good.npz", digits / 255)
    save_samples("noisy.npz", (digits / 255 + rng.normal(0, 0.5, digits.shape)).clip(0, 1))
    evaluate.main(["good.npz", "noisy.npz", "--picture", "picture.png"])
    first = capsys.readouterr()
    assert "training the classifier, epoch 4 of 4" in first.err
    read = float(re.search(r"reads (\d+\.\d+)% of the test images", first.out).group(1))
    assert read > 90 and Path("cache/minigan/classifier.npz").exists()
    table = rows(first.out)
    assert list(table) == ["MNIST, training images", "good.npz", "noisy.npz"]
    assert table["good.npz"][0] < table["noisy.npz"][0]    # distance
    assert table["good.npz"][2] < 10 < table["good.npz"][3]  # shares
    assert table["good.npz"][4] > table["noisy.npz"][4]    # sure
    assert table["good.npz"][5] > table["noisy.npz"][5]    # Parzen
    evaluate.main(["good.npz"])
    second = capsys.readouterr()
    assert second.err == "" and rows(second.out)["good.npz"] == table["good.npz"]
    test, validation = TEST[0] / np.float32(255), TRAIN[0][-1000:] / np.float32(255)
    mean, error, _ = parzen_log_likelihood(digits / 255, validation, test)
    assert table["good.npz"][5:] == pytest.approx([mean, error], abs=0.06)
    from matplotlib.image import imread
    assert np.ptp(imread("picture.png")) > 0


def test_what_cannot_be_read_is_one_clear_line_before_anything_slow(monkeypatch):
    monkeypatch.setattr(judge, "train_classifier", None)
    with pytest.raises(SystemExit, match="error: .*nowhere.npz"):
        evaluate.main(["nowhere.npz"])


GOOD = np.full((70, 28, 28), 0.5, np.float32)


@pytest.mark.parametrize("images, got", [
    ((255 * GOOD).astype(np.uint8), "uint8 of shape"), (GOOD[..., None], r"\(70, 28, 28, 1\)"),
    (GOOD[:64], r"\(64, 28, 28\)"), (GOOD[:, :14], r"\(70, 14, 28\)"), (GOOD[0], r"\(28, 28\)"),
    (GOOD * np.nan, "numbers from nan to nan"), (2 * GOOD - 1.5, "numbers from -0.5 to -0.5"),
    (255 * GOOD, "numbers from 128 to 128"), (GOOD.astype(complex), "complex128"),
    (GOOD.astype(str), "<U"), (np.float32(1), r"shape \(\)"), (GOOD[:0], r"\(0, 28, 28\)")])
def test_samples_that_are_no_images_are_refused_before_anything_slow(monkeypatch, images, got):
    monkeypatch.setattr(judge, "train_classifier", None)
    np.savez("a.npz", images=images)
    with pytest.raises(SystemExit, match=f"^error: a.npz: expected images, floats .*got .*{got}"):
        evaluate.main(["a.npz"])


def test_a_file_that_is_no_npz_is_refused_by_name(monkeypatch):
    monkeypatch.setattr(judge, "train_classifier", None)
    np.save("array.npy", GOOD)
    np.save("objects.npy", np.array([{}], object))
    np.savez("objects.npz", images=np.array([{}], object))
    np.savez("other.npz", pictures=GOOD)
    Path("text.npz").write_text("text")
    Path("empty.npz").write_text("")
    Path("folder.npz").mkdir()
    for name in ("array.npy", "objects.npy", "objects.npz", "other.npz", "text.npz", "empty.npz",
                 "folder.npz"):
        with pytest.raises(SystemExit, match=f"^error: {name} is no"):
            evaluate.main([name])


def test_a_picture_that_has_no_place_is_told_before_anything_slow(monkeypatch):
    monkeypatch.setattr(judge, "train_classifier", None)
    save_samples("a.npz", GOOD)
    with pytest.raises(SystemExit, match="error: no file can be written in the folder a.npz"):
        evaluate.main(["a.npz", "--picture", "a.npz/picture.png"])


def test_a_classifier_that_is_none_is_refused_by_name():
    save_samples("a.npz", GOOD)
    for state in ({}, {"features": {}, "logits": 3}):
        save("cache/minigan/classifier.npz", state)
        with pytest.raises(SystemExit, match="error: .*classifier.npz: features"):
            evaluate.main(["a.npz"])
