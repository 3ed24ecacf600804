"""Assignment of peaks to people with the published tie rule.

Rounded tag distances make equal costs the normal case, so which of several optima is taken decides who gets a joint.
The published code leaves that to the package `munkres`; its order of steps is kept here, on arrays.
"""

from bisect import bisect_left

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
    """Add one star: find and prime uncovered zeros until one leads to a row without a star; all in place.

    Rows of zeros and the uncovered columns are the bits of integers, so that finding one needs no array.
    """
    size = len(square)
    prime_of_row = [-1] * size
    free_rows, free = list(range(size)), sum(1 << c for c in range(size) if star_of_column[c] < 0)
    zeros, start_row, start_column = bits(square == 0), 0, 0
    while True:
        found = next_zero(zeros, free_rows, free, start_row, start_column)
        if found is None:
            shift(square, free_rows, free)
            zeros, start_row, start_column = bits(square == 0), 0, 0
            continue
        row, column = found
        prime_of_row[row] = column
        if star_of_row[row] < 0:
            break
        start_row, start_column = row, int(star_of_row[row])
        free_rows.remove(row)
        free |= 1 << start_column
    while True:  # along the path, primes become stars
        previous = int(star_of_column[column])
        star_of_row[row], star_of_column[column] = column, row
        if previous < 0:
            return
        row, column = previous, prime_of_row[previous]


def bits(mask: np.ndarray) -> list[int]:
    """Each row of a mask (rows, columns) as an integer, column c being bit c."""
    packed = np.packbits(mask, axis=1, bitorder="little")
    words = np.zeros((len(mask), -(-packed.shape[1] // 8) * 8), np.uint8)
    words[:, : packed.shape[1]] = packed
    rows = words.view("<u8").tolist()
    return [sum(word << 64 * w for w, word in enumerate(row)) if len(row) > 1 else row[0] for row in rows]


def shift(square: np.ndarray, free_rows: list[int], free: int) -> None:
    """Make a new uncovered zero: the least uncovered cell is added to covered rows, then taken from uncovered columns;
    in place and in this order, which decides how the numbers are rounded."""
    columns = [c for c in range(len(square)) if free >> c & 1]
    least = square[free_rows][:, columns].min()
    covered = np.ones(len(square), bool)
    covered[free_rows] = False
    square[covered] += least
    square[:, columns] -= least


def next_zero(
    zeros: list[int], free_rows: list[int], free: int, start_row: int, start_column: int
) -> tuple[int, int] | None:
    """The uncovered zero that the published search finds."""
    first = bisect_left(free_rows, start_row)
    for row in (*free_rows[first:], *free_rows[:first]):
        here = zeros[row] & free
        if here:
            earlier = here & ((1 << start_column) - 1)
            return row, (earlier or here).bit_length() - 1
    return None
