"""What is said of blocks, and the whole script with tiny networks and without peers."""

import json
import sys

import pytest

from bench import __main__ as bench
from bench.blocks import alternate, median_interval, ratio
from bench.contender import Contender, run_command
from zoo.errors import ZooError


def test_intervals_are_those_of_the_binomial_distribution():
    twenty = median_interval([float(i) for i in range(20, 0, -1)])
    assert (twenty.median, twenty.low, twenty.high) == (10.5, 6, 15)  # as in tables of the sign test
    assert twenty.confidence == pytest.approx(0.9586, abs=1e-4)
    six = median_interval([3.0, 1, 2, 6, 5, 4])
    assert (six.low, six.high, six.confidence) == (1, 6, 0.96875)
    assert median_interval([2.0, 1.0]).confidence == 0.5  # too few for more
    assert str(median_interval([2.0])) == "2 (2 to 2)"


def test_turns_alternate_and_the_first_are_not_counted():
    order = []

    def contender(name: str):
        return lambda: order.append(name) or float(len(order))

    figures = alternate({name: contender(name) for name in "abc"}, 3)
    assert "".join(order) == "abc" + "abc" + "bca" + "cab"
    assert figures == {"a": [4, 9, 11], "b": [5, 7, 12], "c": [6, 8, 10]}


def test_a_ratio_is_of_neighbours_in_time():
    figures = {"ours": [10.0, 1.0, 4.0], "theirs": [5.0, 0.5, 2.0]}
    assert ratio(figures, "ours", "theirs").low == ratio(figures, "ours", "theirs").high == 2


@pytest.mark.slow
def test_tiny_contenders_take_their_turns(tmp_path):
    tiny = "--blocks 1 --steps 1 --batch_size 2 --sampling_steps 2 --threads 1 --width 8 --precision fp32".split()
    places = ["--peers", "nowhere", "--folder", str(tmp_path), "--output", str(tmp_path / "RESULTS.md")]
    bench.main([*tiny, *places, "--only", "training", "sampling", "loop"])
    results = json.loads((tmp_path / "results.json").read_text())
    names = {part: [row["name"] for row in result["rows"]] for part, result in results.items()}
    assert names == {
        "training": ["this project", "diffusers"],
        "sampling": ["this project", "diffusers"],
        "loop": ["this project", "bare"],
    }
    for result in results.values():
        assert len({row["parameters"] for row in result["rows"]}) == 1  # one network
        assert all(row["peak_megabytes"] > 50 for row in result["rows"])
    page = (tmp_path / "RESULTS.md").read_text()
    assert page.count("Foretold: ") == 3 and "| this project | " in page


def test_a_contender_or_command_that_fails_is_told_in_one_line(tmp_path):
    with pytest.raises(ZooError, match="bench: bench.peers:nobody: AttributeError") as caught:
        Contender(sys.executable, "bench.peers:nobody", {"threads": 1}).wait()
    assert "\n" not in str(caught.value)
    with pytest.raises(ZooError, match="bench: -c .*: no$"):
        run_command([sys.executable, "-c", "raise SystemExit('no')"])
    seconds, megabytes = run_command([sys.executable, "-c", ""])
    assert seconds > 0 and megabytes > 1
