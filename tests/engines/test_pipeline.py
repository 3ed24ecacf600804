"""The stream of crops through an engine: everything arrives, in order, in full batches, and little is held."""

import threading
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hrnet.engines.inference import BatchedInference, pixels_of
from hrnet.engines.pipeline import BATCHES_AHEAD, flow
from hrnet.errors import HRNetError


def crops_of(item):
    """An item is a number and how many crops it has; each crop holds the number and its place."""
    number, count = item
    return number, [np.full((2, 2, 3), [number, place, 0], np.int32) for place in range(count)]


def doubled(batch):
    return 2 * batch[:, 0, 0, 0], batch[:, 0, 0, :2]


@settings(max_examples=40, deadline=None)
@given(counts=st.lists(st.integers(0, 7), max_size=30), size=st.integers(1, 9))
def test_every_crop_is_answered_in_its_place(counts, size):
    batches = []

    def run(batch):
        batches.append(len(batch))
        return doubled(batch)

    found = list(flow(enumerate(counts), crops_of, run, size))
    assert [number for number, _ in found] == list(range(len(counts)))
    for (number, outputs), count in zip(found, counts, strict=True):
        assert [twice for twice, _ in outputs] == [2 * number] * count
        assert [tuple(given) for _, given in outputs] == [(number, place) for place in range(count)]
    assert sum(batches) == sum(counts)
    assert all(each == size for each in batches[:-1])


def test_crops_of_different_sizes_never_share_a_batch():
    shapes = []

    def run(batch):
        shapes.append(batch.shape)
        return (batch.sum(axis=(1, 2, 3)),)

    sides = [2, 2, 3, 3, 3, 2]
    found = list(flow(sides, lambda side: (side, [np.ones((side, side, 3))]), run, 4))
    assert [int(total) for _, ((total,),) in found] == [3 * side * side for side in sides]
    assert [shape[:2] for shape in shapes] == [(2, 2), (3, 3), (1, 2)]


def test_what_is_held_does_not_grow_with_the_number_of_items():
    open_now, most, lock = set(), 0, threading.Lock()

    def prepare(number):
        nonlocal most
        with lock:
            open_now.add(number)
            most = max(most, len(open_now))
        return crops_of((number, 1))

    def taken(count):
        nonlocal most
        most = 0
        for number, _ in flow(range(count), prepare, doubled, 4):
            with lock:
                open_now.remove(number)
        return most

    few, many = taken(60), taken(600)
    threads = 8
    assert many <= 2 * threads + (BATCHES_AHEAD + 2) * 4 and few <= 2 * threads + (BATCHES_AHEAD + 2) * 4


@pytest.mark.parametrize("where", ["prepare", "run"])
def test_an_error_is_raised_where_its_item_would_have_been(where):
    def prepare(number):
        if where == "prepare" and number == 5:
            raise ValueError("number 5")
        return crops_of((number, 1))

    def run(batch):
        if where == "run" and (batch[:, 0, 0, 0] == 5).any():
            raise ValueError("number 5")
        return doubled(batch)

    seen = []
    with pytest.raises(ValueError, match="number 5"):
        for number, _ in flow(range(20), prepare, run, 1):
            seen.append(number)
    assert seen == [0, 1, 2, 3, 4]


def test_leaving_early_leaves_no_thread_behind():
    before = threading.active_count()
    stream = flow(range(1000), lambda number: crops_of((number, 2)), doubled, 4)
    next(stream)
    stream.close()
    assert threading.active_count() == before


def test_an_error_waits_for_the_items_before_it():
    def slowly(batch):
        time.sleep(0.05)
        return doubled(batch)

    def prepare(number):
        if number == 2:
            raise ValueError("number 2")
        return crops_of((number, 1))

    seen = []
    with pytest.raises(ValueError, match="number 2"):
        for number, _ in flow(range(4), prepare, slowly, 1):
            seen.append(number)
    assert seen == [0, 1]


def test_the_engine_goes_on_while_an_item_is_finished():
    reached = [threading.Event() for _ in range(3)]

    def run(batch):
        reached[batch[0, 0, 0, 0]].set()
        time.sleep(0.2)
        return doubled(batch)

    for number, _ in flow(((n, 2) for n in range(3)), crops_of, run, 1):
        assert all(event.wait(2) for event in reached[number + 1 : number + 2])


def test_large_crops_share_no_batch_that_would_fill_the_memory():
    sizes = []

    def run(batch):
        sizes.append(len(batch))
        return (batch.sum(axis=(1, 2, 3)),)

    for side in (2, 4):  # 12 bytes, then 48, more than all that may be held
        list(flow(range(6), lambda _, side=side: (None, [np.ones((side, side, 3), np.uint8)]), run, 4, 36))
    assert sizes == [3, 3] + [1] * 6


class Halves(BatchedInference):
    """Refuses odd numbers when they are prepared, 8 in the engine, and 4 when it is finished."""

    batch_size = 1

    def prepare(self, item):
        if pixels_of(item[0]).item() % 2:
            raise HRNetError("odd")
        return None, [pixels_of(item[0])]

    def run(self, crops):
        if (crops == 8).any():
            raise HRNetError("full")
        return (crops // 2,)

    def finish(self, state, answers):
        if answers[0][0].item() == 2:
            raise HRNetError("two")
        return [answers[0][0].item()]


def test_a_picture_that_cannot_be_used_answers_with_its_error_and_the_others_go_on():
    items = [(lambda n=n: np.array([n]), None, None) for n in (0, 1, 2, 4, 8, 6)]
    assert [str(found) for found in Halves().attempt(items)] == ["[0]", "odd", "[1]", "two", "full", "[3]"]
    walk = Halves().predict(items)
    assert next(walk) == [0]
    with pytest.raises(HRNetError, match="odd"):
        next(walk)


def test_items_without_crops_do_not_pile_up_behind_a_batch_in_the_making():
    pulled = 0

    def items():
        nonlocal pulled
        for number in range(2000):
            pulled += 1
            yield number, int(number == 0)

    stream = flow(items(), crops_of, doubled, 4)
    assert next(stream)[0] == 0 and pulled < 200
    assert [number for number, _ in stream] == list(range(1, 2000))
