"""The course in examples/exercises: its gaps, its solutions, and what it says of mistakes."""
import os
import re
import shutil
import subprocess
import sys

import learner
import numpy as np
import pytest
from learner import FOLDER, ROOT, check, fill, gaps, play, verdicts

fresh = learner.fresh  # for each test
NUMBERS = sorted(check.FILES)


# The files.

def test_there_are_twelve_exercises_and_each_has_a_solution_a_hint_mistakes_and_gaps():
    assert NUMBERS == list(range(1, 13))
    for number in NUMBERS:
        text, hint = gaps.parts_of(number)
        exercise = gaps.exercise_of(text)
        assert text.count("# gap ") == text.count("# end\n") == exercise.count("# TODO: ") > 0
        assert len(hint.splitlines()) >= 2 and hint not in exercise and "import" not in hint
        assert not re.search("# gap|# end|# hint|# mistakes|MISTAKES|# check|quantities", exercise)
        assert max(map(len, (gaps.SOLUTIONS / gaps.FILES[number]).read_text("utf-8").splitlines()
                       + exercise.splitlines())) <= 100


def test_judging_makes_the_exercises_that_are_missing_and_writes_on_no_other(fresh, capsys):
    mine, lost = fresh / check.FILES[3], fresh / check.FILES[4]
    made = {path: path.read_text("utf-8") for path in fresh.iterdir()}
    mine.write_text("my work")
    lost.unlink()
    check.judge(1, fresh)
    assert capsys.readouterr().out == f"Made in {os.path.relpath(fresh)}: exercise 4\n\n"
    assert {path: path.read_text("utf-8") for path in fresh.iterdir()} == {**made, mine: "my work"}
    check.judge(1, fresh)
    assert capsys.readouterr().out == ""


def test_git_sees_the_solutions_and_the_specimens_and_nothing_that_a_learner_writes():
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    zoo = FOLDER / "bug_zoo"
    theirs = [*(FOLDER / name for name in check.FILES.values()),
              *(zoo / path.name for path in sorted(zoo.glob("specimens/*.py")))]
    ours = [check.SOLUTIONS / "ex11_new.py", zoo / "specimens" / "bug16.py", FOLDER / "README.md"]
    done = subprocess.run(["git", "check-ignore", *theirs, *ours], cwd=ROOT, capture_output=True,
                          text=True)  # it does not name what is tracked, whatever .gitignore says
    if done.returncode == 128:
        pytest.skip(done.stderr)  # the tests run outside of a repository
    assert len(theirs) == 33 and done.stdout.splitlines() == [*map(str, theirs)]


# The verdicts.

@pytest.mark.parametrize("number", NUMBERS)
def test_the_solution_is_right_in_every_quantity(number):
    found = check.judge(number, check.SOLUTIONS)
    assert [verdict for verdict in found if verdict.word != "right"] == []
    errors = [verdict.comparison.error for verdict in found if verdict.comparison]
    assert max(errors, default=0) < 1e-7  # far from the 1e-6 that the table expects


@pytest.mark.parametrize("number", NUMBERS)
def test_a_gap_says_that_it_is_not_written_yet(number, fresh):
    found = check.judge(number, fresh)
    assert check.summary(found) == "not written yet"
    assert all(re.match(r"ex\d\d_\w+.py line \d+: not written yet: ", v.note) for v in found)


def test_one_gap_does_not_hide_the_verdicts_on_the_others(fresh):
    for number in NUMBERS:
        text, _ = gaps.parts_of(number)
        some = gaps.GAP.sub(r'\1raise NotImplementedError("not written yet")\n', text, 1)
        (fresh / check.FILES[number]).write_text(some, "utf-8")
        words = [verdict.word for verdict in check.judge(number, fresh)]
        assert set(words) == {"right", "missing"} and words.count("right") >= 1, number
        fill(fresh, number)


def test_a_learners_code_builds_on_their_own_and_the_solution_asks_of_it(fresh):
    for number in NUMBERS:
        fill(fresh, number)
    fill(fresh, 2, "np.where(y > 0, dy", "np.where(y > 0, -dy")
    assert verdicts(9, fresh)["LeakyReLU y_dot"].word == "wrong"
    assert verdicts(9, check.SOLUTIONS)["LeakyReLU y_dot"].word == "right"
    with open(fresh / check.FILES[2], "a") as file:
        file.write("\n\ndef check(module):\n    return []\n")
    assert verdicts(2, fresh)["LeakyReLU dx"].word == "wrong"


def test_a_method_that_is_gone_is_an_error_and_not_a_gap(fresh):
    fill(fresh, 1, "def input_grad(", "def inputgrad(")
    assert verdicts(1, fresh)["dx"].word == "error"
    assert "defines no input_grad" in verdicts(1, fresh)["dx"].lines[0]


def test_a_mistake_is_shown_with_the_worst_place_and_the_likely_reason(fresh):
    fill(fresh, 1, "x.T @ dy\n", "-x.T @ dy\n")
    found = verdicts(1, fresh)
    assert found["dW"].word == "wrong"
    place, likely = found["dW"].lines
    assert re.match(r"worst at \[\d, \d\]: yours \S+, right \S+$", place)
    assert likely.startswith("likely: the sign is wrong")
    assert check.summary([*found.values()]) == "wrong: dW"


@pytest.mark.parametrize("right, wrong, says", [
    ("    # end\n    if penalty", "    optimizer.step()\n    # end\n    if penalty",
     "optimizer.step() is called 2 times"),
    ("    # end\n    if penalty", "    return value\n    # end\n    if penalty",
     "optimizer.step() is called 0 times"),
    ("    optimizer.step()\n    return value, loss.shown(s_real)",
     "    optimizer.step()\n    discriminator.zero_grad()\n    return value, loss.shown(s_real)",
     "the gradients still change after optimizer.step()")])
def test_a_step_calls_the_optimizer_once_and_after_all_gradients(right, wrong, says, fresh):
    fill(fresh, 4, right, wrong)
    assert verdicts(4, fresh)["D step: optimizer"].lines[0] == says


@pytest.mark.parametrize("wrong, expected", [
    ("dy.T @ x\n", "transpose"), ("x[:, :2].T @ dy\n", "(2, 3)")])
def test_a_wrong_shape_is_said_with_both_shapes(wrong, expected, fresh):
    fill(fresh, 1, "x.T @ dy\n", wrong)
    found = verdicts(1, fresh)
    assert found["dW"].word == "wrong shape" and found["dx"].word == "right"
    assert "(4, 3)" in found["dW"].note and expected in found["dW"].note


def test_an_exception_is_said_with_its_place_and_shapes_and_the_likely_reason(fresh):
    fill(fresh, 1, "dy @ self.W.value.T", "dy @ self.W.value")
    found = verdicts(1, fresh)["dx"]
    assert found.word == "error" and len(found.lines) == 4
    assert found.lines[0] == "ValueError: these shapes do not fit for @"
    assert found.lines[1] == "in ex01_dense.py line 39: return dy @ self.W.value"
    assert found.lines[2] == "where dy is (5, 3), self.W.value is (4, 3)"
    assert found.lines[3].startswith("likely: W has to be transposed")


def test_a_file_that_cannot_be_read_is_said_to_be_so(fresh):
    fill(fresh, 1, "return x.T @ dy\n", "return (x.T @ dy\n")
    found = check.judge(1, fresh)
    assert [verdict.name for verdict in found] == ["the file"]
    assert "SyntaxError" in found[0].lines[0] and "ex01_dense.py line 44" in found[0].lines[1]
    assert "SyntaxError" in check.summary(found)


def test_a_broken_forward_pass_is_said_to_be_so(fresh):
    fill(fresh, 1, "x @ self.W.value +", "x @ self.V.value +")
    found = check.judge(1, fresh)
    assert found[0].word == "error" and "ex01_dense.py line 35" in found[0].lines[1]


@pytest.mark.parametrize("wrong, word, text", [
    ("dy.sum(axis=0) * np.nan", "wrong", "nan"),
    ("None", "missing", "returns None"),
    ("dy.sum(axis=0).__iadd__(1) and dy.fill(0)", "error", "ValueError"),
    ("dy.fill(0)", "error", "make a new one")])
def test_what_is_no_gradient_at_all_gets_a_verdict_too(wrong, word, text, fresh):
    fill(fresh, 1, "dy.sum(axis=0)", wrong)
    found = verdicts(1, fresh)["db"]
    assert found.word == word and text in str(found)


def test_overflow_far_out_is_an_error(fresh):
    fill(fresh, 3, "np.exp(-softplus(-s))", "1 / (1 + np.exp(-s))")
    found = verdicts(3, fresh)
    assert found["sigmoid"].word == "right" and found["sigmoid at +-1000"].word == "error"
    assert "overflow" in found["sigmoid at +-1000"].lines[0]


def test_float64_from_float32_is_wrong(fresh):
    fill(fresh, 2, "np.where(y > 0, dy, self.negative_slope * dy)", "dy * np.where(y > 0, 1, 0.2)")
    assert "float64" in verdicts(2, fresh)["LeakyReLU as a whole"].lines[0]


# The scripts, as a learner runs them.

def test_the_overview_says_what_is_next_and_what_can_be_played(fresh, capsys):
    for number in 1, 2, 3, 4, 6:
        fill(fresh, number)
    assert check.main([]) == 1
    out = capsys.readouterr().out
    assert out.count(" done\n") == 5 and "play.py ring" in out and "play.py digits" not in out
    assert "Next: exercise 5, in " in out
    assert check.main(["1"]) == 0 and check.main(["5"]) == 1
    assert check.main(["--solutions"]) == 0
    assert capsys.readouterr().out.count("play.py") == len(check.PLAY)


def test_a_hint_is_unfolded_only_when_asked_for_and_one_at_a_time(capsys):
    for words in ["3"], ["3", "--hint"], ["3", "--hint", "2"]:
        check.main(words)
        assert "stable softplus" not in capsys.readouterr().out
    assert check.main(["3", "--hint", "3"]) == 0
    assert "stable softplus" in capsys.readouterr().out


@pytest.mark.parametrize("name", play.NEEDS)
def test_every_game_plays_with_the_solutions(name, tmp_path, capsys, monkeypatch):
    pytest.importorskip("matplotlib")
    draw = play.workshop.draw_digits
    monkeypatch.setattr(play.workshop, "draw_digits", lambda count, rng: draw(100, rng))
    play.main([name, "--solutions", "--steps", "2", "--out", str(tmp_path)])
    assert "step    2" in capsys.readouterr().out and (tmp_path / f"{name}.png").stat().st_size


def test_a_game_that_is_stopped_still_draws(tmp_path, monkeypatch, capsys):
    pytest.importorskip("matplotlib")

    def stop(self, x):
        raise KeyboardInterrupt
    monkeypatch.setattr(play.Ring, "describe", stop)
    play.main(["ring", "--solutions", "--steps", "10", "--out", str(tmp_path)])
    assert "Stopped" in capsys.readouterr().out and (tmp_path / "ring.png").exists()


def test_real_points_lie_on_all_eight_gaussians_of_the_ring_and_others_on_none():
    ring, points = play.Ring(), play.Ring().batch(np.random.default_rng(0), 1000)
    assert re.match("8 of 8 Gaussians found, 9[89]% of", ring.describe(points))
    assert ring.describe(0 * points) == "0 of 8 Gaussians found, 0% of points on one"


def test_a_game_says_which_exercises_it_still_needs(fresh):
    for number in 1, 3:
        fill(fresh, number)
    fill(fresh, 4, "    generator.zero_grad()\n", "")
    with pytest.raises(SystemExit) as end:
        play.main(["ring"])
    assert "Exercise 2: LeakyReLU and Tanh, backward: not written yet" in str(end.value)
    assert "Exercise 4: The two steps of GAN training: wrong: G step: from zero" in str(end.value)
    assert "Exercise 1:" not in str(end.value) and "check.py 2" in str(end.value)


def test_pytest_runs_one_exercise_and_the_repository_collects_none(tmp_path):
    folder = tmp_path / "examples" / "exercises"
    shutil.copytree(FOLDER, folder, ignore=shutil.ignore_patterns("bug_zoo", "__pycache__"))
    for name in check.FILES.values():  # somebody may be at work here
        (folder / name).unlink(missing_ok=True)
    shutil.copy(ROOT / "setup.cfg", tmp_path)
    fill(folder, 3)
    for name, status, word in [("ex03", 0, "1 passed"), ("ex04", 1, "not written yet: D step")]:
        done = subprocess.run([sys.executable, "-m", "pytest", "examples/exercises", "-m", name],
                              cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)},
                              capture_output=True, text=True)
        assert done.returncode == status and word in done.stdout, done.stdout
        assert "11 deselected" in done.stdout and "Traceback" not in done.stdout
    assert "testpaths = tests\n" in (ROOT / "setup.cfg").read_text()


def test_the_readme_of_the_course_shows_a_true_table(fresh):
    text = (fresh / check.FILES[1]).read_text("utf-8")
    for quantity, line in ("dx", "return dy @ self.W.value.T"), ("dW", "return x.T @ dy / len(x)"):
        text = text.replace(f'raise NotImplementedError("not written yet: {quantity}")', line)
    (fresh / check.FILES[1]).write_text(text, "utf-8")
    shown = re.search(r"```\n(quantity.*?\n)```", (FOLDER / "README.md").read_text(), re.DOTALL)[1]

    def without_rounding_errors(text):
        return re.sub(r"\d\.\de-\d\d", "small", text)
    real = without_rounding_errors(check.table(1, check.judge(1, fresh), fresh))
    assert without_rounding_errors(shown) in real


def test_the_readme_of_the_course_names_what_there_is():
    readme = (FOLDER / "README.md").read_text()
    for name in re.findall(r"`((?:minigan|examples)/[\w/.]+)`", readme):
        assert (ROOT / name).exists(), name
    assert set(re.findall(r"`play.py (\w+)`", readme)) == set(play.NEEDS)
