"""The picture on README's first screen: the photographs of the demo as `make demo` draws them.

python docs/draw_demo.py
"""

from pathlib import Path

import hrnet
from hrnet.datasets.boxes import read_boxes
from hrnet.images import read_image, write_image
from hrnet.results.drawing import contact_sheet

PHOTOS = Path(__file__).parents[1] / "examples" / "photos"


def main() -> None:
    predictor, people = hrnet.Predictor(), read_boxes(PHOTOS / "boxes.json")
    drawn = []
    for path in sorted(PHOTOS.glob("*.jpg")):
        image = read_image(path)
        boxes, _ = people.of(path) or (None, None)
        drawn.append(predictor.draw(image, predictor(image, boxes)))
    write_image(Path(__file__).parent / "pictures" / "demo.jpg", contact_sheet(drawn, columns=3, cell=(420, 300)))


if __name__ == "__main__":
    main()
