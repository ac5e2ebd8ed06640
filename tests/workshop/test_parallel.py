"""k processes train what one trains: each test starts real ones, by mpiexec."""
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from minigan.workshop import Processes, load

pytest.importorskip("mpi4py", reason='mpi4py is not installed: pip install -e ".[mpi]"')
MPIEXEC = shutil.which("mpiexec", path=os.pathsep.join(
    [str(Path(sys.executable).parent), os.environ.get("PATH", "")]))
if not MPIEXEC:
    pytest.skip('there is no mpiexec: pip install -e ".[mpi]"', allow_module_level=True)

EXAMPLES = Path(__file__).parents[2] / "examples"
ENVIRONMENT = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}

TRAINING = '''
import sys
import numpy as np
from minigan import *
from minigan.workshop import MovingAverage, many_processes, save

CASES = {  # networks, size of the images, norm in D, loss, penalty, noise in D
    "noisy": ("mlp", 6, LayerNorm, Wasserstein, "gp", True),
    "dcgan": ("dcgan", 8, BatchNorm, LeastSquares, None, False),
    "dcgan_tuned": ("dcgan_tuned", 8, None, NonSaturating, "r1", False)}


def trained(processes, networks, size, norm, loss, penalty, noisy):
    weights_rng, noise_rng, data_rng = np.random.default_rng(0).spawn(3)
    noise_rng = processes.random(noise_rng)
    G, D = NETWORKS[networks](5, weights_rng, norm, 4, size)
    if noisy:
        D = Sequential(GaussianNoise(0.1, 1), *D.layers[:-1], Dropout(0.3, 2), *D.layers[-1:])
        D = Sequential(*D.layers[:2], SpectralNorm(D.layers[2]), *D.layers[3:])
    # b in front of BatchNorm gets rounding as its gradient, which a small eps would make a step of.
    adam_g = Adam(G.astype(np.float64).parameters(), 2e-3, eps=1e-5)
    adam_d = RMSprop(D.astype(np.float64).parameters(), eps=1e-5)
    average = MovingAverage(G, 0.9)
    penalty = {"gp": GradientPenalty(rng=noise_rng), "r1": R1Penalty()}.get(penalty)
    processes.share(G, D, adam_g, adam_d)
    for _ in range(50):
        x_real = processes.part(data_rng.standard_normal((8, size, size, 1)))
        z = [noise_rng.standard_normal((8 // processes.size, 5)) for _ in range(2)]
        discriminator_step(G, D, adam_d, loss(), x_real, z[0], penalty)
        generator_step(G, D, adam_g, loss(), z[1])
        average.update()
    return {"G": G.state_dict(), "D": D.state_dict(), "average": average.state_dict(),
            "adam": adam_g.state_dict(), "noise": noise_rng.bit_generator.state}


with many_processes() as processes:
    print("this is printed once")
    states = {name: trained(processes, *case) for name, case in CASES.items()}
    for rank in range(processes.size):
        if rank == processes.rank:
            save(f"{sys.argv[1]}{rank}.npz", states)
'''


def mpiexec(k, *words, **more):
    return subprocess.run([MPIEXEC, "-n", str(k), sys.executable, *map(str, words)], timeout=300,
                          env=ENVIRONMENT, capture_output=True, text=True, **more)


def flat(state, name=""):
    for key, value in state.items():
        yield from (flat(value, f"{name}/{key}") if isinstance(value, dict) else
                    [(f"{name}/{key}", value)])


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    folder = tmp_path_factory.mktemp("alone")
    (folder / "training.py").write_text(TRAINING)
    subprocess.run([sys.executable, folder / "training.py", folder / "alone"], check=True,
                   env=ENVIRONMENT, capture_output=True)
    return folder, dict(flat(load(folder / "alone0.npz")))


@pytest.mark.parametrize("k", [2, 4])
def test_k_processes_train_the_weights_of_one(alone, k):
    folder, expected = alone
    done = mpiexec(k, folder / "training.py", folder / f"many{k}_")
    assert (done.returncode, done.stdout, done.stderr) == (0, "this is printed once\n", "")
    for rank in range(k):
        found = dict(flat(load(folder / f"many{k}_{rank}.npz")))
        assert found.keys() == expected.keys() and len(found) > 90
        for name, value in expected.items():
            if isinstance(value, np.ndarray):
                np.testing.assert_allclose(found[name], value, rtol=0, atol=1e-10, err_msg=name)
            else:
                assert found[name] == value, name


def test_alone_nothing_is_changed_and_mpi4py_is_not_imported(monkeypatch):
    code = ("import sys; from minigan.workshop import many_processes\n"
            "with many_processes() as p: print(p.rank, p.size, 'mpi4py' in sys.modules)")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "0 1 False\n"
    alone, a = Processes(), np.ones(3)
    assert alone.mean(a) is a and alone.first(max, 3, 5) == 5 and alone.most(2) == 2
    np.testing.assert_array_equal(alone.part(a), a)


# mnist_gan.py with small networks, on 240 images of noise.
SMALL = f'''
import sys
import numpy as np
sys.path.insert(0, {str(EXAMPLES)!r})
import mnist_gan
mnist_gan.TUNED["mlp"]["width"] = 8
images = np.random.default_rng(0).integers(256, size=(240, 28, 28)).astype(np.uint8)
mnist_gan.training_images = lambda *_: (images, "digits")
mnist_gan.main()
'''


@pytest.fixture
def main(tmp_path):
    """The path of this program."""
    path = tmp_path / "mnist_gan.py"
    path.write_text(SMALL)
    return path


def test_a_run_of_two_processes_is_that_of_one_and_another_number_goes_on_with_it(main, tmp_path):
    few = ["--batch-size", "24", "--steps", "3", "--out"]
    done = mpiexec(2, main, *few, tmp_path / "two")
    assert done.returncode == 0 and done.stdout.count("steps done: 3, 3 of them now") == 1, done
    subprocess.run([sys.executable, main, *few, tmp_path / "one"], check=True, env=ENVIRONMENT,
                   capture_output=True)
    assert sorted(os.listdir(tmp_path / "one")) == sorted(os.listdir(tmp_path / "two"))
    one, two = (load(tmp_path / name / "checkpoint.npz") for name in ("one", "two"))
    np.testing.assert_allclose(one["history"], two["history"], rtol=0.01)
    assert one["noise"] == two["noise"]

    done = mpiexec(3, main, "--resume", "--steps", 5, "--out", tmp_path / "one")
    assert done.returncode == 0 and done.stdout.count("steps done: 5, 2 of them now") == 1, done


@pytest.mark.parametrize("words, status, message", [
    (["--batch-size", "25"], 1, "error: 2 processes cannot share a batch of 25 evenly"),
    (["--resume"], 1, "error: there is no "), (["--seed", "x"], 2, "error: argument --seed")])
def test_what_goes_wrong_in_all_is_said_once(main, tmp_path, words, status, message):
    done = mpiexec(2, main, *words, "--out", tmp_path / "out")
    assert done.returncode == status and done.stderr.count(message) == 1, done
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("what, said", [
    ("raise ValueError('only the third')", "error: only the third"),
    ("0 / 0", "ZeroDivisionError"), ("import sys; sys.exit(5)", "")])
def test_what_goes_wrong_in_one_ends_all(what, said):
    code = ("from minigan.workshop import many_processes, one_line_errors\n"
            "with many_processes() as processes, one_line_errors():\n"
            f"    if processes.rank == 2: {what}\n"
            "    processes.most(1)")
    done = mpiexec(3, "-c", code)
    assert done.returncode == (5 if "exit" in what else 1) and said in done.stderr, done


@pytest.fixture
def running(main, tmp_path):
    """Two processes that have saved a checkpoint, and go on."""
    words = [MPIEXEC, "-n", "2", sys.executable, main, "--epochs", "10000", "--batch-size", "24",
             "--out", tmp_path / "out"]
    with subprocess.Popen(words, env=ENVIRONMENT, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE) as run:
        until = time.monotonic() + 60
        while not (tmp_path / "out/checkpoint.npz").exists() and time.monotonic() < until:
            time.sleep(0.05)
        yield run
        run.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_all_after_the_same_step_with_a_checkpoint(running, tmp_path, number):
    running.send_signal(number)
    out, errors = running.communicate(timeout=60)
    assert running.returncode == 128 + number, errors
    assert out.count("Interrupted. To go on:") == 1
    assert f"steps done: {load(tmp_path / 'out/checkpoint.npz')['step']}," in out


def test_a_killed_process_takes_the_others_with_it_and_the_checkpoint_stays(running, tmp_path):
    def children(pid):
        return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()

    if not Path(f"/proc/{running.pid}/task").exists():
        pytest.skip("there is no /proc to find the processes in")
    proxy, = children(running.pid)
    os.kill(int(children(proxy)[-1]), signal.SIGKILL)
    running.communicate(timeout=60)
    assert running.returncode
    assert load(tmp_path / "out/checkpoint.npz")["step"] >= 1
