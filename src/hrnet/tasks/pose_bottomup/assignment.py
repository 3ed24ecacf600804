"""Assignment of peaks to people with the published tie rule.

Rounded tag distances make equal costs the normal case, so which of several optima is taken decides who gets a joint.
The published code leaves that to the package `munkres`; its order of steps is kept here, on arrays.
"""

import numpy as np


def assign(cost: np.ndarray) -> list[tuple[int, int]]:
    """Pairs (row, column) of least total cost, in row order; `cost` is (rows, columns) of finite numbers.

    The Hungarian algorithm (Kuhn 1955; Munkres 1957) step by step as in `munkres` 1.1.4, in float64: stars are chosen
    row by row at the start; the search for an uncovered zero goes through rows cyclically from where it stopped, and
    takes the last of a row in cyclic order.
    """
    rows, columns = cost.shape
    size = max(rows, columns)
    square = np.zeros((size, size))
    square[:rows, :columns] = cost
    square -= square.min(axis=1, keepdims=True)
    star_of_row, star_of_column = np.full(size, -1), np.full(size, -1)
    for row in range(size):
        for column in np.flatnonzero(square[row] == 0):
            if star_of_column[column] < 0:
                star_of_row[row], star_of_column[column] = column, row
                break
    for _ in range(int((star_of_row < 0).sum())):
        augment(square, star_of_row, star_of_column)
    return [(row, int(star_of_row[row])) for row in range(rows) if star_of_row[row] < columns]


def augment(square: np.ndarray, star_of_row: np.ndarray, star_of_column: np.ndarray) -> None:
    """Add one star: find and prime uncovered zeros until one leads to a row without a star; all in place."""
    size = len(square)
    prime_of_row = np.full(size, -1)
    row_free, column_free = np.ones(size, bool), star_of_column < 0
    start_row, start_column = 0, 0
    while True:
        found = next_zero(square, row_free, column_free, start_row, start_column)
        if found is None:
            least = square[np.ix_(row_free, column_free)].min()
            square[~row_free] += least
            square[:, column_free] -= least
            start_row, start_column = 0, 0
            continue
        row, column = found
        prime_of_row[row] = column
        if star_of_row[row] < 0:
            break
        start_row, start_column = row, int(star_of_row[row])
        row_free[row], column_free[start_column] = False, True
    while True:  # along the path, primes become stars
        previous = int(star_of_column[column])
        star_of_row[row], star_of_column[column] = column, row
        if previous < 0:
            return
        row, column = previous, int(prime_of_row[previous])


def next_zero(
    square: np.ndarray, row_free: np.ndarray, column_free: np.ndarray, start_row: int, start_column: int
) -> tuple[int, int] | None:
    """The uncovered zero that the published search finds."""
    zeros = (square == 0) & column_free & row_free[:, None]
    having = np.flatnonzero(zeros.any(axis=1))
    if not len(having):
        return None
    later = having[having >= start_row]
    row = int(later[0] if len(later) else having[0])
    columns = np.flatnonzero(zeros[row])
    earlier = columns[columns < start_column]
    return row, int(earlier[-1] if len(earlier) else columns[-1])
