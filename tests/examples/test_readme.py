"""What README says is true."""
import io
import re
from contextlib import redirect_stdout
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```(\w*)\n(.*?)```", README, re.DOTALL)


def run(code):
    out = io.StringIO()
    with redirect_stdout(out):
        exec(code, {})
    return out.getvalue()


def test_line_counts_are_true_and_no_file_is_left_out():
    rows = re.findall(r"^\| `(\S+\.py)` \| (\d+) \|", README, re.MULTILINE)
    lines = {name: len((ROOT / name).read_text().splitlines()) for name, _ in rows}
    assert {name: int(count) for name, count in rows} == lines
    listed = {name for name, _ in rows if name.startswith("minigan/")}
    assert listed == {path.relative_to(ROOT).as_posix() for path in ROOT.glob("minigan/**/*.py")}


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


def test_files_and_pictures_that_are_named_exist():
    for name in re.findall(r"\]\(([^)#:]+)\)|`((?:examples|minigan|tests)/[^`* ]+)`", README):
        assert (ROOT / "".join(name)).exists(), name


def test_the_command_lines_ask_for_extras_that_exist():
    setup = (ROOT / "setup.cfg").read_text()
    commands = re.findall(r'^pip install -e "\.\[(\w+)\]" && (.*)$', README, re.MULTILINE)
    assert commands == [("examples", "python examples/mnist_gan.py"), ("test", "python -m pytest")]
    for extra, _ in commands:
        assert f"\n{extra} =\n" in setup
