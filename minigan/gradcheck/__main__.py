"""Is every gradient of minigan right? Checks each layer and loss alone, then whole training steps.

    python -m minigan.gradcheck                            everything, one line for each check
    python -m minigan.gradcheck --layer Dense              one layer, with full tables
    python -m minigan.gradcheck --arch mlp --penalty gp    these D and G steps, with full tables

The steps are those of D and G with the networks of minigan/networks.py, small and in float64, with
every loss and every penalty, and with options in every combination that they leave. What is wrong
is shown with a full table and a hint; exit status 1."""
import argparse
import itertools
import sys
import textwrap
import time
import traceback
from functools import partial

import numpy as np

import minigan as mg
from minigan.gradcheck import (
    GradientError, check_discriminator_step, check_generator_step, check_layer, check_tangent)
from minigan.gradcheck.steps import check_loss

SMALL = {"mlp": {"width": 4, "size": 4}, "mlp_tuned": {"width": 4, "size": 4},
         "dcgan": {"width": 2, "size": 8}, "dcgan_tuned": {"width": 1, "size": 4}}
PENALTIES = {"none": lambda: None, "gp": partial(mg.GradientPenalty, rng=0), "r1": mg.R1Penalty}
ROW = "{:<8} {:<10} {:<12} {:<10} {:<6} {}".format


def layer_cases():
    """Pairs of a layer and the shape of an x for it: every public layer, composed ones last."""
    return [
        (mg.Dense(4, 3), (5, 4)),
        (mg.Dense(3, 3), (5, 3)),  # square: no shape betrays what is transposed
        (mg.ReLU(), (5, 4)), (mg.LeakyReLU(), (5, 4)), (mg.Tanh(), (5, 4)), (mg.Sigmoid(), (5, 4)),
        (mg.Shift(1), (5, 4)),
        (mg.BatchNorm(3), (5, 3)), (mg.BatchNorm(2), (3, 3, 2, 2)),
        (mg.LayerNorm(4), (5, 4)), (mg.LayerNorm(2), (3, 3, 2, 2)),
        (mg.Conv2D(2, 3, 3, padding=1), (2, 3, 4, 2)),
        (mg.Conv2D(2, 3, 3, stride=2), (2, 6, 5, 2)),  # the last row of x is in no patch
        (mg.ConvTranspose2D(2, 3, 3, padding=1), (2, 2, 3, 2)),
        (mg.ConvTranspose2D(2, 3, 3, stride=2, output_padding=1), (2, 2, 3, 2)),
        (mg.AveragePool2D(2), (2, 4, 5, 2)), (mg.MaxPool2D(2), (2, 4, 5, 2)),  # and with overlap:
        (mg.AveragePool2D(3, stride=2), (2, 5, 5, 2)), (mg.MaxPool2D(3, stride=2), (2, 5, 5, 2)),
        (mg.Upsample2D(2), (2, 2, 3, 2)),
        (mg.Dropout(0.4, rng=0), (5, 4)), (mg.GaussianNoise(0.5, rng=0), (5, 4)),
        (mg.MinibatchDeviation(), (5, 4)), (mg.Choice(3), (5, 6)),
        (mg.Flatten(), (3, 2, 2, 1)), (mg.Reshape(2, 2, 1), (3, 4)),
        (mg.SpectralNorm(mg.Dense(4, 3)), (5, 4)),
        (mg.SpectralNorm(mg.Conv2D(2, 3, 2)), (2, 3, 4, 2)),
        (mg.SpectralNorm(mg.ConvTranspose2D(2, 3, 2)), (2, 3, 2, 2)),
        (mg.Sequential(mg.Flatten(), mg.Dense(4, 3), mg.Tanh()), (5, 2, 2)),
        (mg.Given(mg.Dense(6, 3), np.eye(5, 2)), (5, 4))]


def redrawn(network, rng):
    """The network in float64, with all parameters from N(0, 0.5^2). As training starts them, with
    std 0.02, gradients would drown in rounding errors, and behind gamma = 1 a mistake can hide."""
    for p in network.astype(np.float64).parameters():
        p.value[...] = 0.5 * rng.standard_normal(p.value.shape)
    return network


def check_alone(check, layer, x_shape, train=True):
    rng = np.random.default_rng(0)
    layer, x = redrawn(layer, rng), 2 * rng.standard_normal(x_shape)
    layer.forward(x)  # running statistics leave 0 and 1
    return check(layer, x, train)


def layer_checks(kinds):
    """(title, check) for the layers of these kinds."""
    for layer, x_shape in layer_cases():
        if (kind := type(layer).__name__) in kinds:
            yield f"{layer}", partial(check_alone, check_layer, layer, x_shape)
            if kind in ("BatchNorm", "Dropout", "GaussianNoise"):
                yield f"{layer}, in use", partial(check_alone, check_layer, layer, x_shape, False)
            if kind != "BatchNorm":  # it takes no gradient penalty
                yield f"{layer}, tangent", partial(check_alone, check_tangent, layer, x_shape)


def loss_checks():
    """(title, check) for each loss alone, the adversarial ones and those against a target."""
    rng = np.random.default_rng(0)
    s_real, s_fake, y = (rng.standard_normal(shape) for shape in [(6, 1), (6, 1), (5, 3)])
    for loss in [*(kind() for kind in mg.LOSSES.values()),
                 mg.NonSaturating(label_smoothing=0.1), mg.LeastSquares(real=0.5, fake=-1)]:
        yield f"{loss}, D's side", partial(check_loss, f"{loss}", loss.discriminator,
                                           {"ds_real": s_real, "ds_fake": s_fake})
        yield f"{loss}, G's side", partial(check_loss, f"{loss}", loss.generator,
                                           {"ds_fake": s_fake})
    for loss, target in [(mg.mean_squared_error, {"target": rng.standard_normal(y.shape)}),
                         (mg.mean_absolute_error, {"target": rng.standard_normal(y.shape)}),
                         (mg.binary_cross_entropy_with_logits, {"target": rng.random(y.shape)}),
                         (mg.cross_entropy_with_logits, {"labels": rng.integers(3, size=5)})]:
        name = loss.__name__
        yield name, partial(check_loss, name, partial(loss, **target), {"dy": y})


def worth_it(arch, penalty, loss):
    """Is this combination checked if nobody asks for it? Every loss and every penalty is, with the
    mlp; each penalty with the dcgan; and the tuned networks as they are trained."""
    if arch.endswith("tuned"):
        return (penalty, loss) == ("r1", "nonsaturating")
    return loss == "wasserstein" or (arch, penalty) == ("mlp", "none")


def step_checks(arch, combinations):
    """(title, check) for D's and G's step with each of these pairs, a penalty and a loss."""
    for (penalty, loss), which in itertools.product(combinations, "DG"):
        rng, size = np.random.default_rng(0), SMALL[arch]["size"]
        norm = {} if penalty == "none" else {"norm": mg.LayerNorm}
        G, D = (redrawn(network, rng)
                for network in mg.NETWORKS[arch](3, rng, **norm, **SMALL[arch]))
        x_real, z = rng.standard_normal((4, size, size, 1)), rng.standard_normal((4, 3))
        given = G, D, mg.LOSSES[loss]()
        title = f"{which} step of {arch}, {loss}" + ("" if penalty == "none" else f", {penalty}")
        if which == "D":
            yield title, partial(check_discriminator_step, *given, x_real, z,
                                 PENALTIES[penalty](), mg.discriminator_step)
        # G takes no penalty, so that with r1 its step is the one that was checked with gp.
        elif penalty != "r1" or ("gp", loss) not in combinations:
            yield title, partial(check_generator_step, *given, z, mg.generator_step)


def outcome(title, check, in_full):
    """How many gradients the check proves, 0 if it fails, and what to print. Whatever it raises,
    the others go on."""
    try:
        report = check()
    except GradientError as error:
        complaint = str(error)
    except Exception as error:  # shapes that do not fit, say
        place = traceback.extract_tb(error.__traceback__)[-1]
        complaint = (f"{type(error).__name__}: {error}\n"
                     f'in {place.name}, file "{place.filename}", line {place.lineno}')
    else:
        report.title = title
        worst = max(report, key=lambda comparison: comparison.error)
        kinks = sum(comparison.kinks for comparison in report)
        return len(report), f"{report}\n" if in_full else ROW(
            "right", len(report), f"{worst.error:.1e}", worst.name, kinks, title)
    return 0, f"WRONG    {title}\n{textwrap.indent(complaint, '    ')}\n"


def parse(words):
    """{option: names} of what the options choose, which else is all there is; and was any given?"""
    chosen = {"layer": list(dict.fromkeys(type(layer).__name__ for layer, _ in layer_cases())),
              "arch": list(SMALL), "loss": list(mg.LOSSES), "penalty": list(PENALTIES)}
    parser = argparse.ArgumentParser("python -m minigan.gradcheck",
                                     description=__doc__.partition("\n")[0])
    for option, names in chosen.items():
        parser.add_argument(f"--{option}", choices=names, metavar="NAME", help=", ".join(names))
    given = {option: [name] for option, name in vars(parser.parse_args(words)).items() if name}
    return chosen | given, given


def main(words=None):
    """Runs the checks that the command line asks for, and returns the exit status."""
    chosen, given = parse(words)
    groups = {}
    if "layer" in given or not given:
        groups["Each layer alone"] = layer_checks(chosen["layer"])
    if not given:
        groups["Each loss alone"] = loss_checks()
    if given.keys() != {"layer"}:
        groups |= {f"Training steps of {arch}": step_checks(arch, [
            pair for pair in itertools.product(chosen["penalty"], chosen["loss"])
            if given or worth_it(arch, *pair)]) for arch in chosen["arch"]}
    started, proved, wrong = time.perf_counter(), [], []
    for heading, checks in groups.items():
        if not given:
            print(f"\n{heading}")
            print(ROW("verdict", "gradients", "worst error", "in", "kinks", "check"))
        for title, check in checks:
            count, text = outcome(title, check, in_full=bool(given))
            print(text)
            proved.append(count)
            wrong += [] if count else [title]
    verdict = f"{len(wrong)} wrong; begin with the first, {wrong[0]}" if wrong else "all right"
    blank_line = "" if given else "\n"
    print(f"{blank_line}{len(proved)} checks, {sum(proved)} gradients right, "
          f"{time.perf_counter() - started:.1f} s: {verdict}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
