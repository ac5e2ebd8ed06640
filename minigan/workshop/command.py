"""What the command lines of the examples share."""
import argparse
import contextlib
import ctypes
import importlib
import signal
import sys


def at_least(least):
    """A type for argparse: an int from `least` up."""
    def number(text):
        if int(text) < least:
            raise argparse.ArgumentTypeError(f"{text} is not a number from {least} up")
        return int(text)
    return number


@contextlib.contextmanager
def one_line_errors(interrupted="Interrupted"):
    """Inside, what a user can mend ends the program with one line, "error: ...": no traceback.
    Ctrl-C and SIGTERM do so, too, with the exit status of shells, 128 + the signal's number."""
    def stop(number, _):
        print(interrupted, file=sys.stderr)
        sys.exit(128 + number)

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    except MemoryError as error:
        sys.exit(f"error: too much for the memory of this machine: {error}")
    except (OSError, ValueError, ImportError, RuntimeError, FloatingPointError,
            OverflowError) as error:
        sys.exit(f"error: {error}")
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def require(*packages, extra="examples"):
    """Raises ImportError, with the cure, now and not when a picture is due, if one is missing."""
    for name in packages:
        try:
            importlib.import_module(name)
        except ImportError:
            raise ImportError(f'this needs {name}: pip install -e ".[{extra}]"') from None


def keep_freed_memory():
    """Tells glibc, for the whole process, to keep the memory of freed arrays (each up to 32 MB, up
    to 1 GB in all): the system would clear each page before it gives it out again. A step of the
    DCGAN then takes a fifth less time on two threads. Elsewhere than on Linux it does nothing."""
    with contextlib.suppress(OSError, AttributeError, TypeError):
        for option, size in [(-3, 2**25), (-1, 2**30)]:  # M_MMAP_THRESHOLD, M_TRIM_THRESHOLD
            ctypes.CDLL(None).mallopt(option, size)
