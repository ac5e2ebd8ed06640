"""The bug zoo: each specimen has one bug, its page has a check that finds it and a cure."""
import io
import re
import sys
from contextlib import redirect_stdout
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from minigan import Given, Parameter
from minigan.gradcheck import (
    GradientError, check_discriminator_step, check_generator_step, check_layer, check_step,
    check_tangent)

FOLDER = Path(__file__).parents[2] / "examples" / "exercises" / "bug_zoo"
sys.path.insert(0, str(FOLDER))
import zoo  # noqa: E402

NAMES = zoo.NAMES
README = (FOLDER / "README.md").read_text()
# What their steps return is more than gan.loss:
OF_THEIR_OWN = "bug16", "bug17", "bug18", "bug19", "bug21"


@pytest.fixture(autouse=True)
def own(tmp_path, monkeypatch):
    """The folder of a learner's copies, in place of the one in which somebody may be at work."""
    monkeypatch.setattr(zoo, "FOLDER", tmp_path)
    return tmp_path


def page(name):
    """The code of the answer's check, and what it says it prints: with the bug, and cured."""
    text = (FOLDER / "answers" / f"{name}.md").read_text()
    code, *shown = re.findall(r"^```(?:python)?\n(.*?)^```$", text.split("**The cure.**")[0],
                              re.DOTALL | re.MULTILINE)
    return code, *shown


def outcome(code, names=None):
    """What the code prints, and the message of the check that it fails, if it fails one."""
    out = io.StringIO()
    with redirect_stdout(out):
        try:
            exec(code, {} if names is None else names)
        except AssertionError as error:
            print(error)
    return out.getvalue()


def without_rounding_errors(text):
    return [re.sub(r"\d\.\de-(0[7-9]|1\d)", "small", line).rstrip() for line in text.splitlines()]


def shows(shown, printed):
    """Are the lines shown among those printed, in this order? "..." stands for any others."""
    printed = iter(without_rounding_errors(printed))
    return all(line in printed for line in without_rounding_errors(shown) if line != "...")


@pytest.fixture
def put(monkeypatch):
    """put(name, healthy) makes the specimen, or its healthy twin, what `import` finds."""
    def put(name, healthy=False):
        module = ModuleType(name)
        vars(module).update(zoo.load(name, healthy))
        monkeypatch.setitem(sys.modules, name, module)
    return put


def test_every_specimen_has_a_page_of_its_own_and_a_row_in_the_table():
    assert len(NAMES) == 21
    assert [path.stem for path in sorted(FOLDER.glob("answers/*"))] == NAMES
    assert re.findall(r"^\| `(\w+)\.py` \|", README, re.MULTILINE) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_specimen_is_short_and_no_word_in_it_points_at_the_bug(name):
    source = (zoo.SPECIMENS / f"{name}.py").read_text("utf-8")
    assert len(source.splitlines()) <= 75 and max(map(len, source.splitlines())) <= 100
    assert not re.search("bug|wrong|mistake|forg[eo]t|missing|TODO|FIXME", source, re.IGNORECASE)


@pytest.mark.parametrize("healthy", [False, True], ids=["bug", "healthy"])
@pytest.mark.parametrize("name", NAMES)
def test_it_trains_without_an_error_and_stays_finite(name, healthy):
    gan = zoo.load(name, healthy)["gan"]
    gan.head_start = min(gan.head_start, 10)
    generator, discriminator, losses = zoo.train(gan, steps=20, batch_size=32)
    assert np.isfinite(losses).all()
    for network in generator, discriminator:
        for p in network.parameters():
            assert np.isfinite(p.value).all() and p.value.dtype == np.float32


@pytest.mark.parametrize("name", NAMES)
def test_the_check_on_its_page_fails_as_shown_and_passes_once_it_is_cured(name, put):
    code, shown, *shown_cured = page(name)
    put(name)
    printed = outcome(code)
    assert shows(shown, printed), printed
    put(name, healthy=True)
    if shown_cured:
        assert shows(shown_cured[0], outcome(code)) and shown_cured[0] != shown
    else:
        exec(code, {})


def both_steps(gan, generator, discriminator, x_real, z):
    """What check_step takes, for each step: step, learner, arrays; and the network left alone."""
    discriminator_step, generator_step = zoo.steps(gan, generator, discriminator)
    if gan.generator_step is None:
        return [((discriminator_step, [generator, discriminator], x_real, z), ())]
    return [((discriminator_step, discriminator, x_real, z), generator),
            ((generator_step, generator, z), discriminator)]


@pytest.mark.parametrize("name", NAMES)
def test_the_cured_one_passes_every_check_so_that_it_was_one_bug(name):
    things = zoo.load(name, healthy=True)
    gan = things["gan"]
    own = name not in OF_THEIR_OWN and name in (
        type(gan.loss).__module__, gan.discriminator_step.__module__,
        gan.generator_step.__module__)
    for sure in (0, 10, -10) if own else (0,):  # minigan's own take any scores
        generator, discriminator, x_real, z = zoo.small(gan)
        discriminator.parameters()[-1].value += sure
        if name in OF_THEIR_OWN:
            for given, other in both_steps(gan, generator, discriminator, x_real, z):
                check_step(*given, untouched=other)
            continue
        check_discriminator_step(generator, discriminator, gan.loss, x_real, z, gan.penalty,
                                 gan.discriminator_step)
        check_generator_step(generator, discriminator, gan.loss, z, gan.generator_step)
    if name == "bug19":
        c = zoo.one_hot(zoo.label(x_real))
        x_real = Given(discriminator, c).join(x_real, c)
    for network, x in (discriminator, x_real), (generator, z):
        for layer, x in zoo.each(network, x):
            check_layer(layer, x)
            check_layer(layer, x, train=False)
            if gan.penalty and network is discriminator:
                check_tangent(layer, x)
    assert len(np.unique(gan.modes().round(3) + 0, axis=0)) == 8

    optimizer, _ = gan.optimizers(generator.astype(np.float32), discriminator.astype(np.float32))
    for _ in range(100):
        before = [p.value.copy() for p in generator.parameters()]
        others = [p.value.copy() for p in discriminator.parameters()]
        for p in generator.parameters() + discriminator.parameters():
            p.grad[...] = 1
        optimizer.step()
        for p, old in zip(generator.parameters(), before):
            np.testing.assert_allclose(old - p.value, 1e-3, rtol=1e-2)
        assert all((p.value == old).all() for p, old in zip(discriminator.parameters(), others))


def test_the_gradients_of_the_specimens_that_say_so_are_right():
    for name in "bug04", "bug09", "bug12", "bug13":
        gan = zoo.load(name)["gan"]
        generator, discriminator, x_real, z = zoo.small(gan)
        check_discriminator_step(generator, discriminator, gan.loss, x_real, z, gan.penalty,
                                 gan.discriminator_step)
        check_generator_step(generator, discriminator, gan.loss, z, gan.generator_step)
    for name in "bug16", "bug17", "bug19", "bug20":
        assert (found := verdicts_on(name)).count("right") > 4 and "WRONG" not in found
    gan = zoo.load("bug11")["gan"]
    generator, discriminator, x_real, z = zoo.small(gan)
    check_discriminator_step(generator, discriminator, gan.loss, x_real, z, None)
    with pytest.raises(AssertionError):
        check_discriminator_step(generator, discriminator, gan.loss, x_real, z, gan.penalty)


def test_upsampling_fails_the_check_that_needs_no_derivative():
    rng = np.random.default_rng(0)
    x, dy = rng.standard_normal((2, 3, 2, 1)), rng.standard_normal((2, 6, 4, 1))
    for healthy in False, True:
        layer = zoo.load("bug06", healthy)["Upsample2D"]()
        y, cache = layer.forward(x)
        equal = np.isclose((dy * y).sum(), (x * layer.input_grad(dy, cache)).sum())
        assert equal == healthy


def test_bugs_that_ruin_the_samples_do_so_soon_and_the_healthy_twin_does_well():
    def hits(name, healthy=False):
        gan = zoo.load(name, healthy)["gan"]
        generator, *_ = zoo.train(gan, steps=400, batch_size=32)
        return zoo.try_out(gan, generator)[0]
    assert hits("bug02", healthy=True) >= 4
    assert max(hits("bug02"), hits("bug03"), hits("bug08")) <= 1


def test_real_samples_have_a_full_score_and_noise_has_none():
    rng = np.random.default_rng(0)
    for modes in zoo.ring, zoo.bars:
        gan = zoo.GAN(build=None, modes=modes)
        assert modes().shape[0] == 8 and modes().dtype == np.float32
        hit, share = zoo.score(zoo.draw_real(gan, 2000, rng), modes())
        assert hit == 8 and share > 0.98
        hit, share = zoo.score(10 + zoo.draw_real(gan, 2000, rng), modes())
        assert hit == 0 and share == 0
        hit, _ = zoo.score(modes()[:3].repeat(100, axis=0), modes())
        assert hit == 3


def test_a_mode_that_was_not_asked_for_does_not_count():
    numbers = np.arange(800) % 8
    x = zoo.ring()[numbers]
    assert (zoo.label(x) == numbers).all()
    assert zoo.score(x, zoo.ring(), numbers) == (8, 1)
    assert zoo.score(x, zoo.ring(), (numbers + 1) % 8) == (0, 0)
    x[numbers == 3] = zoo.ring()[5]
    assert zoo.score(x, zoo.ring(), numbers) == (7, 7 / 8)
    gan = zoo.GAN(build=None, conditional=True)
    assert zoo.try_out(gan, lambda z: zoo.ring()[zoo.asked(z)])[:2] == (8, 1)
    assert zoo.try_out(gan, lambda z: zoo.ring()[zoo.asked(z) - 1])[:2] == (0, 0)


def test_each_mode_is_asked_for_as_often_and_near_noise_tells_nothing_of_it():
    z = zoo.draw_noise(8000, np.random.default_rng(0))
    counts = np.histogram2d(zoo.asked(z), z[:, 0] > 0, bins=(8, 2))[0]
    assert abs(counts - 500).max() < 100


def test_the_other_adam_of_the_zoo_takes_steps_of_lr_under_a_constant_gradient():
    p = Parameter(np.zeros(3))
    adam = zoo.load("bug09")["Adam"](type("Network", (), {"parameters": lambda self: [p]})(), lr=1)
    for t in range(1, 20):
        p.grad[...] = [1, -2, 3]
        adam.step()
        np.testing.assert_allclose(p.value, [-t, t, -t], rtol=1e-6)


def test_the_check_in_the_readme_prints_what_is_shown():
    codes = re.findall(r"^```python\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)
    shown = re.findall(r"^```\n([^\n].*?)^```$", README, re.DOTALL | re.MULTILINE)
    shown = [text for text in shown if "verdict" in text.split("```")[0]]
    assert len(codes) == 3 and len(shown) == 2
    names = {}
    for code, text in zip(codes, shown):
        assert without_rounding_errors(outcome(code, names)) == without_rounding_errors(text)
    found = [[line for line in text.splitlines() if line.endswith("WRONG")]
             for text in (outcome(codes[2], names), shown[0])]
    assert found[0] == found[1] != []  # of the same two steps


FOUND = {}  # {check of a specimen: the report that it returns, or the error that it raises}


def once(check, *specimen):
    """The check, but of the same specimen only once: what is tested is what `verdicts` prints."""
    def found(*args, **named):
        key = check, *specimen
        if key not in FOUND:
            try:
                FOUND[key] = check(*args, **named)
            except GradientError as error:
                FOUND[key] = error
        if isinstance(FOUND[key], GradientError):
            raise FOUND[key]
        return FOUND[key]
    found.__name__ = check.__name__
    return found


def verdicts_on(name, hints=False, healthy=False, sure=0):
    """What `verdicts` prints of both steps of a specimen."""
    gan, out = zoo.load(name, healthy)["gan"], io.StringIO()
    generator, discriminator, x_real, z = zoo.small(gan)
    discriminator.parameters()[-1].value += sure
    if name in OF_THEIR_OWN:
        with redirect_stdout(out):
            for number, (given, other) in enumerate(
                    both_steps(gan, generator, discriminator, x_real, z)):
                zoo.verdicts(once(check_step, name, healthy, number), *given, untouched=other,
                             hints=hints)
        return out.getvalue()
    with redirect_stdout(out):
        zoo.verdicts(once(check_discriminator_step, name, healthy, sure), generator, discriminator,
                     gan.loss, x_real, z, gan.penalty, gan.discriminator_step, hints=hints)
        zoo.verdicts(once(check_generator_step, name, healthy, sure), generator, discriminator,
                     gan.loss, z, gan.generator_step, hints=hints)
    return out.getvalue()


@pytest.mark.parametrize("name", NAMES)
def test_verdicts_name_no_mistake_and_find_what_the_checks_find(name):
    plain, hinted = verdicts_on(name), verdicts_on(name, hints=True)
    assert plain.count("WRONG") == hinted.count("WRONG") + ("not in a number" in plain)
    for line in plain.splitlines():
        assert re.search("WRONG$|right$|verdict$|zero here: is that what you want.$", line) or (
            re.fullmatch(r"wrong gradient \(an error above 1e-06\)|.* step, .*|.*'s side|step \w+|"
                         "check_generator_step: WRONG, and not in a number", line)), line


def test_hints_name_it_where_verdicts_do_not():
    assert "what it held before" in verdicts_on("bug14", hints=True)
    assert "add_param_grads" in verdicts_on("bug08", hints=True)
    assert "check_generator_step: WRONG, and not in a number" in verdicts_on("bug08")


def test_a_clip_that_hides_the_gradient_is_asked_about():
    question = "zero here: is that what you want?"
    assert verdicts_on("bug12", sure=10).count(question) == 12
    assert question not in verdicts_on("bug12") + verdicts_on("bug12", healthy=True, sure=10)


def test_a_specimen_can_be_run_and_so_can_its_healthy_twin(tmp_path, monkeypatch, capsys):
    pytest.importorskip("matplotlib", reason="the zoo draws: pip install -e '.[test]'")
    monkeypatch.chdir(tmp_path)
    zoo.main(["1", "--steps", "5"])
    zoo.main(["15", "--steps", "5", "--healthy", "--seed", "1"])
    out = capsys.readouterr().out
    assert re.search(r"\nbug01: \d of 8 modes hit, \d+% of the samples are good; D loss ", out)
    assert "\nbug15, healthy: " in out
    assert {path.name for path in Path("runs/bug_zoo").iterdir()} == {
        "bug01.png", "bug15_healthy.png"}


def test_a_learner_works_on_a_copy_that_is_made_once_and_never_written_on(
        own, monkeypatch, capsys):
    monkeypatch.setattr(zoo, "draw", lambda path, x, real: None)
    zoo.main(["2", "--steps", "1"])
    mine, specimen = own / "bug02.py", (zoo.SPECIMENS / "bug02.py").read_text()
    assert mine.read_text() == specimen and "Made " in capsys.readouterr().out
    changed = specimen.replace("gan = GAN(build)", "gan = GAN(build)\nprint('my own')")
    mine.write_text(changed)
    zoo.main(["2", "--steps", "1"])
    zoo.load("bug02")
    assert (out := capsys.readouterr().out).count("my own") == 1 and "Made " not in out
    mine.write_text("half a li(ne")
    zoo.main(["2", "--steps", "1", "--healthy"])
    assert mine.read_text() == "half a li(ne"


def test_a_row_of_the_table_is_measured_as_it_is_shown(monkeypatch, capsys):
    load = zoo.load

    def short(name, healthy=False):
        things = load(name, healthy)
        things["gan"].steps = 2
        return things
    monkeypatch.setattr(zoo, "load", short)
    monkeypatch.setattr(zoo, "NAMES", ["bug01"])
    zoo.main([])
    head, row = capsys.readouterr().out.splitlines()
    assert head == "| file | hit | good | healthy: hit | healthy: good |"
    assert re.fullmatch(r"\| bug01 \| \d, \d, \d \| \d+ % \| \d, \d, \d \| \d+ % \|", row)
