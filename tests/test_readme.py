"""What README shows in Python runs as it stands."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BLOCKS = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), flags=re.DOTALL)


@pytest.mark.parametrize("code", BLOCKS, ids=range(len(BLOCKS)))
def test_python_of_the_readme_runs(code, monkeypatch):
    monkeypatch.chdir(ROOT)
    names = {}
    exec(compile(code, "README.md", "exec"), names)
    if "poses" in names:
        assert len(names["poses"]) == 1 and names["picture"].shape == (428, 640, 3)
    else:
        assert len(names["trunk"].transition3) == 4
