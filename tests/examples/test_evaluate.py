"""evaluate.py as a user runs it, on the built-in digits in place of MNIST."""
import re
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="the examples draw: pip install -e '.[test]'")

from minigan.workshop import draw_digits, parzen_log_likelihood, save_samples  # noqa: E402

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
    monkeypatch.setattr(evaluate, "train_classifier", None)
    with pytest.raises(SystemExit, match="error: .*nowhere.npz"):
        evaluate.main(["nowhere.npz"])
