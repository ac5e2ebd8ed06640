"""How an exercise is made from its solution, a file in solutions/ that holds all of it:

    the text, and the code
    # gap name: what to do    from here to # end is the solution, and left out of the exercise
    # hint                    at the end: what `check.py --hint` shows
    # mistakes                {gap: {what may be written there: what is wrong with it}}
    # check                   after it: what check.py asks of the learner's code

A learner's file ends before the hint. It is made when it is missing, and never written again.
"""
import ast
import os
import re
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
SOLUTIONS = FOLDER / "solutions"
FILES = {int(path.name[2:4]): path.name for path in sorted(SOLUTIONS.glob("ex??_*.py"))}
GAP = re.compile(r"^( *)# gap ([^:\n]+): (.*)\n(?:.*\n)*?\1# end\n", re.MULTILINE)


def parts_of(number):
    """The text of a solution, and its hint."""
    text, rest = (SOLUTIONS / FILES[number]).read_text("utf-8").split("\n\n\n# hint\n")
    hint, _ = rest.split("\n\n\n# mistakes\n")
    return text + "\n", re.sub("^# ?", "", hint, flags=re.MULTILINE)


def exercise_of(text):
    """The text of a solution, with gaps."""
    return GAP.sub(r'\1# TODO: \3\n\1raise NotImplementedError("not written yet: \2")\n', text)


def title_of(number):
    return ast.get_docstring(ast.parse(parts_of(number)[0])).split("\n")[0]


def make_missing(folder):
    """Writes each exercise that is not in the folder; says so in a line."""
    missing = [number for number, name in FILES.items() if not (folder / name).exists()]
    for number in missing:
        (folder / FILES[number]).write_text(exercise_of(parts_of(number)[0]), "utf-8")
    if missing:
        print(f"Made in {os.path.relpath(folder)}: exercise {', '.join(map(str, missing))}\n")
