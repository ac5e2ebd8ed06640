"""What check.py does by the clock: it ends endless loops, and it looks for saves."""
import signal
import time

LIMIT = 10  # seconds for one quantity


class TooLong(BaseException):
    """No Exception, so that an `except Exception` on the way does not swallow it."""


def alarm(seconds=LIMIT):
    """Raises TooLong in so many seconds from now, at the line that then runs; 0: never.

    It works where there is a SIGALRM, as on Linux and macOS, and for loops in Python. On Windows
    there is none: there Ctrl-C ends an endless loop.
    """
    def ring(number, frame):
        raise TooLong(f"it ran for more than {seconds} s: an endless loop?")
    if hasattr(signal, "SIGALRM"):
        signal.signal(signal.SIGALRM, ring)
        signal.setitimer(signal.ITIMER_REAL, seconds)


def watch(paths, show):
    """Calls show(), and again after each save of one of these files: until Ctrl-C."""
    seen = None
    while True:
        saved = {path: path.stat().st_mtime_ns for path in paths if path.exists()}
        if saved != seen:
            seen = saved
            show()
            print("\nWatching: save a file, and it is checked again. Ctrl-C ends it.", flush=True)
        time.sleep(0.5)
