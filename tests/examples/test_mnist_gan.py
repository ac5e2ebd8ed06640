"""The examples as a user runs them, on the built-in digits."""
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="the examples draw: pip install -e '.[test]'")
pytest.importorskip("tqdm", reason="the examples show their progress: pip install -e '.[test]'")

from minigan import LOSSES, NETWORKS, Dense  # noqa: E402
from minigan.workshop import data, draw_digits, load, save, to_float  # noqa: E402

EXAMPLES = Path(__file__).parents[2] / "examples"
sys.path.insert(0, str(EXAMPLES))
import generate  # noqa: E402
import mnist_gan  # noqa: E402

PICTURES = {name: getattr(mnist_gan, name) for name in ("save_grid", "save_curves",
                                                        "save_animation")}
DRAWN = {}  # the digits of each seed


def hundred_digits(_, rng):
    seed = str(rng.bit_generator.state)
    if seed not in DRAWN:
        DRAWN[seed] = draw_digits(100, rng)
    return DRAWN[seed]


@pytest.fixture(autouse=True)
def small_data(monkeypatch, tmp_path):
    """No network, no MNIST of this machine, 100 built-in digits, not 60000, small networks, and in
    place of pictures, whose drawing takes most of so short a run, the numbers that they show."""
    for name in ("save_grid", "save_curves"):
        monkeypatch.setattr(mnist_gan, name, lambda path, numbers, *_: path.write_bytes(
            np.array(numbers).tobytes()))
    monkeypatch.setattr(mnist_gan, "save_animation", lambda path, pictures: path.write_bytes(
        b"".join(picture.read_bytes() for picture in pictures)))
    monkeypatch.setattr(data, "draw_digits", hundred_digits)
    monkeypatch.setitem(mnist_gan.CLASSICAL["mlp"], "latent_dim", 5)
    for recipe in (mnist_gan.CLASSICAL, mnist_gan.TUNED):
        for arch in ("mlp", "dcgan"):
            monkeypatch.setitem(recipe[arch], "width", 8)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("MINIGAN_DATA", raising=False)
    monkeypatch.setattr("minigan.workshop.data.MIRRORS", ["http://127.0.0.1:9/"])
    monkeypatch.chdir(tmp_path)


def run(*words, data="digits"):
    mnist_gan.main(["--data", data, "--batch-size", "20", *map(str, words)])


def recipe(monkeypatch, **settings):
    """Changes settings that have no option, in the recipes, as a user would in the file."""
    for table in (mnist_gan.CLASSICAL, mnist_gan.TUNED):
        for name in table:
            for setting, value in settings.items():
                monkeypatch.setitem(table[name], setting, value)


def test_a_run_leaves_all_it_promises_and_pictures_do_not_disturb_the_training(monkeypatch, capsys):
    with monkeypatch.context() as drawing:
        for name, real in PICTURES.items():
            drawing.setattr(mnist_gan, name, real)
        run("--recipe", "classical", "--epochs", 2, "--out", "a", "--save-samples", 30)
    assert {path.name for path in Path("a").iterdir()} == {
        ".lock", "checkpoint.npz", "samples_epoch_001.png", "samples_epoch_002.png", "samples.png",
        "losses.png", "training.gif", "samples.npz"}
    images = np.load("a/samples.npz")["images"]
    assert images.shape == (30, 28, 28) and images.dtype == np.float32
    assert images.min() >= 0 and images.max() <= 1
    saved = load("a/checkpoint.npz")
    assert saved["step"] == 10 and saved["epoch"] == 2 and saved["history"].shape == (10, 4)
    out, err = capsys.readouterr()
    assert "BUILT-IN DIGITS" in out and "steps done: 10, 10 of them now, in" in out
    assert "Nothing was left" not in out and "D(G(z))" in err
    run("--recipe", "classical", "--epochs", 2, "--out", "without")
    np.testing.assert_equal(load("without/checkpoint.npz"), saved)


@pytest.mark.parametrize("recipe, stop", [
    ("tuned", ["--epochs", 2, "--steps", 5]), ("tuned", ["--epochs", 2, "--steps", 3]),
    ("classical", ["--epochs", 1])], ids=["epoch", "step", "longer"])
def test_resuming_equals_an_uninterrupted_run_bit_for_bit(recipe, stop):
    run("--recipe", recipe, "--epochs", 2, "--out", "whole")
    run("--recipe", recipe, *stop, "--out", "parts")
    run("--epochs", 2, "--out", "parts", "--resume")
    np.testing.assert_equal(load("parts/checkpoint.npz"), load("whole/checkpoint.npz"))
    assert Path("parts/samples.png").read_bytes() == Path("whole/samples.png").read_bytes()


def test_the_rate_of_the_tuned_recipe_falls_in_the_second_half_to_a_tenth(monkeypatch):
    rates, step = [], mnist_gan.discriminator_step

    def noted(generator, discriminator, optimizer, *more):
        rates.append(optimizer.lr)
        return step(generator, discriminator, optimizer, *more)
    monkeypatch.setattr(mnist_gan, "discriminator_step", noted)
    run("--epochs", 4, "--out", "a")
    assert rates[:11] == 11 * [2e-3] and np.allclose(np.diff(rates[10:]), -0.9 / 10 * 2e-3)
    assert rates[-1] == pytest.approx(2e-3 * (0.1 + 0.9 / 10))
    run("--recipe", "classical", "--epochs", 2, "--out", "b")
    assert set(rates[20:]) == {2e-4}


def test_g_of_the_tuned_dense_networks_has_about_half_the_classical_weights():
    sizes = [sum(p.value.size for p in NETWORKS[name](100, 0)[0].parameters())
             for name in ("mlp", "mlp_tuned")]
    assert sizes[0] > 1.4e6 and 0.5 < sizes[1] / sizes[0] < 0.6


def test_an_all_black_image_teaches_the_first_weights_of_d():
    _, discriminator = NETWORKS["mlp_tuned"](100, 0)
    black = np.full((8, 28, 28, 1), -1, np.float32)
    _, cache = discriminator.forward(black)
    discriminator.add_param_grads(np.ones((8, 1), np.float32), cache)
    first = next(layer for layer in discriminator.layers if isinstance(layer, Dense))
    assert abs(first.W.grad).max() > 1e-3


def test_the_dcgan_trains_and_generates():
    run("--arch", "dcgan", "--steps", 2, "--out", "a")
    saved = load("a/checkpoint.npz")
    assert np.isfinite(saved["history"]).all() and saved["generator"]["7.W"].ndim == 4
    generate.main(["a/checkpoint.npz", "--count", "3", "--out", "digits.npz"])
    assert np.load("digits.npz")["images"].shape == (3, 28, 28)
    with pytest.raises(SystemExit, match="was trained with --arch dcgan, not mlp"):
        mnist_gan.main(["--resume", "--out", "a", "--arch", "mlp"])


@pytest.mark.parametrize("penalty", mnist_gan.CHOICES["penalty"])
@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss_trains_with_every_penalty(loss, penalty, monkeypatch):
    recipe(monkeypatch, penalty=penalty, n_critic=2, norm="layer")
    run("--loss", loss, "--steps", 2, "--out", "a")
    saved = load("a/checkpoint.npz")
    columns = 4 - (loss == "wasserstein") + (penalty in ("gp", "r1"))
    assert saved["history"].shape == (2, columns) and np.isfinite(saved["history"]).all()
    assert saved["adam_d"]["steps"] == 4 and saved["adam_g"]["steps"] == 2


def test_the_recipe_follows_from_architecture_and_loss():
    names = "penalty", "n_critic", "lr", "beta1", "norm", "epochs"
    for words, expected in [("--recipe classical", ("none", 1, 2e-4, 0.5, "none", 20)),
                            ("--loss hinge", ("none", 1, 2e-4, 0.5, "none", 20)),
                            ("--loss hinge --arch dcgan", ("none", 1, 2e-4, 0.5, "batch", 5)),
                            ("--loss wasserstein", ("gp", 5, 5e-4, 0.0, "layer", 20)),
                            ("--loss wasserstein --arch dcgan", ("gp", 5, 5e-4, 0, "layer", 5)),
                            ("", ("r1", 1, 2e-3, 0.0, "none", 14)),
                            ("--arch dcgan", ("r1", 1, 2e-3, 0.0, "none", 4)),
                            ("--loss hinge --recipe tuned", ("r1", 1, 2e-3, 0.0, "none", 14)),
                            ("--loss wasserstein --recipe tuned",
                             ("r1", 1, 2e-3, 0.0, "none", 14)),
                            ("--epochs 7", ("r1", 1, 2e-3, 0.0, "none", 7))]:
        given = vars(mnist_gan.parse(words.split()))
        args = mnist_gan.complete({name: value for name, value in given.items() if value})
        assert tuple(args[name] for name in names) == expected, words
        assert (args["average"] > 0) == (args["recipe"] == "tuned") == (args["penalty_every"] == 4)
        assert args["networks"] == args["arch"] + "_tuned" * (args["recipe"] == "tuned")


@pytest.mark.parametrize("penalty", ["gp", "r1"])
def test_the_weight_of_a_penalty_is_the_recipes(penalty, monkeypatch):
    values = []
    for weight in (0.5, 0.5, 50):
        recipe(monkeypatch, penalty=penalty, penalty_weight=weight, n_critic=1, lr=0.1)
        out = f"run{len(values)}"
        run("--steps", 3, "--out", out)
        values.append(load(f"{out}/checkpoint.npz")["discriminator"]["2.W"])
    assert np.array_equal(values[0], values[1]) and not np.array_equal(values[0], values[2])


def test_a_penalty_at_every_third_batch_weighs_three_times_as_much(monkeypatch):
    seen, step = [], mnist_gan.discriminator_step

    def look(*words):
        seen.append(words[6].weight if words[6] else None)
        return step(*words)

    monkeypatch.setattr(mnist_gan, "discriminator_step", look)
    recipe(monkeypatch, penalty_every=3, penalty_weight=2.0)
    run("--steps", 5, "--out", "a")
    assert seen == [6, None, None, 6, None]


def test_a_penalty_now_and_then_resumes_bit_for_bit(monkeypatch):
    recipe(monkeypatch, penalty_every=3)
    run("--steps", 5, "--out", "whole")
    run("--steps", 2, "--out", "parts")
    run("--steps", 5, "--out", "parts", "--resume")
    saved = load("whole/checkpoint.npz")
    np.testing.assert_equal(load("parts/checkpoint.npz"), saved)
    norms = saved["history"][:, -1]
    assert norms[0] == norms[1] == norms[2] != norms[3] == norms[4]


@pytest.mark.parametrize("arch", ["mlp", "dcgan"])
def test_a_penalised_discriminator_has_no_batch_norm_and_resumes_bit_for_bit(arch, monkeypatch):
    monkeypatch.setitem(mnist_gan.CLASSICAL["wasserstein"], "n_critic", 2)
    words = ["--arch", arch, "--loss", "wasserstein"]
    run(*words, "--steps", 3, "--out", "whole")
    run(*words, "--steps", 1, "--out", "parts")
    run("--steps", 3, "--out", "parts", "--resume")
    saved = load("whole/checkpoint.npz")
    np.testing.assert_equal(load("parts/checkpoint.npz"), saved)
    assert not [name for name in saved["discriminator"] if "running" in name]
    assert [name for name in saved["discriminator"] if "gamma" in name]


def test_a_moving_average_draws_the_pictures_and_resumes_bit_for_bit(monkeypatch):
    recipe(monkeypatch, average=0.9)
    run("--steps", 4, "--out", "whole", "--save-samples", 9)
    run("--steps", 2, "--out", "parts")
    run("--steps", 4, "--out", "parts", "--resume", "--save-samples", 9)
    recipe(monkeypatch, average=0.0)
    run("--steps", 4, "--out", "without", "--save-samples", 9)
    whole, without = load("whole/checkpoint.npz"), load("without/checkpoint.npz")
    np.testing.assert_equal(load("parts/checkpoint.npz"), whole)
    np.testing.assert_equal(without["generator"], whole["generator"])  # it changes no training
    assert whole["average"]["steps"] == 4 and "average" not in without
    drawn = {}
    for name, words in [("average", []), ("last", ["--last"])]:
        generate.main(["whole/checkpoint.npz", "--out", f"{name}.npz", *words])
        drawn[name] = np.load(f"{name}.npz")["images"]
    generate.main(["without/checkpoint.npz", "--out", "without.npz"])
    assert np.array_equal(drawn["last"], np.load("without.npz")["images"])
    assert not np.array_equal(drawn["last"], drawn["average"])
    shown = [Path(out, "samples.png").read_bytes() for out in ("whole", "parts", "without")]
    assert shown[0] == shown[1] != shown[2]


def test_the_log_shows_the_distance_and_the_length_of_the_gradient_and_begins_with_a_legend(capsys):
    run("--loss", "wasserstein", "--steps", 1, "--out", "a")
    out, err = capsys.readouterr()
    assert re.search(r"D loss .*, G loss .*, distance .*, \|dD/dx\| \d", err)
    assert re.search(r"^distance: .*\n\|dD/dx\|: ", out, re.MULTILINE) and "D(x):" not in out
    run("--steps", 1, "--out", "b")
    out = capsys.readouterr().out
    assert re.search(r"^D\(x\), D\(G\(z\)\): .*\n\|dD/dx\|: ", out, re.MULTILINE)


def test_both_networks_learn_with_the_learning_rate_of_the_recipe(monkeypatch):
    recipe(monkeypatch, lr=0.003)
    run("--steps", 1, "--out", "a")
    saved = load("a/checkpoint.npz")
    networks = NETWORKS["mlp_tuned"](5, np.random.default_rng(0).spawn(1)[0], width=8)
    for name, network in zip(("generator", "discriminator"), networks):
        farthest = max(abs(saved[name][key] - parameter.value).max()
                       for key, parameter in network.named_parameters())
        assert 0.99 * 0.003 < farthest < 1.001 * 0.003, name  # Adam's first step is lr or less


def test_the_seed_sets_the_order_of_the_images(monkeypatch):
    seen = []
    step = mnist_gan.discriminator_step

    def look(*words):
        seen.append(words[4])
        return step(*words)

    monkeypatch.setattr(mnist_gan, "discriminator_step", look)
    run("--epochs", 2, "--steps", 6, "--seed", 7, "--out", "a")
    images, _ = draw_digits(100, np.random.default_rng(7))
    for x_real, epoch in [(seen[0], 1), (seen[5], 2)]:
        order = np.random.default_rng([7, epoch]).permutation(100)
        assert np.array_equal(x_real, to_float(images[order[:20]]))


def test_a_finished_run_says_that_nothing_was_left_to_do(capsys):
    run("--steps", 2, "--out", "a")
    run("--steps", 2, "--out", "a", "--resume")
    out = capsys.readouterr().out
    assert "steps done: 2, 0 of them now" in out
    assert "Nothing was left to do: to train for longer" in out


def test_the_animation_shows_the_epochs_of_this_run_in_their_order(monkeypatch):
    shown = []
    monkeypatch.setattr(mnist_gan, "save_animation", lambda _, pictures: shown.extend(pictures))
    monkeypatch.setattr(data, "draw_digits", lambda *_: [np.zeros((2, 28, 28), np.uint8)])
    Path("a").mkdir()
    for stale in ("samples_epoch_004.png", "samples_epoch_1000.png"):
        Path("a", stale).write_bytes(b"")
    mnist_gan.main("--data digits --batch-size 2 --epochs 3 --out a".split())
    assert shown == [Path(f"a/samples_epoch_00{epoch}.png") for epoch in (1, 2, 3)]


def test_what_does_not_fit_is_refused_before_the_images_are_loaded(monkeypatch):
    monkeypatch.setattr(data, "draw_digits", None)
    monkeypatch.setattr(data, "load_mnist", lambda *_: draw_digits(40, np.random.default_rng(0)))
    run("--steps", 1, "--out", "a", data="mnist")
    with pytest.raises(SystemExit, match="error: .* was trained with --data mnist, not digits"):
        run("--out", "a", "--resume")
    run("--steps", 2, "--out", "a", "--resume", data="auto")
    assert load("a/checkpoint.npz")["arguments"]["data"] == "mnist"
    Path("file").write_text("")
    with pytest.raises(SystemExit, match="error: no file can be written in the folder file.below"):
        run("--out", "file/below")


@pytest.mark.parametrize("module", ["matplotlib", "tqdm"])
def test_a_missing_package_is_named_before_the_images_are_loaded(monkeypatch, module):
    monkeypatch.setattr(data, "draw_digits", None)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(SystemExit, match=f"error: this needs {module}: pip install -e"):
        run()


def test_a_missing_matplotlib_spares_generate_the_npz(monkeypatch):
    run("--steps", 1, "--out", "a")
    for module in [name for name in sys.modules if name.partition(".")[0] == "matplotlib"]:
        monkeypatch.setitem(sys.modules, module, None)
    generate.main(["a/checkpoint.npz", "--out", "digits.npz"])
    with pytest.raises(SystemExit, match="error: this needs matplotlib: pip install -e"):
        generate.main(["a/checkpoint.npz"])


def test_an_older_checkpoint_without_an_argument_counts_as_its_default():
    mnist_gan.main("--data digits --steps 1 --out a".split())
    saved = load("a/checkpoint.npz")
    for name in ("batch_size", "arch", "recipe", "width", "norm"):
        del saved["arguments"][name]
    save("a/checkpoint.npz", saved)
    mnist_gan.main("--resume --steps 2 --out a".split())
    assert load("a/checkpoint.npz")["step"] == 2
    generate.main(["a/checkpoint.npz", "--out", "digits.npz"])
    with pytest.raises(SystemExit, match="--batch-size 64, not 20"):
        mnist_gan.main("--resume --batch-size 20 --out a".split())


def test_a_checkpoint_of_another_program_is_refused_by_name():
    run("--steps", 1, "--out", "a")
    for absent, complaint in [("arguments", "checkpoint.npz is a checkpoint of another program"),
                              ("adam_d", "checkpoint.npz: adam_d: expected a dictionary, got no")]:
        saved = load("a/checkpoint.npz")
        del saved[absent]
        save(Path(absent, "checkpoint.npz"), saved)
        with pytest.raises(SystemExit, match=f"error: .*{complaint}"):
            run("--resume", "--out", absent)
    with pytest.raises(SystemExit, match="error: .*checkpoint.npz is a checkpoint of another"):
        generate.main(["arguments/checkpoint.npz"])
    save("b.npz", {"arguments": {}})
    with pytest.raises(SystemExit, match="error: b.npz: generator has 0 numbers, which does not"):
        generate.main(["b.npz"])


def test_resume_takes_up_what_is_not_given_and_refuses_what_differs():
    run("--epochs", 1, "--out", "a")
    mnist_gan.main(["--resume", "--out", "a", "--epochs", "2"])
    assert load("a/checkpoint.npz")["step"] == 10
    for words, complaint in [(["--seed", "7"], "--seed 0, not 7"),
                             (["--recipe", "classical"], "--recipe tuned, not classical"),
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
    for which in ("mnist", "auto"):  # a place that the user named is never passed over
        with pytest.raises(SystemExit, match="error: neither .* is in nowhere"):
            run("--data-dir", "nowhere", "--out", "b", data=which)


def test_digits_never_download(monkeypatch):
    monkeypatch.setattr(data, "load_mnist", None)
    run("--steps", 1, "--out", "a")


@pytest.mark.parametrize("words", [
    ["--epochs", "0"], ["--seed", "-1"], ["--loss", "mse"], ["--batch-size", "x"],
    ["--batch-size", "1"], ["--recipe", "none"]])
def test_impossible_arguments_are_named(words, capsys):
    with pytest.raises(SystemExit):
        run(*words)
    assert f"argument {words[0]}: " in capsys.readouterr().err


def test_a_batch_larger_than_the_data_is_one_clear_line_and_leaves_no_picture():
    with pytest.raises(SystemExit, match="error: a batch takes 1 to 100 images, .* got .* 101"):
        run("--batch-size", 101, "--out", "a")
    assert [path.name for path in Path("a").iterdir()] == [".lock"]


def test_a_training_that_diverges_is_one_clear_line(monkeypatch):
    recipe(monkeypatch, lr=1e30)
    with np.errstate(all="ignore"), pytest.raises(
            SystemExit, match="error: training diverged: step [1-5], .* is not yet there"):
        run("--loss", "leastsquares", "--out", "a")


def test_a_norm_that_takes_no_penalty_is_one_clear_line(monkeypatch):
    recipe(monkeypatch, norm="batch")
    with pytest.raises(SystemExit, match="error: BatchNorm.* takes no gradient penalty"):
        run("--out", "a")


@pytest.mark.parametrize("name, value, complaint", [
    ("lr_end", 1e-5, "checkpoint.npz was trained with lr_end 1e-05, which this program does not"),
    ("penalty", "clip", "checkpoint.npz: penalty is one of none, gp, r1, not clip"),
    ("out", "/elsewhere", "checkpoint.npz was trained with out /elsewhere, which this program")])
def test_a_checkpoint_with_settings_of_another_version_is_refused_by_name(name, value, complaint):
    run("--steps", 1, "--out", "a")
    saved = load("a/checkpoint.npz")
    saved["arguments"][name] = value
    save("a/checkpoint.npz", saved)
    with pytest.raises(SystemExit, match=f"error: .*{complaint}"):
        run("--resume", "--out", "a")


def test_a_run_of_an_earlier_version_goes_on_with_its_own_settings():
    """As the first version with recipes wrote them: no recipe by name, R1's count as a part."""
    run("--steps", 1, "--out", "a")
    saved = load("a/checkpoint.npz")
    del saved["arguments"]["recipe"]
    saved["arguments"] |= {"lr": 0.5, "beta2": 0.9, "lr_end": None}
    saved["penalty"] = {"calls": 1, "norm": np.float32(0.3)}
    save("a/checkpoint.npz", saved)
    run("--resume", "--steps", 2, "--out", "a")
    saved = load("a/checkpoint.npz")
    assert saved["step"] == 2 and saved["arguments"]["lr"] == 0.5
    assert saved["history"][0, -1] == saved["history"][1, -1]  # the penalty is not due at step 2


def test_a_tuned_run_from_before_the_tuned_networks_keeps_its_own(monkeypatch):
    monkeypatch.setitem(mnist_gan.TUNED["mlp"], "networks", "mlp")
    run("--steps", 1, "--out", "a")
    saved = load("a/checkpoint.npz")
    del saved["arguments"]["networks"]
    save("a/checkpoint.npz", saved)
    monkeypatch.setitem(mnist_gan.TUNED["mlp"], "networks", "mlp_tuned")
    run("--resume", "--steps", 2, "--out", "a")
    assert load("a/checkpoint.npz")["arguments"]["networks"] == "mlp"


def test_a_missing_backend_is_one_clear_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)
    with pytest.raises(SystemExit, match='error: backend "cupy" needs CuPy'):
        run("--backend", "cupy")
    run("--steps", 1, "--out", "a")
    with pytest.raises(SystemExit, match='error: backend "cupy" needs CuPy'):
        generate.main(["a/checkpoint.npz", "--out", "digits.npz", "--backend", "cupy"])


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
    with pytest.raises(SystemExit, match="error: .*Not a directory|error: .*exists"):
        generate.main(["a/checkpoint.npz", "--out", "digits.npz/below.npz"])


ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join([str(EXAMPLES), str(EXAMPLES.parent)])}


def test_the_dry_run_leaves_nothing_behind(tmp_path):
    words = [sys.executable, EXAMPLES / "mnist_gan.py", "--dry-run"]
    done = subprocess.run(words, cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True,
                          timeout=60)
    assert done.returncode == 0, done.stderr
    assert "BUILT-IN DIGITS" in done.stdout and not list(tmp_path.iterdir())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("words, hint", [
    (["--out", "my runs/a"], "python gan.py --out 'my runs/a' --backend cupy --resume"),
    (["--dry-run"], None)])
def test_ctrl_c_says_how_to_go_on_unless_nothing_stays(monkeypatch, capsys, number, words, hint):
    step = mnist_gan.generator_step

    def press(*arguments):
        signal.raise_signal(number)
        return step(*arguments)

    def run_interrupted():
        with pytest.raises(SystemExit) as ended:
            run(*sys.argv[1:])
        assert ended.value.code == 128 + number

    monkeypatch.setattr(mnist_gan, "generator_step", press)
    monkeypatch.setattr(mnist_gan, "backend_module", lambda _: np)  # the CPU stands in for a GPU
    for place in ("mnist_gan", "minigan.parameters", "minigan.workshop.samples"):
        monkeypatch.setattr(f"{place}.to_device", lambda x, _: x)
    monkeypatch.setattr(sys, "argv", ["gan.py", *words, "--backend", "cupy"])
    run_interrupted()
    out = capsys.readouterr().out
    assert "steps done: 1," in out
    if hint:
        assert f"To go on: {hint}\n" in out
        monkeypatch.setattr(sys, "argv", shlex.split(hint)[1:])
        run_interrupted()
        assert f"To go on: {hint}\n" in capsys.readouterr().out
    else:
        assert "--resume" not in out and "Checkpoint and pictures" not in out


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("name", ["training_images", "save_curves"])
def test_ctrl_c_before_and_after_the_training_is_one_line(monkeypatch, capsys, name, number):
    handlers = [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)]
    monkeypatch.setattr(mnist_gan, name, lambda *_: signal.raise_signal(number))
    with pytest.raises(SystemExit) as ended:
        run("--steps", 1)
    assert ended.value.code == 128 + number
    assert capsys.readouterr().err.endswith(
        "Interrupted at once; --resume goes on from the last checkpoint\n")
    assert [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)] == handlers


@pytest.mark.parametrize("dies_at, calls_before", [
    ("minigan.workshop.run.save", 0), ("minigan.workshop.run.save", 1), ("mnist_gan.save_grid", 1),
    ("mnist_gan.save_curves", 0)])
def test_a_run_that_dies_between_picture_and_checkpoint_is_whole_after_it_resumes(
        dies_at, calls_before, monkeypatch):
    run("--epochs", 2, "--out", "whole")
    calls = []
    module, _, name = dies_at.rpartition(".")
    real = getattr(sys.modules[module], name)

    def die(*words):
        calls.append(words)
        if len(calls) > calls_before:
            raise Killed
        return real(*words)

    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr(dies_at, die)
        run("--epochs", 2, "--out", "a")
    run("--epochs", 2, "--out", "a", *["--resume"][:Path("a/checkpoint.npz").exists()])
    names = sorted(path.name for path in Path("whole").iterdir())
    assert sorted(path.name for path in Path("a").iterdir()) == names
    for name in set(names) - {"checkpoint.npz", ".lock"}:
        assert Path("a", name).read_bytes() == Path("whole", name).read_bytes(), name
    np.testing.assert_equal(load("a/checkpoint.npz"), load("whole/checkpoint.npz"))


class Killed(BaseException):
    """Nobody catches it."""


def test_a_second_run_into_the_same_folder_is_refused(monkeypatch):
    def begin_another(*_):
        with pytest.raises(SystemExit, match="error: another run is at work in a: let it end"):
            run("--steps", 1, "--out", "a")
        begun.append(1)
        return step(*_)

    begun, step = [], mnist_gan.generator_step
    monkeypatch.setattr(mnist_gan, "generator_step", begin_another)
    run("--steps", 2, "--out", "a")
    assert begun == [1, 1] and load("a/checkpoint.npz")["step"] == 2


def test_a_run_that_is_not_dry_makes_no_temporary_folder(monkeypatch):
    monkeypatch.setattr(mnist_gan.tempfile, "TemporaryDirectory", None)
    run("--steps", 1, "--out", "a")


def test_resuming_where_nothing_is_makes_no_folder():
    with pytest.raises(SystemExit, match="error: there is no a/checkpoint.npz to resume from"):
        mnist_gan.main(["--resume", "--out", "a"])
    assert not Path("a").exists()


def test_more_samples_than_memory_are_refused_before_the_training(monkeypatch):
    monkeypatch.setattr(data, "draw_digits", None)
    with pytest.raises(SystemExit, match="error: too much for the memory of this machine: "):
        run("--save-samples", 10**13, "--out", "a")
    with pytest.raises(SystemExit, match="error: .*"):
        run("--save-samples", 10**30, "--out", "b")


def test_generating_more_than_memory_is_one_line():
    run("--steps", 1, "--out", "a")
    for count in (10**14, 10**30):
        with pytest.raises(SystemExit, match="^error: .+"):
            generate.main(["a/checkpoint.npz", "--count", str(count), "--out", "b.npz"])
    assert not Path("b.npz").exists()


@pytest.mark.parametrize("name, value", [
    ("latent_dim", 10**9), ("width", 10**6), ("width", 0), ("latent_dim", 0), ("width", "8"),
    ("arch", []), ("networks", "gan"), ("average", "x"), ("latent_dim", 5.0), ("width", -8)])
def test_arguments_that_no_run_has_are_refused_by_name_when_it_resumes_and_when_it_draws(
        name, value):
    run("--steps", 1, "--out", "a")
    saved = load("a/checkpoint.npz")
    saved["arguments"][name] = value
    save("a/checkpoint.npz", saved)
    for main, words in [(mnist_gan.main, ["--resume", "--out", "a"]),
                        (generate.main, ["a/checkpoint.npz", "--out", "b.npz"])]:
        with pytest.raises(SystemExit, match=f"^error: a/checkpoint.npz.*({name}|of ours)"):
            main(words)


@pytest.mark.parametrize("name, value", [
    ("batch_size", 0), ("batch_size", 10**30), ("n_critic", 0), ("penalty_every", 0),
    ("beta1", 5), ("lr", 0.0), ("lr", -1), ("average", 7.0),
    ("seed", -1), ("epochs", "x"), ("data_dir", [])])
def test_arguments_with_which_nobody_trains_are_one_line_that_names_the_checkpoint(name, value):
    run("--steps", 1, "--out", "a")
    before = Path("a/samples.png").stat().st_mtime_ns
    saved = load("a/checkpoint.npz")
    saved["arguments"][name] = value
    save("a/checkpoint.npz", saved)
    with np.errstate(all="ignore"), pytest.raises(
            SystemExit, match="^error: (training diverged.*)?a/checkpoint.npz"):
        mnist_gan.main(["--resume", "--out", "a", "--steps", "9"])
    assert Path("a/samples.png").stat().st_mtime_ns == before


@pytest.mark.parametrize("keys, value", [
    (["generator", "0.W"], np.full((5, 8), np.nan, np.float32)), (["generator"], 3),
    (["generator", "0.W"], np.zeros((5, 8), "M8[s]")), (["average", "steps"], "x"),
    (["average"], {}), (["average", "0.W"], np.zeros((5, 8), complex))])
def test_a_network_that_is_none_is_refused_by_name_when_it_resumes_and_when_it_draws(keys, value):
    run("--steps", 1, "--out", "a")
    saved = load("a/checkpoint.npz")
    node = saved
    for key in keys[:-1]:
        node = node[key]
    node[keys[-1]] = value
    save("a/checkpoint.npz", saved)
    last = ["--last"] if keys[0] == "generator" else []
    for main, words in [(mnist_gan.main, ["--resume", "--out", "a"]),
                        (generate.main, ["a/checkpoint.npz", "--out", "b.npz", *last])]:
        with pytest.raises(SystemExit, match=f"^error: a/checkpoint.npz: {keys[0]}"):
            main(words)


@pytest.mark.skipif(os.name == "nt", reason="sends the signal of Ctrl-C")
def test_ctrl_c_saves_and_says_how_to_go_on(tmp_path):
    code = ("import mnist_gan; from minigan.workshop import data; draw = data.draw_digits; "
            "data.draw_digits = lambda count, rng: draw(200, rng); mnist_gan.main()")
    words = [sys.executable, "-c", code, "--data", "digits", "--epochs", "10000",
             "--out", "a"]
    process = subprocess.Popen(words, cwd=tmp_path, env=ENVIRONMENT, text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    checkpoint = tmp_path / "a" / "checkpoint.npz"
    while not checkpoint.exists() and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "Interrupted. To go on: python " in out and "--out a --resume\n" in out
    saved = load(checkpoint)
    assert saved["step"] == len(saved["history"]) > 0
