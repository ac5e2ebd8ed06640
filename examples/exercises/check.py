"""Is it right? A verdict on each quantity of an exercise, and what may be wrong with it.

    python examples/exercises/check.py             all exercises, one line each, and what is next
    python examples/exercises/check.py 3           exercise 3, quantity by quantity
    python examples/exercises/check.py 3 --hint    a hint for exercise 3

Exercises that are missing here are made first, see gaps.py. The exit status is 0 only if all is
right. --solutions checks the reference solutions instead.
"""
import argparse
import functools
import importlib
import linecache
import os
import re
import sys
import traceback
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from gaps import FILES, FOLDER, SOLUTIONS, make_missing, parts_of, title_of
from quantities import Complaint

from minigan.gradcheck import Comparison

PLAY = {4: "ring", 6: "digits", 8: "dcgan", 10: "wgan"}  # what runs after which exercise
HERE = os.path.relpath(FOLDER)
ROW = "{:<24} {:<12} {:<9} {:<9} {}".format


@dataclass
class Verdict:
    """word: "right", "wrong", "wrong shape", "missing" or "error". A note stands in the row of the
    table, lines stand below it."""

    name: str
    word: str
    lines: tuple = ()
    comparison: Comparison | None = None
    note: str = ""

    def __str__(self):
        figures, c = (self.note, "", ""), self.comparison
        if c is not None:
            all_zero = not c.analytic.any() and not c.numeric.any()
            figures = f"{c.error:.1e}", "< 1e-7", "all zero" if all_zero else f"{c.cosine:.6f}"
        row = ROW(self.name, self.word, *figures).rstrip()
        return "\n".join([row, *(f"    {line}" for line in self.lines)])


def load(number, folder):
    """The module of an exercise, freshly read, and freshly those of the folder that it imports."""
    for name in [name for name in sys.modules if re.match(r"ex\d\d_", name)]:
        del sys.modules[name]
    importlib.invalidate_caches()
    linecache.clearcache()
    keep, sys.dont_write_bytecode = sys.dont_write_bytecode, True  # a stale .pyc would mislead
    sys.path.insert(0, str(folder))
    try:
        return importlib.import_module(Path(FILES[number]).stem)
    finally:
        sys.path.remove(str(folder))
        sys.dont_write_bytecode = keep


def judge(number, folder):
    """The Verdicts on an exercise: what its solution asks of it."""
    make_missing(folder)
    verdicts = []
    try:
        for quantity in load(number, SOLUTIONS).check(load(number, folder)):
            if quantity.last and any(verdict.word != "right" for verdict in verdicts):
                continue
            verdict = judge_one(quantity, folder)
            if verdict.word == "error" and verdict.lines in [other.lines for other in verdicts]:
                verdict = replace(verdict, lines=(), note="as above")
            verdicts.append(verdict)
    except Exception as error:  # the file cannot be read, or its forward pass does not run
        verdicts.append(Verdict("the file", "error", say(error, folder)))
    return verdicts


def judge_one(quantity, folder):
    name = quantity.name
    try:
        with np.errstate(over="raise", divide="raise", invalid="raise"):
            yours = quantity.yours()
    except Complaint as complaint:
        return Verdict(name, "wrong", tuple(str(complaint).split("\n")))
    except Exception as error:
        if isinstance(error, NotImplementedError) and "not written yet" in str(error):
            return Verdict(name, "missing", note=f"{place_of(error, folder)[0]}: {error}")
        return Verdict(name, "error", say(error, folder))
    if quantity.right is None:
        return Verdict(name, "right")
    if yours is None:
        return Verdict(name, "missing", note="it returns None: is `return` forgotten?")
    comparison = Comparison(name, np.asarray(yours), *quantity.right)
    if comparison.verdict in ("right", "zero"):
        return Verdict(name, "right", comparison=comparison)
    yours, right = comparison.analytic, comparison.numeric
    if yours.shape != right.shape:
        return Verdict(name, "wrong shape", note=comparison.hint())
    worst = np.unravel_index(np.argmax(abs(yours - right)), right.shape)
    lines = [f"worst at [{', '.join(map(str, worst))}]: "
             f"yours {yours[worst]:.6g}, right {right[worst]:.6g}"]
    hint = says if (says := quantity.says(yours)) is not None else comparison.hint()
    if hint and not hint.startswith("worst at"):
        lines.append(f"likely: {hint}")
    return Verdict(name, "wrong", tuple(lines), comparison)


def place_of(error, folder):
    """Where in the exercises' own files it happened, "ex01_dense.py line 41"; what stands there;
    and the names that were known there."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{Path(error.filename).name} line {error.lineno}", (error.text or "").strip(), {}
    frames = [(Path(frame.f_code.co_filename), line, frame.f_locals)
              for frame, line in traceback.walk_tb(error.__traceback__)]
    own = [frame for frame in frames if frame[0].parent == folder and frame[0].name[:2] == "ex"]
    path, line, names = (own or frames)[-1]
    return f"{path.name} line {line}", linecache.getline(str(path), line).strip(), names


def say(error, folder):
    """What went wrong, where, and of which shapes the arrays were that are named there."""
    place, text, names = place_of(error, folder)
    message = error.msg if isinstance(error, SyntaxError) else str(error).split("\n")[0]
    message = re.sub("^matmul: .*", "these shapes do not fit for @", message)
    read_only, shapes = "read-only" in message, {}
    if read_only:
        message += ": it writes into an array that it was given; make a new one"
    of_shapes = isinstance(error, (ValueError, IndexError, TypeError)) and not read_only
    for name in re.findall(r"[A-Za-z_][\w.]*", text) if of_shapes else []:
        first, *rest = name.split(".")
        thing = functools.reduce(lambda a, b: getattr(a, b, None), rest, names.get(first))
        if isinstance(thing, np.ndarray):
            shapes[name] = f"{name} is {thing.shape}"
    lines = f"{type(error).__name__}: {message}", f"in {place}: {text}"
    return (*lines, "where " + ", ".join(shapes.values())) if shapes else lines


def summary(verdicts):
    """One line: "done", or what is not."""
    if verdicts[-1].name == "the file":
        return f"error: {verdicts[-1].lines[0]}"
    missing = [v.name for v in verdicts if v.word == "missing"]
    wrong = [v.name for v in verdicts if v.word not in ("right", "missing")]
    if len(missing) == len(verdicts):
        return "not written yet"
    named = [f"{word}: {', '.join(names[:3] + ['...'] if len(names) > 3 else names)}"
             for word, names in [("wrong", wrong), ("not written yet", missing)] if names]
    return "; ".join(named) or "done"


def table(number, verdicts, folder):
    lines = [title_of(number), os.path.relpath(folder / FILES[number]), "",
             ROW("quantity", "verdict", "error", "expect", "cosine"), *map(str, verdicts), ""]
    left = [verdict for verdict in verdicts if verdict.word != "right"]
    if not left:
        return "\n".join([*lines, f"All right: exercise {number} is done."])
    return "\n".join([*lines, f"{len(left)} of {len(verdicts)} not right yet. For a hint: "
                      f"python {HERE}/check.py {number} --hint"])


def overview(folder):
    """Prints a line for each exercise; returns the exit status."""
    first_open = None
    for number in FILES:
        answer = summary(judge(number, folder))
        print(f"{title_of(number):<54} {answer}")
        if answer != "done":
            first_open = first_open or number
        elif number in PLAY and first_open is None:
            print(f"    with your own code: python {HERE}/play.py {PLAY[number]}")
    if first_open is None:
        print("\nAll done.")
        return 0
    print(f"\nNext: exercise {first_open}, in {os.path.relpath(folder / FILES[first_open])}"
          f"\nHow it stands, in full: python {HERE}/check.py {first_open}")
    return 1


def main(words=None):
    """Returns the exit status."""
    parser = argparse.ArgumentParser(description="Is it right? A verdict on each quantity.")
    parser.add_argument("number", nargs="?", type=int, choices=FILES, help="one exercise only")
    parser.add_argument("--hint", action="store_true", help="print a hint for this exercise")
    parser.add_argument("--solutions", action="store_true", help="check the reference solutions")
    args = parser.parse_args(words)
    folder = SOLUTIONS if args.solutions else FOLDER
    if args.hint and args.number is None:
        parser.error("a hint for which exercise? check.py 3 --hint")
    if args.hint:
        print(parts_of(args.number)[1])
        return 0
    if args.number is None:
        return overview(folder)
    verdicts = judge(args.number, folder)
    print(table(args.number, verdicts, folder))
    return 0 if all(verdict.word == "right" for verdict in verdicts) else 1


if __name__ == "__main__":
    sys.exit(main())
