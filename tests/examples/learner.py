"""A learner's folder of exercises, as the tests of the course take it."""
import functools
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "examples" / "exercises"
sys.path.insert(0, str(FOLDER))
import check  # noqa: E402
import clock  # noqa: E402, F401
import gaps  # noqa: E402
import play  # noqa: E402, F401

judge = check.judge
judge_solution = functools.cache(lambda number: judge(number, check.SOLUTIONS))


@pytest.fixture(autouse=True)
def fresh(tmp_path, monkeypatch):
    """A folder of fresh exercises, in place of the one in which a learner may be at work. The
    reference solutions, which do not change, are judged but once."""
    folder = tmp_path / "fresh"
    folder.mkdir()
    gaps.make_missing(folder)
    monkeypatch.setattr(check, "FOLDER", folder)
    monkeypatch.setattr(check, "judge", lambda number, folder: (
        judge_solution(number) if folder == check.SOLUTIONS else judge(number, folder)))
    return folder


def fill(folder, number, right=None, wrong=None):
    """Writes the solution of an exercise into the folder, with one mistake in it."""
    text, _ = gaps.parts_of(number)
    assert right is None or text.count(right) == 1
    text = text.replace(right, wrong) if right else text
    (folder / check.FILES[number]).write_text(text, "utf-8")


def verdicts(number, folder):
    return {verdict.name: verdict for verdict in judge(number, folder)}
