"""python -m minigan.gradcheck: it finds nothing wrong, and it finds what was broken on purpose."""
import io
import re
import subprocess
import sys
from contextlib import redirect_stdout

import numpy as np
import pytest

import minigan
from minigan import (
    LOSSES, NETWORKS, BatchNorm, ConvTranspose2D, Dense, Dropout, GradientPenalty, Hinge, Layer,
    LayerNorm, LeakyReLU, Tanh)
from minigan.gradcheck.__main__ import (
    PENALTIES, SMALL, layer_cases, loss_checks, main, outcome)


WASSERSTEIN = [("D", "wasserstein"), ("G", "wasserstein"), ("D", "wasserstein, gp"),
               ("G", "wasserstein, gp"), ("D", "wasserstein, r1")]
PLAIN = [(which, loss) for which in "DG" for loss in LOSSES]
TUNED = [("D", "nonsaturating, r1"), ("G", "nonsaturating, r1")]
STEPS = {f"{which} step of {arch}, {rest}" for arch, rows in [
    ("mlp", PLAIN + WASSERSTEIN), ("mlp_tuned", TUNED), ("dcgan", WASSERSTEIN),
    ("dcgan_tuned", TUNED)] for which, rest in rows}


@pytest.fixture(scope="module")
def everything():
    """Exit status and output without options."""
    out = io.StringIO()
    with redirect_stdout(out):
        status = main([])
    return status, out.getvalue()


def test_every_gradient_of_minigan_is_right(everything):
    status, out = everything
    assert status == 0 and "WRONG" not in out
    assert re.search(r"^\d+ checks, \d+ gradients right, [\d.]+ s: all right$", out, re.MULTILINE)


def test_each_check_is_one_line_with_its_worst_error(everything):
    _, out = everything
    rows = re.findall(r"^right +(\d+) +(\S+) +\S+ +\d+ +\S", out, re.MULTILINE)
    assert f"{len(rows)} checks, {sum(int(count) for count, _ in rows)} gradients right" in out
    assert max(float(error) for _, error in rows) < 5e-7  # twice away from the tolerance
    titles = [line.split(maxsplit=5)[5] for line in out.splitlines() if line.startswith("right")]
    assert {title for title in titles if " step of " in title} == STEPS
    assert {"Dense(4, 3)", "Dense(4, 3), tangent", "BatchNorm(3), in use"} < set(titles)


def test_every_public_loss_is_checked_and_every_penalty(everything):
    titles = {line.split(maxsplit=5)[5] for line in everything[1].splitlines()
              if line.startswith("right")}
    public = {name: getattr(minigan, name) for name in minigan.__all__}
    against_a_target = {name for name, thing in public.items()
                        if getattr(thing, "__module__", "") == "minigan.targets"}
    assert len(against_a_target) == 4 and against_a_target < titles
    for kind in LOSSES.values():
        assert {f"{kind()}, D's side", f"{kind()}, G's side"} < titles
    for option in ("NonSaturating(label_smoothing=0.1)", "LeastSquares(real=0.5, fake=-1.0)"):
        assert {f"{option}, D's side", f"{option}, G's side"} < titles
    penalties = {type(make()).__name__ for make in PENALTIES.values()} - {"NoneType"}
    assert penalties == {name for name in public if name.endswith("Penalty")}


@pytest.mark.parametrize("name", ["mean_squared_error", "mean_absolute_error",
                                  "binary_cross_entropy_with_logits", "cross_entropy_with_logits"])
def test_a_loss_against_a_target_that_is_wrong_is_found(name, monkeypatch, capsys):
    right = getattr(minigan, name)

    def doubled(y, **target):
        value, dy = right(y, **target)
        return value, 2 * dy
    doubled.__name__ = name
    monkeypatch.setattr(minigan, name, doubled)
    wrong = [title for title, check in loss_checks() if not outcome(title, check, False)[0]]
    assert wrong == [name]


def test_nothing_public_is_left_out():
    public = vars(minigan).values()

    def subclasses(base):
        return {thing for thing in public
                if isinstance(thing, type) and issubclass(thing, base) and thing is not base}
    assert {type(layer) for layer, _ in layer_cases()} == subclasses(Layer)
    assert set(LOSSES.values()) == subclasses(minigan.AdversarialLoss)
    assert SMALL.keys() == NETWORKS.keys()


# Backward passes broken by hand.

def sign(self, dy, x):
    self.W.grad -= x.T @ dy
    self.b.grad += dy.sum(axis=0)


def transposed(self, dy, x):
    self.W.grad += (x.T @ dy).T
    self.b.grad += dy.sum(axis=0)


def overwritten(self, dy, x):
    self.W.grad[...] = x.T @ dy
    self.b.grad[...] = dy.sum(axis=0)


def mean_term_missing(self, a, cache):
    x_hat, inv_std, _ = cache
    return (a - x_hat * self.mean(a * x_hat)) * inv_std


def statistics_always_the_batchs(self, dy, cache):
    return LayerNorm.input_grad(self, dy, (*cache[:2], False))


def mask_missing(self, dy, mask):
    return dy


def slope_missing(self, dy, y):
    return dy * (y > 0)


def nothing(self, *args):
    return None


def kernel_flipped(self, dy, x):
    flipped = self.W.value[:, ::-1, ::-1].reshape(self.in_channels, -1)
    return (minigan.patches(dy, *self.window) @ flipped.T).reshape(x.shape)


def sum_for_mean(self, s_fake):
    return -s_fake.mean(), np.full_like(s_fake, -1)


def discriminator_bypassed(generator, discriminator, optimizer, loss, z):
    x_fake, cache = generator.forward(z)
    s_fake, _ = discriminator.forward(x_fake)
    value, ds_fake = loss.generator(s_fake)
    generator.zero_grad()
    generator.add_param_grads(ds_fake[:, :, None, None] * np.ones_like(x_fake), cache)
    return value, s_fake.mean()


def value_only(self, discriminator, x_real, x_fake):
    before = [p.grad.copy() for p in discriminator.parameters()]
    value = RIGHT_PENALTY(self, discriminator, x_real, x_fake)
    for p, grad in zip(discriminator.parameters(), before):
        p.grad[...] = grad
    return value


RIGHT_PENALTY = GradientPenalty.__call__
JACOBIAN = "times_jacobian"
STEP = ["--arch", "mlp", "--loss", "hinge", "--penalty"]


@pytest.mark.parametrize("owner, method, broken, words, check, gradient", [
    (Dense, "add_param_grads", sign, ["--layer", "Dense"], "Dense(4, 3)", "W"),
    (Dense, "add_param_grads", transposed, ["--layer", "Dense"], "Dense(3, 3)", "W"),
    (Dense, "add_param_grads", overwritten, ["--layer", "Dense"], "Dense(4, 3)", "overwrites"),
    (BatchNorm, JACOBIAN, mean_term_missing, ["--layer", "BatchNorm"], "BatchNorm(3)", "dx"),
    (BatchNorm, "input_grad", statistics_always_the_batchs, ["--layer", "BatchNorm"],
     "BatchNorm(3), in use", "dx"),
    (LayerNorm, JACOBIAN, mean_term_missing, ["--layer", "LayerNorm"], "LayerNorm(4)", "dx"),
    (LayerNorm, "curvature", nothing, ["--layer", "LayerNorm"], "LayerNorm(4), tangent", "dx"),
    (Dropout, "input_grad", mask_missing, ["--layer", "Dropout"], "Dropout(p=0.4)", "dx"),
    (LeakyReLU, "input_grad", slope_missing, ["--layer", "LeakyReLU"], "LeakyReLU()", "dx"),
    (Tanh, "curvature", nothing, ["--layer", "Tanh"], "Tanh(), tangent", "dx"),
    (ConvTranspose2D, "input_grad", kernel_flipped, ["--layer", "ConvTranspose2D"],
     "ConvTranspose2D(2, 3, 3, padding=1)", "dx"),
    (Hinge, "generator", sum_for_mean, [*STEP, "none"], "G step of mlp, hinge", "(ds_fake|0.W)"),
    (minigan, "generator_step", discriminator_bypassed, [*STEP, "none"],
     "G step of mlp, hinge", "8.b"),
    (GradientPenalty, "__call__", value_only, [*STEP, "gp"], "D step of mlp, hinge, gp", "1.W"),
])
def test_a_broken_backward_pass_is_found_and_named(
        monkeypatch, capsys, owner, method, broken, words, check, gradient):
    monkeypatch.setattr(owner, method, broken)
    assert main(words) == 1
    out = capsys.readouterr().out
    failure = re.search(rf"^WRONG +{re.escape(check)}\n((?: +.*\n)+)", out, re.MULTILINE)[1]
    wrong = rf"^ +{gradient} .* WRONG: \w"  # and a hint
    assert re.search("overwrites W.grad" if gradient == "overwrites" else wrong, failure,
                     re.MULTILINE), failure
    assert re.search(r": \d+ wrong; begin with the first, \S", out)


def test_a_failure_hides_no_other_check_and_an_error_of_any_kind_is_one(monkeypatch, capsys):
    def shapes_do_not_fit(self, dy, x):
        self.W.grad += dy.T @ np.ones((len(dy) + 1, 1))

    monkeypatch.setattr(Dense, "add_param_grads", shapes_do_not_fit)
    assert main([]) == 1
    out = capsys.readouterr().out
    assert re.search(r"^WRONG +Dense\(4, 3\)\n +ValueError: matmul.*\n +in shapes_do_not_fit, "
                     r".*test_gradcheck_command", out, re.MULTILINE)
    assert re.search(r"^right .* ConvTranspose2D\(2, 3, 3, padding=1\)$", out, re.MULTILINE)
    steps = re.findall(r"^WRONG +[DG] step of", out, re.MULTILINE)
    assert len(steps) == len(STEPS)
    assert "wrong; begin with the first, Dense(4, 3)" in out


@pytest.mark.parametrize("words, titles", [
    (["--layer", "MaxPool2D"], ["MaxPool2D(2)", "MaxPool2D(2), tangent",
                                "MaxPool2D(3, stride=2)", "MaxPool2D(3, stride=2), tangent"]),
    (["--arch", "mlp", "--loss", "minimax", "--penalty", "r1"],
     ["D step of mlp, minimax, r1", "G step of mlp, minimax, r1"]),
    (["--layer", "Flatten", "--arch", "mlp", "--loss", "hinge", "--penalty", "none"],
     ["Flatten()", "Flatten(), tangent", "D step of mlp, hinge", "G step of mlp, hinge"]),
])
def test_what_is_chosen_is_printed_in_full_and_nothing_else(capsys, words, titles):
    assert main(words) == 0
    out = capsys.readouterr().out
    assert re.findall(r"^(.*)\ngradient +shape +error +cosine", out, re.MULTILINE) == titles
    assert f"\n{len(titles)} checks, " in out


@pytest.mark.parametrize("option, name", [
    ("--layer", "Dens"), ("--arch", "gan"), ("--loss", "bce"), ("--penalty", "clip")])
def test_an_unknown_name_is_answered_with_the_known_ones(capsys, option, name):
    with pytest.raises(SystemExit) as stopped:
        main([option, name])
    assert stopped.value.code == 2
    known = {"--layer": ["Dense", "Sequential"], "--arch": NETWORKS, "--loss": LOSSES,
             "--penalty": PENALTIES}[option]
    complaint = capsys.readouterr().err
    assert f"argument {option}: invalid choice: '{name}'" in complaint
    assert all(name in complaint for name in known)


def test_it_runs_as_a_command_without_a_warning_and_its_exit_status_tells():
    command = [sys.executable, "-W", "error", "-m", "minigan.gradcheck", "--layer", "Tanh"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    code = ("import runpy, sys, minigan; sys.argv[1:] = ['--layer', 'Tanh']; "
            "minigan.Tanh.input_grad = lambda self, dy, y: dy; "
            "runpy.run_module('minigan.gradcheck', run_name='__main__')")
    assert subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == 1
