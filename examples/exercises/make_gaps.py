"""Makes the exercises from their solutions: what is between `# gap` and `# end` is left out.

    python examples/exercises/make_gaps.py            each exercise that is missing here
    python examples/exercises/make_gaps.py 3          exercise 3
    python examples/exercises/make_gaps.py 3 --force  exercise 3 from the start, your work is lost

A file that differs from a fresh one may hold somebody's work, and stays unless --force is given.
"""
import argparse
import re
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
GAP = re.compile(r"^( *)# gap ([^:\n]+): (.*)\n(?:.*\n)*?\1# end\n", re.MULTILINE)
HINT = re.compile(r"\n\n\n# hint\n((?:#.*\n)+)\Z")


def gaps_of(solution):
    """The exercise's text, from that of its solution."""
    text = HINT.sub("\n", solution)
    return GAP.sub(r'\1# TODO: \3\n\1raise NotImplementedError("not written yet: \2")\n', text)


def hint_of(solution):
    """The hint at the end of a solution's text."""
    return re.sub(r"^# ?", "", HINT.search(solution)[1], flags=re.MULTILINE)


def make(solution, folder, force):
    """Writes one exercise into the folder, unless a changed one is there; returns what it did."""
    path, fresh = folder / solution.name, gaps_of(solution.read_text())
    old = path.read_text() if path.exists() else None
    if old == fresh:
        return f"{path.name} is fresh"
    if old is not None and not force:
        return (f"{path.name} KEPT: it differs from a fresh one, so your work may be in it. "
                f"To begin it again and lose that: make_gaps.py {int(path.name[2:4])} --force")
    path.write_text(fresh)
    return f"{path.name} written"


def main(words=None, folder=FOLDER):
    """Returns the exit status: 1 if a changed file was kept."""
    parser = argparse.ArgumentParser(description="Makes the exercises from their solutions.")
    parser.add_argument("number", nargs="?", type=int, help="one exercise only")
    parser.add_argument("--force", action="store_true", help="overwrite files that were changed")
    args = parser.parse_args(words)
    found = [path for path in sorted((FOLDER / "solutions").glob("ex??_*.py"))
             if args.number in (None, int(path.name[2:4]))]
    if not found:
        parser.error(f"there is no exercise {args.number}: they are 1 to 10")
    done = [make(path, folder, args.force) for path in found]
    print("\n".join(done))
    return 1 if any(" KEPT: " in line for line in done) else 0


if __name__ == "__main__":
    sys.exit(main())
