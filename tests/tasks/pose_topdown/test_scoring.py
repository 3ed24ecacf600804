"""Who is predicted when a data set is scored."""

from dataclasses import replace

from drawn import TINY

from hrnet.datasets.records import PoseData, Record
from hrnet.datasets.skeleton import COCO
from hrnet.datasets.synthetic import figures
from hrnet.engines.torch_engine import TorchEngine
from hrnet.tasks.pose_topdown.inference import TopDownInference
from hrnet.tasks.pose_topdown.scoring import evaluate


def test_only_labelled_people_that_are_no_crowd_are_predicted():
    (record,) = figures(1, size=(48, 64)).records
    (known,) = record.people
    crowd, unlabelled = replace(known, crowd=True), replace(known, visibility=0 * known.visibility)
    people = ((known, crowd, unlabelled, known), (crowd,), (unlabelled,))
    records = tuple(replace(record, id=k, people=each) for k, each in enumerate(people, start=1))
    inference = TopDownInference(TINY, TorchEngine(TINY.model.build(), "cpu"))
    found = evaluate(inference, PoseData("drawn", COCO, (Record("no file", 1, 1, 0, ()), *records), "PCK"))
    assert found["people"] == 2 and found["joints"] == 2 * (known.visibility > 0).sum()
