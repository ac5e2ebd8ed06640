"""The search for good settings, with trainings that take no time."""
import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="the examples draw: pip install -e '.[test]'")
pytest.importorskip("tqdm", reason="the examples show their progress: pip install -e '.[test]'")

from minigan.workshop import save  # noqa: E402

sys.path.insert(0, str(Path(__file__).parents[2] / "examples"))
import options  # noqa: E402
import search  # noqa: E402


@pytest.fixture
def trained(monkeypatch, tmp_path):
    """The list of (words, threads) that were trained; a candidate's distance is its --lr."""
    trained, distances = [], {}

    def train(words, folder, threads):
        trained.append((words, threads))
        args = options.parse(words)
        distances[folder / "checkpoint.npz"] = args.lr + args.seed
        return 40, 10.0

    numbers = {"entropy": 2.3, "least": 9.0, "most": 11.0, "sure": 80.0, "parzen": 200.0,
               "error": 2.0}
    judge = SimpleNamespace(numbers=lambda distance: ({"distance": distance, **numbers}, None))
    monkeypatch.setattr(search, "train", train)
    monkeypatch.setattr(search, "load_samples", lambda path, backend: distances[path])
    monkeypatch.setattr(search, "Judge", lambda: judge)
    monkeypatch.chdir(tmp_path)
    return trained


def test_the_table_is_the_best_first_and_what_is_finished_is_not_trained_again(trained, capsys):
    names = ["mlp, classical", "mlp, lr 2e-3"]
    search.main([*names, "--seeds", "3", "2", "--threads", "5"])
    assert len(trained) == 4 and all(threads == 5 for _, threads in trained)
    first = capsys.readouterr().out
    rows = first.splitlines()[1:]
    assert [row[17:].split("  ")[0] for row in rows] == [
        "mlp, classical, seed 2", "mlp, lr 2e-3, seed 2",
        "mlp, classical, seed 3", "mlp, lr 2e-3, seed 3"]
    assert rows[0].split()[:2] == ["40", "10"]  # steps, seconds
    search.main([*names, "--seeds", "3", "2"])
    assert len(trained) == 4 and capsys.readouterr().out == first
    assert json.loads(Path("runs/search/mlp_lr_2e-3_seed_3/result.json").read_text())["steps"] == 40


def test_all_candidates_are_command_lines_of_mnist_gan(trained):
    search.main([])
    assert [words[:-4] for words, _ in trained] == [
        words.split() for words in search.CANDIDATES.values()]
    for name, words in search.CANDIDATES.items():
        args = options.parse(words.split())
        assert args.arch == name.partition(",")[0]
        assert args.recipe == ("classical" if "classical" in name else "tuned")


def test_an_unknown_candidate_is_named(trained, capsys):
    with pytest.raises(SystemExit):
        search.main(["mlp, huge"])
    assert "no such candidate: mlp, huge; there are mlp, classical; " in capsys.readouterr().err
    assert not trained


def test_a_training_is_a_process_of_its_own_and_goes_on_where_it_stopped(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    steps, seconds = search.train(["--dry-run"], tmp_path, threads=1)
    assert steps == 16 and 0 < seconds < 80
    ran = []
    monkeypatch.setattr(search.subprocess, "run", lambda words, **more: ran.append(words) or (
        SimpleNamespace(stdout="steps done: 30, 20 of them now, in 5.0 s")))
    assert search.train(["--lr", "1"], tmp_path, 1) == (30, 7.5) and "--resume" not in ran[0]
    save(tmp_path / "checkpoint.npz", {"step": np.array(1)})
    search.train(["--lr", "1"], tmp_path, 1)
    assert ran[1] == [*ran[0], "--resume"]
    monkeypatch.setattr(search.subprocess, "run", lambda *_, **more: SimpleNamespace(
        stdout="steps done: 30, 0 of them now, in 0.0 s"))
    steps, seconds = search.train([], tmp_path, 1)  # it was interrupted after its last step
    assert steps == 30 and np.isnan(seconds)


def test_a_failed_training_is_told_with_its_command(trained, monkeypatch):
    def fail(*_):
        raise subprocess.CalledProcessError(1, ["mnist_gan.py", Path("a b")], stderr="diverged")

    monkeypatch.setattr(search, "train", fail)
    with pytest.raises(SystemExit, match="(?s)error: mnist_gan.py 'a b'\ndiverged"):
        search.main(["mlp, tuned"])
