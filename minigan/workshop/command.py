"""What the command lines of the examples share."""
import argparse
import contextlib
import importlib
import sys


def at_least(least):
    """A type for argparse: an int from `least` up."""
    def number(text):
        if int(text) < least:
            raise argparse.ArgumentTypeError(f"{text} is not a number from {least} up")
        return int(text)
    return number


@contextlib.contextmanager
def one_line_errors():
    """Inside, what a user can mend ends the program with one line: "error: ...", not a traceback."""
    try:
        yield
    except (OSError, ValueError, ImportError, RuntimeError, FloatingPointError) as error:
        sys.exit(f"error: {error}")


def require(*packages):
    """Raises ImportError, with the cure, if a package of the examples is missing: now, not when the
    training is over and the picture is due."""
    for name in packages:
        try:
            importlib.import_module(name)
        except ImportError:
            raise ImportError(f'this needs {name}: pip install -e ".[examples]"') from None
