"""The package keeps its shape: imports point one way, and no file pulls in what it should not."""
import ast
import subprocess
import sys
from pathlib import Path

import pytest

import minigan

FOLDER = Path(minigan.__file__).parent
FILES = sorted(FOLDER.rglob("*.py"))
IMPORTS = {  # which of our files each file imports
    "backend": [], "layer": ["backend"], "dense": ["layer"], "activations": ["backend", "layer"],
    "norm": ["backend", "layer"], "noise": ["backend", "layer"], "shape": ["layer"],
    "losses": ["backend"], "spectral_norm": ["layer"],
    "conv": ["backend", "layer"], "resample": ["backend", "conv", "layer"],
    "optimizers": ["backend"], "train": [], "penalties": ["backend"],
    "networks": ["activations", "conv", "dense", "layer", "norm", "shape"],
    "gradcheck.__init__": ["gradcheck.differences", "gradcheck.layers", "gradcheck.steps"],
    "gradcheck.hints": [], "gradcheck.differences": ["gradcheck.hints"],
    "gradcheck.probe": ["gradcheck.differences"],
    "gradcheck.layers": ["gradcheck.differences", "gradcheck.probe"],
    "gradcheck.steps": ["gradcheck.differences", "gradcheck.probe", "train"],
    "gradcheck.__main__": [],
    "files": [], "data": ["files"], "digits": [],
    "checkpoint": ["backend", "files"], "pictures": ["files"],
    "run": ["checkpoint", "data"], "metrics": [], "moving_average": [],
}


def name_of(path):
    return ".".join(path.relative_to(FOLDER).with_suffix("").parts)


def imports_of(path, top_only=False):
    tree = ast.parse(path.read_text())
    for node in tree.body if top_only else ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            yield node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_imports_are_those_of_the_table(path):
    own = {name.partition(".")[2] for name in imports_of(path) if name.startswith("minigan.")}
    all_others = {name.partition(".")[0] for name in IMPORTS}
    assert own == (all_others if name_of(path) == "__init__" else set(IMPORTS[name_of(path)]))


def test_the_core_needs_only_numpy():
    known = {*sys.stdlib_module_names, "numpy", "minigan"}
    for path in FILES:
        assert {name.split(".")[0] for name in imports_of(path, top_only=True)} <= known
    code = ("import sys; sys.modules.update(dict.fromkeys(['cupy', 'matplotlib', 'tqdm'])); "
            "import numpy, minigan; print(minigan.Dense(2, 1)(numpy.ones((3, 2), 'f')).shape)")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "(3, 1)\n"


def test_each_file_opens_with_what_it_is():
    for path in FILES:
        assert ast.get_docstring(ast.parse(path.read_text())), path.name


def test_every_public_name_has_a_docstring_and_no_line_is_too_long():
    for name in dir(minigan):
        thing = getattr(minigan, name)
        if not name.startswith("_") and callable(thing):
            assert thing.__doc__ or issubclass(thing, Exception), name
    for path in FILES:
        assert max(map(len, path.read_text().splitlines())) <= 100, path.name


def test_the_public_names_are_all_that_is_imported():
    names = {name for name, thing in vars(minigan).items()
             if not name.startswith("_") and not hasattr(thing, "__file__")}
    assert set(minigan.__all__) == names and len(minigan.__all__) == len(names)
