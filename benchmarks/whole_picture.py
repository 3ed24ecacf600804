"""What looking for the person first gains where no boxes are given: PCK@0.2 on LSPET val without boxes, both ways.

python benchmarks/whole_picture.py LSPET
"""

import sys
from pathlib import Path

import numpy as np

import hrnet
from hrnet.datasets.opening import open_data
from hrnet.scoring.pck import pck, scored


def main(folder: str) -> None:
    data = open_data(Path(folder), "val")
    people = [[person for person in record.people if scored(person)] for record in data.records]
    predictor = hrnet.Predictor()
    for label, search in (("the whole picture is the box", False), ("testing.search", True)):
        predictor.inference.recipe = predictor.recipe.but(testing__search=search)
        poses = predictor.inference.predict((record.read(), None, None) for record in data.records)
        figures = pck(data, people, list(poses))
        print(f"{label:<30} PCK@0.2 {figures['metrics']['PCK@0.2']:.4f}  {figures['interval']['PCK@0.2']}")
    poses = predictor.inference.predict((r.read(), np.array([p.box for p in r.people]), None) for r in data.records)
    print(f"{'boxes given':<30} PCK@0.2 {pck(data, people, list(poses))['metrics']['PCK@0.2']:.4f}")


if __name__ == "__main__":
    main(sys.argv[1])
