"""Which settings draw the best digits in five minutes? The search behind options.py's tuned recipe.

    python examples/search.py                                     everything: for hours
    python examples/search.py "mlp, tuned" --seeds 0 1 2          one candidate, and its spread

A candidate is a command line of mnist_gan.py. It is trained on MNIST from a fixed seed and judged
as by evaluate.py; what is finished stays in the folder of --out, so that the search can be
interrupted. At the end their table is printed, the best first.
"""
import argparse
import json
import math
import os
import re
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from evaluate import HEADER, ROW, Judge, load_samples
from options import at_least

from minigan.workshop import whole_file

# Words for mnist_gan.py. What changes the tuned recipe in one place takes half of its steps.
MLP, DCGAN = "--arch mlp --recipe tuned --steps 6000", "--arch dcgan --recipe tuned --steps 4000"
DCGAN_64 = "--arch dcgan --recipe tuned --batch-size 64 --average 0.995 --steps 2000"
CANDIDATES = {
    "mlp, classical": "--arch mlp --recipe classical",
    "mlp, classical WGAN-GP": "--arch mlp --loss wasserstein",
    "mlp, tuned": "--arch mlp --recipe tuned",
    "mlp, tuned, no penalty": "--arch mlp --recipe tuned --penalty none",
    "dcgan, classical": "--arch dcgan --recipe classical --epochs 3",
    "dcgan, classical WGAN-GP": "--arch dcgan --loss wasserstein",
    "dcgan, tuned": "--arch dcgan --recipe tuned",
    "mlp, half": MLP,
    "mlp, lr 5e-4": f"{MLP} --lr 5e-4",
    "mlp, lr 2e-3": f"{MLP} --lr 2e-3",
    "mlp, lr falls to 1e-5": f"{MLP} --lr-end 1e-5",
    "mlp, latent 32": f"{MLP} --latent-dim 32",
    "mlp, batch 128": f"{MLP} --batch-size 128 --steps 4000",
    "mlp, no penalty": f"{MLP} --penalty none",
    "mlp, R1 0.1": f"{MLP} --penalty-weight 0.1",
    "dcgan, half": DCGAN,
    "dcgan, latent 32": f"{DCGAN} --latent-dim 32",
    "dcgan, batch 64": DCGAN_64,
    "dcgan, batch 64, lr 1e-3": f"{DCGAN_64} --lr 1e-3",
    "dcgan, batch 64, lr 4e-3": f"{DCGAN_64} --lr 4e-3",
    "dcgan, batch 64, latent 32": f"{DCGAN_64} --latent-dim 32",
    "dcgan, batch 64, width 16": f"{DCGAN_64} --width 16 --steps 4000",
    "dcgan, batch 64, batch norm": f"{DCGAN_64} --penalty none --norm batch"}


def train(words, folder, threads):
    """Trains with mnist_gan.py, or goes on with it. Returns the steps, and the seconds for all of
    them: NaN if an earlier call has done them all."""
    environment = os.environ | {f"{library}_NUM_THREADS": str(threads)
                                for library in ("OPENBLAS", "OMP", "MKL")}
    resume = ["--resume"] if (folder / "checkpoint.npz").exists() else []
    done = subprocess.run(
        [sys.executable, Path(__file__).with_name("mnist_gan.py"), *words, "--data", "mnist",
         "--out", folder, *resume], env=environment, check=True, capture_output=True, text=True)
    steps, now, seconds = map(float, re.search(
        r"steps done: (\d+), (\d+) of them now, in (\S+) s", done.stdout).groups())
    return int(steps), seconds * steps / now if now else math.nan


def search(name, seed, args, judge):
    """The numbers of one candidate, from its result.json, or else by training it."""
    folder = args.out / f"{name}, seed {seed}".replace(", ", "_").replace(" ", "_")
    result = folder / "result.json"
    if not result.exists():
        words = [*CANDIDATES[name].split(), "--seed", str(seed), "--backend", args.backend]
        steps, seconds = train(words, folder, args.threads)
        numbers, _ = judge.numbers(load_samples(folder / "checkpoint.npz", args.backend))
        numbers |= {"steps": steps, "seconds": seconds}
        with whole_file(result) as part:
            part.write_text(json.dumps(numbers, indent=2) + "\n")
    return {"name": f"{name}, seed {seed}", **json.loads(result.read_text())}


def main(words=None):
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    add = parser.add_argument
    add("names", nargs="*", metavar="NAME", help="candidates: " + "; ".join(CANDIDATES))
    add("--seeds", nargs="+", type=at_least(0), default=[0], metavar="N", help="train with each")
    add("--jobs", type=at_least(1), default=1, metavar="N", help="trainings at a time")
    add("--threads", type=at_least(1), default=2, metavar="N", help="for each of them")
    add("--out", type=Path, default=Path("runs/search"), metavar="DIR", help="where it is kept")
    add("--backend", choices=["numpy", "cupy"], default="numpy", help="train on the CPU, or a GPU")
    args = parser.parse_args(words)
    if unknown := set(args.names) - CANDIDATES.keys():
        parser.error(f"no such candidate: {'; '.join(unknown)}; there are {'; '.join(CANDIDATES)}")
    try:
        judge = Judge()
        with ThreadPoolExecutor(args.jobs) as pool:
            runs = [pool.submit(search, name, seed, args, judge)
                    for name in args.names or CANDIDATES for seed in args.seeds]
            results = [run.result() for run in runs]
    except (OSError, ValueError) as error:
        sys.exit(f"error: {error}")
    except subprocess.CalledProcessError as error:
        sys.exit(f"error: {shlex.join(map(str, error.cmd))}\n{error.stderr}")
    print(f"  steps seconds  {HEADER}")
    for result in sorted(results, key=lambda result: result["distance"]):
        print("{steps:7} {seconds:7.0f}  ".format(**result) + ROW.format(result.pop("name"),
                                                                         **result))


if __name__ == "__main__":
    main()
