"""What README and examples/README.md say is true."""
import io
import re
from contextlib import redirect_stdout
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
EXAMPLES_README = (ROOT / "examples" / "README.md").read_text()
BLOCKS = re.findall(r"```(\w*)\n(.*?)```", README, re.DOTALL)


def run(code):
    out = io.StringIO()
    with redirect_stdout(out):
        exec(code, {})
    return out.getvalue()


def test_it_is_short_and_its_price_is_true():
    assert len(README.split()) <= 950 and len(README.splitlines()) <= 125
    core = sum(len(path.read_text().splitlines()) for path in ROOT.glob("minigan/*.py"))
    stated = re.search(r"in ([\d,]+) lines", README)[1].replace(",", "")
    assert 0 <= int(stated) - core < 100


def test_the_twelve_line_program_has_twelve_lines_and_learns():
    code = next(text for kind, text in BLOCKS if kind == "python" and "generator_step" in text)
    assert len([line for line in code.splitlines() if line.strip()]) == 12
    mean = np.array(run(code).strip("[] \n").split(), float)
    np.testing.assert_allclose(mean, [3, -2], atol=0.3)


def test_the_gradient_check_prints_what_is_shown():
    code = next(text for kind, text in BLOCKS if kind == "python" and "check_layer" in text)
    shown = next(text for kind, text in BLOCKS if text.startswith("Dense(4, 3)"))

    def without_rounding_errors(text):
        return re.sub(r"\d\.\de-\d\d", "small", text)
    assert without_rounding_errors(run(code)) == without_rounding_errors(shown)


def test_the_path_of_the_gradient_is_the_one_in_train():
    drawn = next(text for kind, text in BLOCKS if text.startswith("z --G.forward-->"))
    indented = "".join(f"    {line}\n" for line in drawn.splitlines())
    assert indented in (ROOT / "minigan" / "train.py").read_text()


@pytest.mark.parametrize("text, folder", [(README, ROOT), (EXAMPLES_README, ROOT / "examples")],
                         ids=["README", "examples/README"])
def test_files_and_pictures_that_are_named_exist(text, folder):
    for name in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (folder / name).exists(), name
    path = r"`((?:examples|minigan|tests)/[^`* ]*)`|python (examples/[\w/]+\.py)"
    for name in re.findall(path, text):
        assert (ROOT / "".join(name)).exists(), name
    for name in re.findall(r"`(\w+\.py)`", text):
        places = [ROOT / "minigan", ROOT / "examples", ROOT / "examples" / "gradients"]
        assert any((place / name).exists() for place in places), name


def test_every_example_stands_in_the_table():
    listed = set(re.findall(r"^\| `([\w/.]+)` \|", EXAMPLES_README, re.MULTILINE))
    there = {path.name + "/" * path.is_dir() for path in (ROOT / "examples").iterdir()}
    assert listed == {name for name in there if not name.startswith(("__", "README", "samples"))}


def test_the_files_of_the_three_hours_are_in_the_order_of_the_reading_list():
    begin = README.split("## Begin here")[1].split("\n## ")[0]
    named = re.findall(r"`(\w+)\.py`", begin.split("**The first hour.**")[1])
    order = re.findall(r"^from minigan\.(\w+) import",
                       (ROOT / "minigan" / "__init__.py").read_text(), re.MULTILINE)
    assert named == sorted(named, key=order.index) and len(named) >= 10


def test_the_command_lines_ask_for_extras_that_exist():
    setup = (ROOT / "setup.cfg").read_text()
    commands = re.findall(r'^pip install -e "\.\[(\w+)\]" && (.*)$', README, re.MULTILINE)
    assert commands == [("examples", "python examples/mnist_gan.py"), ("test", "python -m pytest")]
    for extra, _ in commands:
        assert f"\n{extra} =\n" in setup
