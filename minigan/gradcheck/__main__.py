"""Is every gradient of minigan right? Checks each layer alone, then whole training steps.

    python -m minigan.gradcheck                            everything, one line for each check
    python -m minigan.gradcheck --layer Dense              one layer, with full tables
    python -m minigan.gradcheck --arch mlp --penalty gp    these D and G steps, with full tables

The steps are D's and G's with the networks of minigan/networks.py, small and in float64, for every
loss and penalty. What is wrong is shown with its full table and a hint, and the exit status is 1.
"""
import argparse
import itertools
import sys
import textwrap
import time
import traceback
from functools import partial

import numpy as np

import minigan
from minigan.gradcheck import (
    GradientError, check_discriminator_step, check_generator_step, check_layer, check_tangent)

SMALL = {"mlp": {"width": 4, "size": 4}, "dcgan": {"width": 2, "size": 8}}
PENALTIES = {"none": lambda: None, "gp": lambda: minigan.GradientPenalty(rng=0),
             "r1": lambda: minigan.R1Penalty()}
ROW = "{:<8} {:<10} {:<12} {:<10} {:<6} {}".format


def layer_cases():
    """Pairs of a layer and the shape of an x for it: every public layer, composed ones last."""
    return [
        (minigan.Dense(4, 3), (5, 4)),
        (minigan.Dense(3, 3), (5, 3)),  # square: no shape betrays what is transposed
        (minigan.ReLU(), (5, 4)),
        (minigan.LeakyReLU(), (5, 4)),
        (minigan.Tanh(), (5, 4)),
        (minigan.Sigmoid(), (5, 4)),
        (minigan.BatchNorm(3), (5, 3)),
        (minigan.BatchNorm(2), (3, 3, 2, 2)),
        (minigan.LayerNorm(4), (5, 4)),
        (minigan.LayerNorm(2), (3, 3, 2, 2)),
        (minigan.Conv2D(2, 3, 3, padding=1), (2, 3, 4, 2)),
        (minigan.Conv2D(2, 3, 3, stride=2), (2, 6, 5, 2)),  # the last row of x is in no patch
        (minigan.ConvTranspose2D(2, 3, 3, padding=1), (2, 2, 3, 2)),
        (minigan.ConvTranspose2D(2, 3, 3, stride=2, output_padding=1), (2, 2, 3, 2)),
        (minigan.AveragePool2D(2), (2, 4, 5, 2)),
        (minigan.MaxPool2D(2), (2, 4, 5, 2)),
        (minigan.MaxPool2D(3, stride=2), (2, 5, 5, 2)),  # patches overlap
        (minigan.Upsample2D(2), (2, 2, 3, 2)),
        (minigan.Dropout(0.4, rng=0), (5, 4)),
        (minigan.GaussianNoise(0.5, rng=0), (5, 4)),
        (minigan.Flatten(), (3, 2, 2, 1)),
        (minigan.Reshape(2, 2, 1), (3, 4)),
        (minigan.SpectralNorm(minigan.Dense(4, 3)), (5, 4)),
        (minigan.SpectralNorm(minigan.Conv2D(2, 3, 2)), (2, 3, 4, 2)),
        (minigan.SpectralNorm(minigan.ConvTranspose2D(2, 3, 2)), (2, 3, 2, 2)),
        (minigan.Sequential(minigan.Flatten(), minigan.Dense(4, 3), minigan.Tanh()), (5, 2, 2)),
    ]


def redrawn(network, rng):
    """The network in float64, with all parameters from N(0, 0.5^2). As training starts them, with
    std 0.02, gradients would drown in rounding errors, and behind gamma = 1 a mistake can hide."""
    for p in network.astype(np.float64).parameters():
        p.value[...] = 0.5 * rng.standard_normal(p.value.shape)
    return network


def check_alone(check, layer, x_shape, train=True):
    rng = np.random.default_rng(0)
    redrawn(layer, rng)
    x = 2 * rng.standard_normal(x_shape)
    # Running statistics leave 0 and 1. And SpectralNorm's v converges: its gradient holds v
    # constant, which is exact only where |W v| is at its maximum, so that its slope in v is 0.
    for _ in range(200):
        layer.forward(x)
    return check(layer, x, train)


def layer_checks(kinds):
    """(title, check) for the layers of these kinds."""
    for layer, x_shape in layer_cases():
        kind = type(layer).__name__
        if kind in kinds:
            yield f"{layer}", partial(check_alone, check_layer, layer, x_shape)
        if kind in kinds and kind in ("BatchNorm", "Dropout", "GaussianNoise"):
            yield f"{layer}, in use", partial(check_alone, check_layer, layer, x_shape, train=False)
        if kind in kinds and kind != "BatchNorm":  # it takes no gradient penalty
            yield f"{layer}, tangent", partial(check_alone, check_tangent, layer, x_shape)


def check_step(which, arch, loss, penalty):
    rng = np.random.default_rng(0)
    norm = {} if penalty == "none" else {"norm": minigan.LayerNorm}
    size = SMALL[arch]["size"]
    G, D = (redrawn(network, rng)
            for network in minigan.NETWORKS[arch](3, rng, **norm, **SMALL[arch]))
    x_real, z = rng.standard_normal((4, size, size, 1)), rng.standard_normal((4, 3))
    loss, penalty = minigan.LOSSES[loss](), PENALTIES[penalty]()
    if which == "G":
        return check_generator_step(G, D, loss, z, minigan.generator_step)
    return check_discriminator_step(G, D, loss, x_real, z, penalty, minigan.discriminator_step)


def step_checks(arch, penalties, losses):
    """(title, check) for D's and G's step in every combination of these."""
    for penalty, loss, which in itertools.product(penalties, losses, "DG"):
        # G takes no penalty, so that with r1 its step is the one that was checked with gp.
        if which == "D" or penalty != "r1" or "gp" not in penalties:
            suffix = "" if penalty == "none" else f", {penalty}"
            yield (f"{which} step of {arch}, {loss}{suffix}",
                   partial(check_step, which, arch, loss, penalty))


def report_or_complaint(check):
    """The Report, or what is wrong, as text: whatever one check raises, the others go on."""
    try:
        return check(), ""
    except GradientError as error:
        return [], str(error)
    except Exception as error:  # shapes that do not fit, say
        place = traceback.extract_tb(error.__traceback__)[-1]
        return [], (f"{type(error).__name__}: {error}\n"
                    f'in {place.name}, file "{place.filename}", line {place.lineno}')


def parse(words):
    """What the options choose, {option: [name]}, and all that there is, {option: names}."""
    names = {"layer": list(dict.fromkeys(type(layer).__name__ for layer, _ in layer_cases())),
             "arch": list(SMALL), "loss": list(minigan.LOSSES), "penalty": list(PENALTIES)}
    parser = argparse.ArgumentParser("python -m minigan.gradcheck",
                                     description=__doc__.partition("\n")[0])
    for option, choices in names.items():
        parser.add_argument(f"--{option}", choices=choices, metavar="NAME",
                            help=", ".join(choices))
    given = vars(parser.parse_args(words))
    return {option: [name] for option, name in given.items() if name}, names


def main(words=None):
    """Runs the checks that the command line asks for, and returns the exit status."""
    given, names = parse(words)
    chosen, groups = {**names, **given}, {}
    if "layer" in given or not given:
        groups["Each layer alone"] = layer_checks(chosen["layer"])
    if given.keys() - {"layer"} or not given:
        groups |= {f"Training steps of {arch}": step_checks(arch, chosen["penalty"], chosen["loss"])
                   for arch in chosen["arch"]}
    started, checks, gradients, wrong = time.perf_counter(), 0, 0, []
    for heading, group in groups.items():
        if not given:
            print(f"\n{heading}")
            print(ROW("verdict", "gradients", "worst error", "in", "kinks", "check"))
        for title, check in group:
            report, complaint = report_or_complaint(check)
            checks, gradients = checks + 1, gradients + len(report)
            if complaint:
                wrong.append(title)
                print(f"WRONG    {title}\n{textwrap.indent(complaint, '    ')}\n")
            elif given:
                report.title = title
                print(f"{report}\n")
            else:
                worst = max(report, key=lambda comparison: comparison.error)
                kinks = sum(comparison.kinks for comparison in report)
                print(ROW("right", len(report), f"{worst.error:.1e}", worst.name, kinks, title))
    verdict = f"{len(wrong)} wrong; begin with the first, {wrong[0]}" if wrong else "all right"
    print("\n" * (not given) + f"{checks} checks, {gradients} gradients right, "
          f"{time.perf_counter() - started:.1f} s: {verdict}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
