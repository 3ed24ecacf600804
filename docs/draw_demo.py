"""The picture on README's first screen: the photographs of the demo as `make demo` draws them.

python docs/draw_demo.py
"""

from pathlib import Path

import hrnet
from hrnet.images import read_image, write_image
from hrnet.results.drawing import contact_sheet

PHOTOS = Path(__file__).parents[1] / "examples" / "photos"


def main() -> None:
    predictor, drawn = hrnet.Predictor(), []
    for path in sorted(PHOTOS.glob("*.jpg")):
        image = read_image(path)
        drawn.append(predictor.draw(image, predictor(image)))
    write_image(Path(__file__).parent / "pictures" / "demo.jpg", contact_sheet(drawn, columns=3, cell=(420, 300)))


if __name__ == "__main__":
    main()
