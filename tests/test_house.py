"""The rules of the house: three rooms, and imports that point one way."""
import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import minigan

ROOT = Path(__file__).parents[1]
PACKAGE = Path(minigan.__file__).parent
CORE = sorted(PACKAGE.glob("*.py"))
FILES = sorted(PACKAGE.rglob("*.py"))
EXAMPLES = ROOT / "examples"


def imports_of(path, top_only=False):
    """The modules that a file imports, by their full names."""
    tree = ast.parse(path.read_text())
    for node in tree.body if top_only else ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            yield node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def names(paths):
    return [path.relative_to(ROOT).as_posix() for path in paths]


# Rule 1: the core is read in the order in which it is imported.

READING_LIST = re.findall(r"^from minigan\.(\w+) import", (PACKAGE / "__init__.py").read_text(),
                          re.MULTILINE)


def test_the_reading_list_names_every_file_of_the_core_but_what_nobody_need_read():
    assert {path.stem for path in CORE} - set(READING_LIST) == {"__init__", "flat", "checks"}
    assert len(READING_LIST) == len(set(READING_LIST))
    assert READING_LIST[0] == "train" and READING_LIST[-1] == "backend"


@pytest.mark.parametrize("path", CORE, ids=names(CORE))
def test_a_file_of_the_core_imports_only_what_stands_above_it_in_the_reading_list(path):
    above = {"backend", "flat", "checks"}
    if path.stem in READING_LIST:
        above |= set(READING_LIST[:READING_LIST.index(path.stem)])
    elif path.stem == "__init__":
        above = set(READING_LIST)
    own = {module for module in imports_of(path, top_only=True) if module.startswith("minigan")}
    assert own <= {f"minigan.{stem}" for stem in above}


# Rule 2: gradcheck and workshop import the core, never each other, and the core imports neither.

@pytest.mark.parametrize("room, other", [("gradcheck", "workshop"), ("workshop", "gradcheck")])
def test_the_two_other_rooms_know_nothing_of_each_other(room, other):
    for path in (PACKAGE / room).glob("*.py"):
        assert not [module for module in imports_of(path) if other in module], path.name


def test_importing_minigan_loads_neither_room_and_nothing_that_only_they_need():
    code = "import sys, minigan; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    own = {name for name in loaded if name.startswith("minigan.")}
    assert own == {f"minigan.{path.stem}" for path in CORE} - {"minigan.__init__"}
    bare = subprocess.run([sys.executable, "-c", code.replace("minigan", "numpy")],
                          capture_output=True, text=True, check=True)
    assert not loaded - set(bare.stdout.split()) & {
        "urllib", "urllib.request", "http", "http.client", "ssl", "json", "ctypes", "tqdm"}


def test_the_four_checks_can_be_had_from_minigan_and_nothing_else_that_is_not_there():
    from minigan import gradcheck
    for name in ("check_layer", "check_tangent", "check_discriminator_step",
                 "check_generator_step"):
        assert getattr(minigan, name) is getattr(gradcheck, name)
    with pytest.raises(AttributeError, match="module 'minigan' has no attribute 'check_all'"):
        minigan.check_all


# Rule 3: an example can be copied away. What two of them share is in the workshop.

SCRIPTS = sorted([*EXAMPLES.glob("*.py"), *EXAMPLES.glob("gradients/*.py"),
                  *EXAMPLES.glob("gallery/*.py")])


@pytest.mark.parametrize("path", SCRIPTS, ids=names(SCRIPTS))
def test_no_example_imports_another(path):
    others = {other.stem for other in EXAMPLES.rglob("*.py")}
    assert not {module.partition(".")[0] for module in imports_of(path)} & others


def test_the_main_job_runs_in_a_folder_of_its_own(tmp_path, monkeypatch):
    for module in ("matplotlib", "tqdm"):
        pytest.importorskip(module, reason="the examples need it: pip install -e '.[test]'")
    (tmp_path / "mine.py").write_text((EXAMPLES / "mnist_gan.py").read_text())
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    done = subprocess.run([sys.executable, "mine.py", "--dry-run"], cwd=tmp_path,
                          capture_output=True, text=True, timeout=100)
    assert done.returncode == 0 and "steps done: " in done.stdout, done.stderr


# And in general.

def test_the_package_needs_only_numpy_to_be_imported():
    known = {*sys.stdlib_module_names, "numpy", "minigan"}
    for path in FILES:
        assert {name.split(".")[0] for name in imports_of(path, top_only=True)} <= known
    code = ("import sys; sys.modules.update(dict.fromkeys(['cupy', 'matplotlib', 'tqdm'])); "
            "import numpy, minigan; print(minigan.Dense(2, 1)(numpy.ones((3, 2), 'f')).shape)")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "(3, 1)\n"


def test_each_file_opens_with_what_it_is_and_no_line_is_too_long():
    for path in FILES:
        assert ast.get_docstring(ast.parse(path.read_text())), path.name
        assert max(map(len, path.read_text().splitlines())) <= 100, path.name


def test_the_public_names_are_few_and_each_says_what_it_is():
    assert len(minigan.__all__) == len(set(minigan.__all__)) <= 54
    for name in minigan.__all__:
        thing = getattr(minigan, name)
        assert not callable(thing) or thing.__doc__, name


def test_tiny_is_a_feature():
    """The price that README states: raise it only for what is worth it."""
    def lines(paths):
        return sum(len(path.read_text().splitlines()) for path in paths)
    first_hour = [PACKAGE / f"{name}.py"
                  for name in ("train", "layer", "dense", "activations", "losses")]
    assert lines(first_hour) <= 560 and lines(CORE) <= 1890 and lines(FILES) <= 4650
