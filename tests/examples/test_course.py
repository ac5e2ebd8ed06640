"""The course at the keyboard: watching, hints, colours, endless loops, the games, the chapter."""
import functools
import io
import os
import re
import signal
import subprocess
import sys
import time

import learner
import numpy as np
import pytest
from learner import FOLDER, ROOT, check, clock, fill, gaps, play, verdicts

fresh = learner.fresh  # for each test


# What would end the check, or keep it for ever.

needs_alarm = pytest.mark.skipif(not hasattr(signal, "SIGALRM"), reason="there is no SIGALRM here")


@needs_alarm
def test_an_endless_loop_is_told_with_its_line_and_the_others_are_judged(fresh, monkeypatch):
    monkeypatch.setattr(clock.alarm, "__defaults__", (0.3,))
    fill(fresh, 1, "return x.T @ dy\n", "while True:\n            x = x + 0\n")
    found = verdicts(1, fresh)
    assert found["dW"].word == "error" and found["dx"].word == found["db"].word == "right"
    assert "TooLong: it ran for more than 0.3 s" in found["dW"].lines[0]
    assert re.match(r"in ex01_dense.py line \d+: (while True:|x = x \+ 0)$", found["dW"].lines[1])


@needs_alarm
def test_an_endless_loop_is_ended_through_an_except_and_while_the_file_is_read(fresh, monkeypatch):
    monkeypatch.setattr(clock.alarm, "__defaults__", (0.3,))
    loop = "while True:\n{0}    try:\n{0}        x = 0\n{0}    except Exception:\n{0}        pass\n"
    fill(fresh, 1, "return x.T @ dy\n", loop.format(" " * 8))
    assert verdicts(1, fresh)["dW"].word == "error"
    fill(fresh, 1, "\n\nclass Dense", "\n\n" + loop.format("") + "\n\nclass Dense")
    assert "TooLong" in verdicts(1, fresh)["the file"].lines[0]


@needs_alarm
def test_after_the_check_no_alarm_is_left(fresh):
    check.judge(1, fresh)
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)


@pytest.mark.parametrize("right, wrong, name", [
    ("return x.T @ dy\n", "raise SystemExit\n", "dW"),
    ("\n\nclass Dense", "\nimport sys\nsys.exit(0)\n\n\nclass Dense", "the file")])
def test_a_file_that_ends_the_program_is_told_so_and_does_not_end_the_check(
        right, wrong, name, fresh):
    fill(fresh, 1, right, wrong)
    found = verdicts(1, fresh)[name]
    assert found.word == "error" and "this ends the program" in found.lines[0]
    assert "in ex01_dense.py line " in found.lines[1]
    assert check.main(["1"]) == 1


def test_ctrl_c_ends_a_check_quietly(fresh, monkeypatch, capsys):
    def stop(number, folder):
        raise KeyboardInterrupt
    monkeypatch.setattr(check, "judge", stop)
    assert check.main(["1"]) == 130 and check.main([]) == 130
    assert capsys.readouterr().out.strip() == ""


# Watching.

def test_watching_shows_once_and_again_after_each_save(tmp_path, monkeypatch):
    path, shown, naps = tmp_path / "ex01.py", [], []

    def nap(seconds):
        naps.append(seconds)
        if len(naps) == 3:
            path.write_text("saved")
        if len(naps) == 5:
            path.unlink()  # as some editors do, before they write
        if len(naps) == 6:
            raise KeyboardInterrupt
    path.write_text("old")
    os.utime(path, ns=(0, 0))
    monkeypatch.setattr(clock.time, "sleep", nap)
    with pytest.raises(KeyboardInterrupt):
        clock.watch([path], lambda: shown.append(len(naps)))
    assert shown == [0, 3, 5] and set(naps) == {0.5}


@pytest.mark.skipif(os.name != "posix", reason="Ctrl-C is sent by a signal")
def test_a_learner_who_watches_sees_the_new_verdict_and_leaves_with_ctrl_c(fresh):
    code = ("import check, signal, sys, pathlib; "
            "signal.signal(signal.SIGINT, signal.default_int_handler); "  # a job may ignore it
            "check.FOLDER = pathlib.Path(sys.argv[1]); "
            "sys.exit(check.main(['1', '--watch']))")
    env = {**os.environ, "PYTHONPATH": f"{FOLDER}{os.pathsep}{ROOT}", "PYTHONUNBUFFERED": "1"}
    watcher = subprocess.Popen([sys.executable, "-c", code, str(fresh)], env=env, text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        lines = iter(watcher.stdout.readline, "")
        assert any("not right yet" in line for line in lines)
        assert any("Ctrl-C ends it" in line for line in lines)
        fill(fresh, 1)
        assert any("exercise 1 is done" in line for line in lines)
        time.sleep(0.3)
        watcher.send_signal(signal.SIGINT)
        _, errors = watcher.communicate(timeout=20)
        assert watcher.returncode == 130 and errors == ""
    finally:
        watcher.kill()


# Words and colours.

class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_colours_are_for_a_terminal_that_wants_them(fresh, monkeypatch):
    fill(fresh, 1, "return x.T @ dy\n", "return -x.T @ dy\n")
    monkeypatch.setattr(check, "judge", functools.cache(check.judge))
    for stream, no_color, coloured in (Terminal, "", True), (Terminal, "1", False), (
            io.StringIO, "", False):
        monkeypatch.setenv("NO_COLOR", no_color)
        monkeypatch.setattr(sys, "stdout", out := stream())
        for words in ["1"], ["2"], []:
            check.main(words)
        text = out.getvalue()
        assert ("\033[32mright       \033[0m" in text and "\033[31mwrong       \033[0m" in text
                and "\033[33mmissing     \033[0m" in text
                and "\033[33mnot written yet\033[0m" in text) == coloured
        assert ("\033" in text) == coloured
        plain = re.sub(r"\033\[\d+m", "", text)
        assert re.search(r"^dx                       right        \d\.\de", plain, re.MULTILINE)


def test_the_overview_says_how_many_are_done(fresh, capsys):
    for number in 1, 2, 5:
        fill(fresh, number)
    check.main([])
    assert f"\n3 of {len(check.FILES)} done.\nNext: exercise 3, in " in capsys.readouterr().out


def test_hints_unfold_one_at_a_time(capsys):
    whole = gaps.parts_of(5)[1]
    shown = []
    for step in range(1, 5):
        assert check.main(["5", "--hint", str(step)]) == 0
        shown.append(capsys.readouterr().out)
    assert "inv_std^3" in shown[0] and "mean(dx_hat x_hat)" not in "".join(shown[:-1])
    assert "mean(dx_hat x_hat)" in shown[-1] and "One more" not in shown[-1]
    for step in range(3):
        assert shown[step].endswith(f"check.py 5 --hint {step + 2}\n")
    words = " ".join(re.sub("\nOne more: .*", "", text) for text in shown).split()
    assert words == whole.split()
    check.main(["5", "--hint"])
    assert capsys.readouterr().out == shown[0]


def test_every_exercise_has_at_least_three_hints():
    assert [number for number in check.FILES if len(check.hints(number)) < 3] == []


@pytest.mark.parametrize("words, message", [
    (["--hint"], "a hint for which exercise?"), (["3", "--hint", "9"], "hints 1 to 3, got 9"),
    (["3", "--hint", "0"], "hints 1 to 3, got 0")])
def test_a_hint_that_is_not_there_is_refused(words, message, capsys):
    with pytest.raises(SystemExit):
        check.main(words)
    assert message in capsys.readouterr().err


# Exercise 12: any layer, any GAN.

OWN = {
    "p + self.beta.value * y * (1 - p)": ("p", "Mine, by check_layer"),
    "self.beta.grad += ": ("self.beta.grad[...] = ", "Mine, by check_layer"),
    "self.beta = Parameter(np.ones(num_features, np.float32))":
        ("self.beta = type('Fixed', (), {'value': 1.0})", "Mine, by check_layer"),
    "    D.zero_grad()\n": ("", "d_step, by check_step"),
    "D.add_param_grads(ds_fake, cache_fake)":
        ("D.add_param_grads(ds_fake, cache_real)", "d_step, by check_step"),
    "D.input_grad(ds_fake, cache_D)": ("D.backward(ds_fake, cache_D)", "g_step, by check_step"),
    "[:, :2]  #": ("[:, -2:]  #", "g_step, by check_step"),
    "return G(np.hstack([z, label]))": ("return G(np.hstack([z, label])).T", "sample")}


@pytest.mark.parametrize("right", OWN, ids=[f"{i}" for i in range(len(OWN))])
def test_a_mistake_in_a_layer_or_gan_of_ones_own_is_told_by_the_report(right, fresh):
    wrong, name = OWN[right]
    fill(fresh, 12, right, wrong)
    found = verdicts(12, fresh)
    assert {name: "wrong"} == {verdict.name: verdict.word for verdict in found.values()
                               if verdict.word != "right"}, [*map(str, found.values())]


def test_the_report_itself_stands_below_the_verdict(fresh):
    fill(fresh, 12, "grads(ds_fake, cache_fake)", "grads(ds_real, cache_real)")
    text = str(verdicts(12, fresh)["d_step, by check_step"])
    assert "step d_step" in text and re.search(r"0\.W +\(10, 3\) .*WRONG", text)


def test_two_networks_on_a_side_are_right_too(fresh):
    text = gaps.parts_of(12)[0]
    text = text.replace(" = D.forward", " = D[0].forward").replace("D.input", "D[0].input").replace(
        "    D.", "    D[0].").replace("width, width, 1, rng)", "width, width, 1, rng)").replace(
        "2 + 8, width, width, 2), network(2 + 8, width, width, 1)",
        "2 + 8, width, width, 2), [network(2 + 8, width, width, 1)]")
    assert text.count("D[0]") == 7
    (fresh / check.FILES[12]).write_text(text, "utf-8")
    assert check.summary(check.judge(12, fresh)) == "done"
    play.learn_own(type("args", (), {"steps": 2}), play.Ring(), check.load(12, fresh))


def test_in_exercise_11_dsigma_and_dW_make_the_gradient_that_does_not_see_the_length_of_W():
    layer = check.load(11, check.SOLUTIONS).SpectralDense(4, 3, 0).astype(np.float64)
    rng = np.random.default_rng(0)
    x, dy = rng.standard_normal((5, 4)), rng.standard_normal((5, 3))
    for _ in range(200):
        _, cache = layer.forward(x)
    layer.add_param_grads(dy, cache)
    assert abs((layer.W.grad * layer.W.value).sum()) < 1e-12 < abs(layer.W.grad).max()
    assert np.isclose(np.linalg.norm(cache[1], 2), 1)


# The chapter on what goes wrong without a wrong gradient.

def lines_of(how, steps, tmp_path, capsys):
    play.main(["ring", "--break", how, "--solutions", "--steps", str(steps),
               "--out", str(tmp_path)])
    return [line for line in capsys.readouterr().out.splitlines() if line.startswith("step")]


def number(line, name):
    return float(re.search(re.escape(name) + r" +(-?[\d.]+)", line)[1])


def modes(line):
    return int(re.search(r"(\d) of 8 Gaussians", line)[1])


def test_collapse_has_healthy_losses_and_few_modes(tmp_path, capsys):
    lines = lines_of("collapse", 1500, tmp_path, capsys)
    late = lines[4:]
    assert sum(modes(line) <= 2 for line in late) >= 5
    assert 1 < np.median([number(line, "D loss") for line in late]) < 2


def test_saturate_stays_where_it_began(tmp_path, capsys):
    lines = lines_of("saturate", 100, tmp_path, capsys)
    assert all(number(line, "D(G(z))") == 0 == modes(line) and number(line, "D loss") < 0.01
               for line in lines)


def test_strong_keeps_real_and_fake_apart(tmp_path, capsys):
    lines = lines_of("strong", 100, tmp_path, capsys)
    assert all(number(line, "D(x)") - number(line, "D(G(z))") > 0.5 for line in lines[3:])
    assert all(number(line, "G loss") > 3 for line in lines[3:])


def test_no_zero_grad_swings_wider_and_wider(tmp_path, capsys):
    lines = lines_of("no-zero-grad", 600, tmp_path, capsys)
    assert max(number(line, "D loss") for line in lines) > 10
    assert all(modes(line) <= 3 for line in lines)


def test_the_chapter_tells_of_each_way_to_go_wrong_and_no_other():
    text = (FOLDER / "going_wrong.md").read_text()
    assert tuple(re.findall(r"^## .*`play.py ring --break ([\w-]+)`", text, re.M)) == play.BREAKS
    assert max(len(line) for line in text.splitlines() if not line.startswith("step")) <= 100


def test_only_the_ring_goes_wrong(capsys):
    with pytest.raises(SystemExit):
        play.main(["digits", "--break", "collapse"])
    assert "--break is for the ring" in capsys.readouterr().err
