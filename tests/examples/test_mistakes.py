"""What the course says of mistakes: each that a solution lists is found, and told by its words."""
import functools
import inspect
import sys
from itertools import count
from pathlib import Path
from textwrap import indent

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "examples" / "exercises"))
import check  # noqa: E402
import gaps  # noqa: E402
import mistakes  # noqa: E402
import quantities  # noqa: E402
from quantities import central_differences  # noqa: E402

LISTED = {number: check.load(number, check.SOLUTIONS).MISTAKES for number in check.FILES}
SHARED = {}  # the right numbers
ALL = [(number, gap, code) for number, gaps_of in LISTED.items()
       for gap, codes in gaps_of.items() for code in codes]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The solutions, as if a learner had written them."""
    folder = tmp_path_factory.mktemp("learner")
    for number, name in check.FILES.items():
        (folder / name).write_text(gaps.parts_of(number)[0], "utf-8")
    return folder


def judged(folder, number, gap, code):
    """The Verdicts on the exercise with this code in this gap."""
    right, _ = gaps.parts_of(number)
    found = next(match for match in gaps.GAP.finditer(right) if match[2] == gap)
    filled = indent(inspect.cleandoc(code), found[1]) + "\n"
    path = folder / check.FILES[number]
    path.write_text(right[:found.start()] + filled + right[found.end():], "utf-8")
    try:
        return verdicts_on(number, folder)
    finally:
        path.write_text(right, "utf-8")


load_once = functools.cache(check.load)


def judged_in_place(folder, number, gap, code):
    """The same, but the code replaces that of the function, and no file is written and read."""
    module, (names, _) = load_once(number, folder), mistakes.function_with(number, gap)
    kept, function = dict(vars(module)), functools.reduce(getattr, names, module)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(check, "load", load_once)
        patched.setattr(function, "__code__", mistakes.function_with(number, gap, code)[1])
        verdicts = verdicts_on(number, folder)
    vars(module).update(kept)  # since some checks replace a function
    return verdicts


def verdicts_on(number, folder):
    calls = count()

    def once(f, x):  # what stands in the gaps changes no right number: so compute each but once
        key = number, next(calls)
        if key not in SHARED:
            SHARED[key] = central_differences(f, x)
        return SHARED[key]
    try:
        quantities.central_differences = once
        return check.judge(number, folder)
    finally:
        quantities.central_differences = central_differences


def told(verdict):
    return [line[8:] for line in verdict.lines if line.startswith("likely: ")]


@pytest.mark.parametrize("number, gap, code", ALL, ids=[
    f"ex{number:02} {gap} {index}" for index, (number, gap, _) in enumerate(ALL)])
def test_a_listed_mistake_is_told_by_its_own_words_and_by_no_others(number, gap, code, folder):
    words, first = LISTED[number][gap][code], next(iter(LISTED[number][gap]))
    verdicts = (judged if code == first else judged_in_place)(folder, number, gap, code)
    lines = [line for verdict in verdicts for line in told(verdict)]
    others = {other for codes in LISTED[number].values() for other in codes.values()}
    assert words in lines, "\n".join(map(str, verdicts))
    assert not set(lines) & (others - {words}), "\n".join(map(str, verdicts))


def test_there_are_many_mistakes_and_their_words_are_short():
    assert len(ALL) >= 250
    assert all(codes for number in range(1, 11) for codes in LISTED[number].values())
    for number, gap, code in ALL:
        assert len(LISTED[number][gap][code]) <= 120, LISTED[number][gap][code]


def test_each_gap_that_a_solution_lists_mistakes_for_is_there_and_none_is_forgotten():
    for number in range(1, 11):
        assert set(LISTED[number]) == {match[2] for match in gaps.GAP.finditer(
            gaps.parts_of(number)[0])}


# A mistake is known by its numbers, however it is written.

@pytest.mark.parametrize("number, gap, code, listed", [
    (1, "dW", "N = x.shape[0]\nreturn np.einsum('nd, nm -> dm', x, dy) * (1 / N)",
     "return x.T @ dy / len(x)"),
    (2, "LeakyReLU dx", "dx = 1 * dy\ndx[y <= 0] *= -self.negative_slope\nreturn dx",
     "return np.where(y > 0, dy, -self.negative_slope * dy)"),
    (5, "dvar", "return dinv_std * -(inv_std * inv_std) / 2",
     "return -0.5 * inv_std ** 2 * dinv_std")])
def test_a_mistake_is_known_however_it_is_written(number, gap, code, listed, folder):
    assert [LISTED[number][gap][listed]] in map(told, judged(folder, number, gap, code))


def test_what_is_not_listed_gets_the_general_hint(folder):
    dx = judged(folder, 1, "dx", "return 3 * dy @ self.W.value.T")[0]
    assert dx.word == "wrong" and told(dx) == ["it is 3 times the right one, and 3 is "
                                               "out_features: a sum where a mean belongs"]


def test_of_several_mistakes_that_fit_a_row_the_one_that_explains_most_rows_is_told(folder):
    code = ("discriminator.zero_grad()\ndiscriminator.add_param_grads(ds_real, cache_real)\n"
            "discriminator.add_param_grads(ds_real, cache_fake)")
    first, *_, last = judged(folder, 4, "D step", code)[:4]
    assert len(last.known) > 1 and last.known[0] != first.known[0]
    assert told(first) == [first.known[0]] and told(last) == ["as above"]


def test_a_mistake_in_one_gap_is_not_sought_in_the_others(folder):
    for verdict in judged(folder, 5, "dgamma", "return 7 * (dy * x_hat).sum(axis=0)"):
        assert verdict.known == ()


def test_the_learners_own_function_comes_back_after_the_mistakes_were_tried(folder):
    code = "return 7 * x.T @ dy"
    assert [verdict.word for verdict in judged(folder, 1, "dW", code)].count("wrong") == 1
    module = sys.modules["ex01_dense"]
    assert module.__file__ == str(folder / "ex01_dense.py")
    assert module.Dense.dW.__code__.co_filename == module.__file__


def test_a_method_that_the_learner_deleted_is_not_sought_in_the_class_above(folder):
    path = folder / check.FILES[1]
    text = path.read_text("utf-8")
    path.write_text(text.replace("def input_grad(", "def inputgrad("), "utf-8")
    module = check.load(1, folder)
    path.write_text(text, "utf-8")
    functions = [function for function, _, _ in check.Mistakes(1, LISTED[1], module).gaps]
    assert functions == [module.Dense.dW, module.Dense.db, module.multiplications_for_dW]


def test_a_function_that_calls_super_gets_the_general_hint(folder):
    code = "super()\nreturn -dy @ self.W.value.T"
    assert told(judged(folder, 1, "dx", code)[0]) == ["the sign is wrong"]


# What is right is right, however unusual.

RIGHT = [
    (1, "dx", "return (self.W.value @ dy.T).T"),
    (1, "dx", "return np.einsum('nm,dm->nd', dy, self.W.value)"),
    (1, "dx", "return np.tensordot(dy, self.W.value, (1, 1))"),
    (1, "dx", "return np.stack([self.W.value @ row for row in dy])"),
    (1, "dx", "return (dy[:, None] * self.W.value).sum(-1)"),
    (1, "dW", "return (dy.T @ x).T"),
    (1, "dW", "return sum(np.outer(x[n], dy[n]) for n in range(len(x)))"),
    (1, "dW", "return np.dot(x.T, dy)"),
    (1, "dW", "return (x[:, :, None] * dy[:, None]).sum(axis=0)"),
    (1, "db", "return np.ones(len(dy), dy.dtype) @ dy"),
    (1, "db", "return sum(dy)"),
    (1, "db", "return np.add.reduce(dy)"),
    (1, "ANSWER", "return float(D * M * N)"),
    (2, "LeakyReLU dx", "return np.where(y < 0, self.negative_slope * dy, dy)"),
    (2, "LeakyReLU dx", "dx = dy.copy()\ndx[y < 0] *= self.negative_slope\nreturn dx"),
    (2, "LeakyReLU dx", "return dy * (y > 0) + self.negative_slope * dy * (y <= 0)"),
    (2, "LeakyReLU dx", "return dy * np.where(y > 0, 1, self.negative_slope).astype(dy.dtype)"),
    (2, "LeakyReLU dx", "return np.where(np.sign(y) == 1, dy, dy * self.negative_slope)"),
    (2, "Tanh dx", "return dy - dy * y ** 2"),
    (2, "Tanh dx", "return dy * (1 - y) * (1 + y)"),
    (2, "Tanh dx", "return dy / np.cosh(np.arctanh(y)) ** 2"),
    (2, "ANSWER", "return 0.0396"),
    (3, "sigmoid", "return (1 + np.tanh(s / 2)) / 2"),
    (3, "sigmoid", "return np.exp(s - softplus(s))"),
    (3, "sigmoid", "e = np.exp(-abs(s))\nreturn np.where(s > 0, 1, e) / (1 + e)"),
    (3, "sigmoid", "return 1 / (1 + np.exp(-s.clip(-700, 700)))"),
    (3, "ds_real", "return (sigmoid(s_real) - 1) / len(s_real)"),
    (3, "ds_real", "return -(1 - sigmoid(s_real)) / s_real.size"),
    (3, "ds_fake", "return (1 - sigmoid(-s_fake)) / s_fake.shape[0]"),
    (3, "ds_fake_of_G", "return self.ds_real(s_fake)"),
    (3, "ANSWER", "return 22026"),
    (4, "D step", "discriminator.zero_grad()\n"
                  "for ds, cache in (ds_fake, cache_fake), (ds_real, cache_real):\n"
                  "    discriminator.add_param_grads(ds, cache)"),
    (4, "G step", "generator.zero_grad()\ngenerator.add_param_grads("
                  "discriminator.input_grad(ds_fake, cache_discriminator), cache_generator)"),
    (5, "dgamma", "return np.einsum('nd,nd->d', dy, x_hat)"),
    (5, "dgamma", "return (dy * c).sum(axis=0) * inv_std"),
    (5, "dinv_std", "return np.sum(c * dx_hat, 0)"),
    (5, "dvar", "return -dinv_std / 2 * inv_std * inv_std * inv_std"),
    (5, "dvar", "return -0.5 * (inv_std ** -2) ** -1.5 * dinv_std"),
    (5, "dc", "return inv_std * dx_hat + 2 / c.shape[0] * (c * dvar)"),
    (5, "dx, long", "return dc - dc.mean(axis=0)"),
    (5, "dx, short", "return self.input_grad_long(dy, cache)"),
    (5, "dx, short", "N = len(dy)\nreturn self.gamma.value * inv_std / N * (\n"
                     "    N * dy - dy.sum(axis=0) - x_hat * (dy * x_hat).sum(axis=0))"),
    (5, "ANSWER", "return 10 ** -1"),
]


@pytest.mark.parametrize("number, gap, code", RIGHT, ids=[
    f"ex{number:02} {gap} {index}" for index, (number, gap, _) in enumerate(RIGHT)])
def test_a_right_but_unusual_answer_is_right(number, gap, code, folder):
    wrong = [v for v in judged(folder, number, gap, code) if v.word != "right"]
    assert not wrong, "\n".join(map(str, wrong))


@pytest.mark.parametrize("code", [
    "return dy * ((y > 0) + self.negative_slope * (y <= 0))",
    "return np.where(y > 0, 1, self.negative_slope) * dy"])
def test_what_is_float64_for_a_python_number_is_told_why_and_how_to_cure_it(code, folder):
    found = {verdict.name: verdict for verdict in judged(folder, 2, "LeakyReLU dx", code)}
    assert found["LeakyReLU dx"].word == "right"
    told = " ".join(found["LeakyReLU as a whole"].lines)
    assert "dx comes out as float64" in told and "a bool array times a Python number" in told
    assert "np.where(..., 1, a)" in told and ".astype(dy.dtype)" in told


@pytest.mark.parametrize("answer, says", [
    ("'many'", "the answer is to be a number, got 'many'"), ("7", "7 is not the answer")])
def test_an_answer_that_is_wrong_is_told_so_and_the_right_one_is_not_shown(answer, says, folder):
    found = judged(folder, 1, "ANSWER", f"return {answer}")
    assert [v.lines for v in found if v.name == "answer"] == [(says,)]
