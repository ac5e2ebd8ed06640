"""Generates digits from a checkpoint of mnist_gan.py.

    python examples/generate.py runs/mnist_gan/checkpoint.npz --count 100 --out digits.png
"""
import argparse
import sys
from pathlib import Path

import numpy as np
from mnist_gan import noise, sample
from options import at_least, parse

from minigan import NETWORKS
from minigan.workshop import MovingAverage, load_run, save_grid, save_samples


def generate(checkpoint, count, seed=0, last=False, backend="numpy"):
    """`count` images in [0, 1], float32 (N, 28, 28), of the generator in a checkpoint: of its
    moving average if there is one, unless `last` asks for the weights of the last step."""
    saved, trained = load_run(checkpoint, parse)
    trained.backend = backend
    generator, _ = NETWORKS[trained.arch](trained.latent_dim, rng=0, width=trained.width)
    if trained.average and not last:
        average = MovingAverage(generator)
        average.load_state_dict(saved.get("average", {}))
        generator = average.network
    else:
        generator.load_state_dict(saved.get("generator", {}))
    return sample(generator.to(backend), noise(np.random.default_rng(seed), count, trained))


def main(argv=None):
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
    args = parser.parse_args(argv)
    writers = {".png": save_grid, ".npz": save_samples}
    if args.out.suffix not in writers:
        parser.error(f"--out takes a file .png or .npz, got {args.out}")
    try:
        images = generate(args.checkpoint, args.count, args.seed, args.last, args.backend)
        writers[args.out.suffix](args.out, images)
    except ModuleNotFoundError as error:
        sys.exit(f'error: a picture needs {error.name}: pip install -e ".[examples]"')
    except (OSError, ValueError, ImportError, RuntimeError) as error:
        sys.exit(f"error: {error}")
    print(f"{args.count} digits in {args.out}")


if __name__ == "__main__":
    main()
