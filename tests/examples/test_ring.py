"""ring.py as a newcomer runs it, for a third of its steps."""
import re
import sys
from pathlib import Path

import pytest

pytest.importorskip("matplotlib", reason="the example draws: pip install -e '.[test]'")

sys.path.insert(0, str(Path(__file__).parents[2] / "examples"))
import ring  # noqa: E402


def test_it_finds_all_places_says_so_and_draws_every_moment(tmp_path, monkeypatch, capsys):
    from matplotlib.image import imread
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(ring, "STEPS", 2000)
    monkeypatch.setattr(ring, "SHOWN", (0, 100, 500, 1000, 1500, 2000))
    ring.main()
    rows = re.findall(r"step +(\d+): (\d) of 8 places found, +(\d+)% of the points are good",
                      capsys.readouterr().out)
    assert [int(step) for step, _, _ in rows] == list(ring.SHOWN)
    (_, found_first, good_first), (_, found_last, good_last) = rows[0], rows[-1]
    assert int(found_first) < 8 == int(found_last) and int(good_first) < 20 < 60 < int(good_last)
    picture = imread("runs/ring.png")
    height, width = picture.shape[0] // 2, picture.shape[1] // 3
    panels = [picture[i * height:(i + 1) * height, j * width:(j + 1) * width]
              for i in range(2) for j in range(3)]
    assert all(panel.std() > 0.1 for panel in panels)


def test_the_last_moment_that_is_shown_is_the_last_step():
    assert ring.SHOWN[-1] == ring.STEPS and len(ring.SHOWN) == 6
