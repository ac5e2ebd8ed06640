"""Generates digits from a checkpoint of mnist_gan.py.

    python examples/generate.py runs/mnist_gan/checkpoint.npz --count 100 --out digits.png
"""
import argparse
from pathlib import Path

from minigan.workshop import at_least, generate, one_line_errors, require, save_grid, save_samples


def main(words=None):
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0],
                                     formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("checkpoint", type=Path, help="a checkpoint.npz")
    parser.add_argument("--count", type=at_least(1), default=64, metavar="N", help="how many")
    parser.add_argument("--out", type=Path, default="digits.png", metavar="FILE",
                        help=".png: a picture; .npz: `images`, float32 (N, 28, 28) in [0, 1]")
    parser.add_argument("--seed", type=at_least(0), default=0, help="other seeds, other digits")
    parser.add_argument("--last", action="store_true", help="the weights of the last step, not "
                        "their moving average, where the checkpoint has both")
    parser.add_argument("--backend", choices=["numpy", "cupy"], default="numpy",
                        help="the CPU, or a GPU")
    args = parser.parse_args(words)
    writers = {".png": save_grid, ".npz": save_samples}
    if args.out.suffix not in writers:
        parser.error(f"--out takes a file .png or .npz, got {args.out}")
    with one_line_errors():
        if args.out.suffix == ".png":
            require("matplotlib")
        images = generate(args.checkpoint, args.count, args.seed, args.last, args.backend)
        writers[args.out.suffix](args.out, images)
    print(f"{args.count} digits in {args.out}")


if __name__ == "__main__":
    main()
