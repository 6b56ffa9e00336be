"""The registered stages fit together, and one that judges no images stays out of the cascade."""

import importlib
from dataclasses import replace

import pyarrow as pa
import pytest

from meteo_ray.gate.stage import GATE
from meteo_ray.products.stage import PRODUCTS
from meteo_ray.schema import WRITTEN
from meteo_ray.stage import Judging, Stage
from meteo_ray.stages import CASCADE, PREDICTIONS, STAGES, cascade_of, stage_named
from meteo_ray.training.task import Task
from meteo_ray.vocabulary import load_vocabulary

# The columns that scripts of users read: another name, type or meaning wants a new schema.SCHEMA_VERSION. A new stage
# may add its own.
COLUMNS = {
    "image_id": "string",
    "path": "string",
    "sha256": "string",
    "width": "int32",
    "height": "int32",
    "status": "string",
    "reason": "string",
    "is_meteo": "bool",
    "gate_score": "float",
    "elements": "list<item: struct<id: string, score: float>>",
    "element_sequence": "list<item: string>",
    "product": "string",
    "product_score": "float",
    "product_top": "list<item: struct<id: string, score: float>>",
    "title": "string",
    "text": "string",
    "valid_time": "timestamp[ms, tz=UTC]",
    "level": "string",
    "centre": "string",
    "model_version": "string",
    "schema_version": "int32",
}


def test_the_predictions_have_the_public_columns():
    found = {field.name: str(field.type) for field in PREDICTIONS}
    assert {name: found.get(name) for name in COLUMNS} == COLUMNS
    assert [name for name in found if name in COLUMNS] == list(COLUMNS)


@pytest.mark.parametrize("name", list(CASCADE))
def test_a_stage_reads_what_the_stages_that_it_needs_answer(name):
    judging = CASCADE[name]
    answered = {column for needed in judging.needs for column in CASCADE[needed].answers}
    assert set(judging.reads) <= answered | set(WRITTEN.names)


def other(**changes) -> Stage:
    """A stage beside the registered ones."""
    judging = Judging(pa.schema([("mood", pa.string())]), **dict.fromkeys(("load", "options", "evaluation"), dict))
    return replace(GATE, name=changes.pop("name", "mood"), judging=replace(judging, **changes))


@pytest.mark.parametrize(
    ("added", "message"),
    [
        (other(name="gate"), "the name 'gate' is taken"),
        (other(name="cascade"), "the name 'cascade' is taken"),
        (other(columns=pa.schema([("status", pa.string())])), "columns that exist"),
        (other(columns=pa.schema([("product", pa.string())])), "columns that exist"),
        (other(columns=pa.schema([("title", pa.string())])), "columns that exist"),
        (other(needs=("nowcast",)), "needs nowcast before it"),
        (other(needs=("products",)), "cannot wait for products"),
    ],
)
def test_stages_that_do_not_fit_are_refused(added, message):
    with pytest.raises(ValueError, match=message):
        cascade_of((*STAGES, added))
    assert "mood" in cascade_of((*STAGES, other()))


def test_a_filter_on_later_pixels_cannot_reach_stages_that_share_pixels():
    filtering = replace(PRODUCTS, judging=replace(PRODUCTS.judging, passes="sure"))
    with pytest.raises(ValueError, match="cannot wait for products"):
        cascade_of((*STAGES[:-1], filtering, other()))


@pytest.mark.parametrize("name", list(CASCADE))
def test_a_stage_names_columns_of_its_own(name):
    judging = CASCADE[name]
    single = {name for name in (judging.passes, judging.passes_by) if name}
    named = {*judging.tallies, *judging.histograms, *single}
    assert named <= set(judging.columns.names)
    assert judging.passes is None or judging.columns.field(judging.passes).type == pa.bool_()
    assert set(judging.sections) <= set(vars(load_vocabulary()))
    assert judging.votes not in PREDICTIONS.names
    assert judging.load_verdict is None or judging.votes is not None


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.name)
def test_a_task_has_the_name_of_its_stage(stage):
    task = importlib.import_module(f"meteo_ray.{stage.name}.task")
    assert [
        value.name
        for value in vars(task).values()
        if isinstance(value, type) and value.__module__ == task.__name__ and issubclass(value, Task)
    ] == [stage.name]


def test_a_stage_that_judges_no_images_stays_out_of_the_cascade():
    forecaster = replace(GATE, name="forecaster", judging=None)
    assert list(cascade_of((forecaster, *STAGES))) == list(CASCADE)
    assert stage_named("gate") is GATE
