"""Thousands of broken and hostile files: each loads or ends in one sentence, soon, within memory, and runs nothing."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]


@pytest.mark.parametrize("count, seed", [(60, 1), pytest.param(2000, 0, marks=pytest.mark.slow)])
def test_mutated_files_do_no_harm(count, seed):
    command = [sys.executable, TESTS / "mutated.py", str(count), str(seed)]
    environment = {"PYTHONPATH": str(TESTS.parent / "src"), "OMP_NUM_THREADS": "1", "PATH": "/usr/bin:/bin"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert summary["faults"] == [] and summary["live"]
    assert sum(summary["ends"].values()) == count and summary["ends"]["refused"] > count / 2
