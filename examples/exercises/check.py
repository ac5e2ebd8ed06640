"""Is it right? A verdict on each quantity of an exercise, and what may be wrong with it.

    python examples/exercises/check.py             all exercises, one line each, and what is next
    python examples/exercises/check.py 3           exercise 3, quantity by quantity
    python examples/exercises/check.py 3 --hint    the first hint for it; --hint 2 the second, ...
    python examples/exercises/check.py 3 --watch   checks again on each save; Ctrl-C ends it

Exercises that are missing here are made first, see gaps.py. The exit status is 0 only if all is
right, and 130 after Ctrl-C. --solutions checks the reference solutions instead. Code that runs for
more than ten seconds is told so, see clock.py. Set NO_COLOR, and a terminal shows no colours.
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
from clock import TooLong, alarm, watch
from gaps import FILES, FOLDER, SOLUTIONS, make_missing, parts_of, title_of
from mistakes import Mistakes, most_likely, outcome
from quantities import Complaint

from minigan.gradcheck import TOLERANCE, Comparison

PLAY = {4: "ring", 6: "digits", 8: "dcgan", 10: "wgan", 12: "own"}  # what runs after which exercise
HERE = os.path.relpath(FOLDER)
ROW = "{:<24} {:<12} {:<9} {:<9} {}".format
GREEN, YELLOW, RED = 32, 33, 31
COLOURS = {"right": GREEN, "done": GREEN, "missing": YELLOW, "not written yet": YELLOW}


def painted(word, width=0):
    """A verdict, in its colour where it is read on a terminal (https://no-color.org)."""
    if os.environ.get("NO_COLOR") or not sys.stdout.isatty():
        return f"{word:<{width}}"
    return f"\033[{COLOURS.get(word, RED)}m{word:<{width}}\033[0m"


@dataclass
class Verdict:
    """word: "right", "wrong", "wrong shape", "missing" or "error". A note stands in the row of the
    table, lines stand below it. known: the listed mistakes that it may be, in words."""

    name: str
    word: str
    lines: tuple = ()
    comparison: Comparison | None = None
    note: str = ""
    known: tuple = ()

    def __str__(self):
        figures, c = (self.note, "", ""), self.comparison
        if c is not None:
            all_zero = not c.analytic.any() and not c.numeric.any()
            cosine = "all zero" if all_zero else f"{c.cosine:.6f}"
            figures = f"{c.error:.1e}", f"< {TOLERANCE:.0e}", cosine
        row = ROW(self.name, painted(self.word, 12), *figures).rstrip()
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
        alarm()
        solution, module = load(number, SOLUTIONS), load(number, folder)
        mistakes = Mistakes(number, solution.MISTAKES, module)
        for quantity in solution.check(module):
            if quantity.last and any(verdict.word != "right" for verdict in verdicts):
                continue
            alarm()
            try:
                verdict = judge_one(quantity, folder, mistakes)
            except (SystemExit, TooLong) as error:
                verdict = Verdict(quantity.name, "error", say(error, folder))
            if verdict.word == "error" and verdict.lines in [other.lines for other in verdicts]:
                verdict = replace(verdict, lines=(), known=(), note="as above")
            verdicts.append(verdict)
    except (Exception, SystemExit, TooLong) as error:  # it cannot be read, or forward does not run
        verdicts.append(Verdict("the file", "error", say(error, folder)))
    finally:
        alarm(0)
    most_likely(verdicts)
    return verdicts


def judge_one(quantity, folder, mistakes):
    name, yours = quantity.name, outcome(quantity)
    if isinstance(yours, NotImplementedError) and "not written yet" in str(yours):
        return Verdict(name, "missing", note=f"{place_of(yours, folder)[0]}: {yours}")
    if not isinstance(yours, Exception) and quantity.right is None:
        return Verdict(name, "right")
    if not isinstance(yours, Exception) and yours is not None:
        comparison = Comparison(name, np.asarray(yours), *quantity.right)
        if comparison.right:
            return Verdict(name, "right", comparison=comparison)
    known = tuple(mistakes.like(quantity, yours))
    if isinstance(yours, Complaint):
        return Verdict(name, "wrong", tuple(str(yours).split("\n")), known=known)
    if isinstance(yours, Exception):
        return Verdict(name, "error", say(yours, folder), known=known)
    if yours is None:
        return Verdict(name, "missing", note="it returns None: is `return` forgotten?", known=known)
    yours, right = comparison.analytic, comparison.numeric
    if yours.shape != right.shape:
        return Verdict(name, "wrong shape", note=comparison.hint(), known=known)
    worst = np.unravel_index(np.argmax(abs(yours - right)), right.shape)
    lines = [f"worst at [{', '.join(map(str, worst))}]: "
             f"yours {yours[worst]:.6g}, right {right[worst]:.6g}"]
    if not known:
        hint = says if (says := quantity.says(yours)) is not None else comparison.hint()
        if hint and not hint.startswith("worst at"):
            lines.append(f"likely: {hint}")
    return Verdict(name, "wrong", tuple(lines), comparison, known=known)


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
    if isinstance(error, SystemExit):
        message = "this ends the program, and the check with it: leave it out"
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
    left = []
    for number in FILES:
        answer = summary(judge(number, folder))
        print(f"{title_of(number):<54} {painted(answer)}")
        if answer != "done":
            left.append(number)
        elif number in PLAY and not left:
            print(f"    with your own code: python {HERE}/play.py {PLAY[number]}")
    print(f"\n{len(FILES) - len(left)} of {len(FILES)} done.")
    if not left:
        return 0
    print(f"Next: exercise {left[0]}, in {os.path.relpath(folder / FILES[left[0]])}"
          f"\nHow it stands, in full: python {HERE}/check.py {left[0]}")
    return 1


def report(number, folder):
    """Prints how an exercise stands, or, if it is None, how all do; returns the exit status."""
    if number is None:
        return overview(folder)
    verdicts = judge(number, folder)
    print(table(number, verdicts, folder))
    return 0 if all(verdict.word == "right" for verdict in verdicts) else 1


def hints(number):
    """The hints for an exercise: the first says least, the last holds the formulas."""
    return parts_of(number)[1].split("\n\n")


def main(words=None):
    """Returns the exit status."""
    parser = argparse.ArgumentParser(description="Is it right? A verdict on each quantity.")
    parser.add_argument("number", nargs="?", type=int, choices=FILES, help="one exercise only")
    parser.add_argument("--hint", nargs="?", type=int, const=1, metavar="K",
                        help="print its first hint, or its K-th")
    parser.add_argument("--watch", action="store_true", help="check again on each save")
    parser.add_argument("--solutions", action="store_true", help="check the reference solutions")
    args = parser.parse_args(words)
    folder = SOLUTIONS if args.solutions else FOLDER
    if args.hint is None:
        make_missing(folder)
        show = functools.partial(report, args.number, folder)
        try:
            return watch([folder / name for name in FILES.values()], show) if args.watch else show()
        except KeyboardInterrupt:
            print()
            return 130
    if args.number is None:
        parser.error("a hint for which exercise? check.py 3 --hint")
    steps = hints(args.number)
    if not 1 <= args.hint <= len(steps):
        parser.error(f"exercise {args.number} has hints 1 to {len(steps)}, got {args.hint}")
    print(steps[args.hint - 1].strip("\n"))
    if args.hint < len(steps):
        print(f"\nOne more: python {HERE}/check.py {args.number} --hint {args.hint + 1}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
