"""What all pages of the gallery share: their options, their digits, and a progress bar."""
import argparse
import tempfile
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from minigan.workshop.command import at_least, keep_freed_memory, one_line_errors, require
from minigan.workshop.data import mnist_if_any
from minigan.workshop.digits import draw_digits
from minigan.workshop.files import writable_folder


@contextmanager
def page(doc, steps, words=None, **more):
    """with page(__doc__, steps=3000) as args: what its command line says, as a page needs it.

    Options: --data, --data-dir, --steps, --seed, --out (a folder) and --dry-run: 20 steps on few
    digits, in a temporary folder. more: options of this page, {name: default}; a default that is a
    list names the choices, the first of which it is. Inside, errors and Ctrl-C end in one line."""
    parser = argparse.ArgumentParser(description=doc.partition("\n")[0])
    add = parser.add_argument
    add("--data", choices=["auto", "mnist", "digits"], default="auto",
        help="MNIST, or digits that a program draws; auto: MNIST if it can be had")
    add("--data-dir", metavar="DIR", help="where the four MNIST files are")
    add("--steps", type=at_least(1), default=steps, metavar="N", help=f"of training ({steps})")
    add("--seed", type=at_least(0), default=0, metavar="N", help="of all random numbers (0)")
    add("--out", type=Path, default=Path("runs/gallery"), metavar="DIR", help="for the picture")
    add("--dry-run", action="store_true", help="does it work? some steps in a temporary folder")
    for name, default in more.items():
        choices = {"choices": default} if isinstance(default, list) else {"type": type(default)}
        add(f"--{name}", default=default[0] if "choices" in choices else default, **choices)
    args = parser.parse_args(words)
    with one_line_errors(), tempfile.TemporaryDirectory() as scratch:
        require("matplotlib", "tqdm")
        keep_freed_memory()
        if args.dry_run:
            args.data, args.steps, args.out = "digits", min(args.steps, 20), Path(scratch)
        writable_folder(args.out)
        yield args
        if not args.dry_run:
            print(f"The picture is in {args.out}")


def labelled_digits(args):
    """(images, labels) to train on, uint8 (N, 28, 28) and integers (N,), and such to test with;
    args.data becomes "mnist" or "digits", whichever they are."""
    pairs = mnist_if_any(args.data, args.data_dir, "train", "test")
    args.data = "mnist" if pairs else "digits"
    if pairs:
        return pairs
    print("data: BUILT-IN DIGITS")
    counts = (500, 100) if args.dry_run else (20000, 2000)
    return [draw_digits(count, np.random.default_rng((args.seed, count))) for count in counts]


def progress(steps, *names):
    """For a loop over the steps: for step, show in progress(4000, "D(x)"): ...; show(d_real). The
    bar shows means over the last hundred steps."""
    from tqdm import tqdm
    rows = []
    with tqdm(range(steps), unit="step", mininterval=0.5) as bar:
        for step in bar:
            yield step, lambda *values: rows.append(values)
            if step % 20 == 0 or step == steps - 1:
                del rows[:-100]
                means = np.array(rows, float).mean(axis=0)
                bar.set_postfix_str(", ".join(map("{} {:.3f}".format, names, means)))
