"""The registered stages fit together, and one that judges no images stays out of the cascade."""

from dataclasses import replace

import pyarrow as pa
import pytest

from meteo_ray.gate.stage import GATE
from meteo_ray.schema import FILE, MADE_BY
from meteo_ray.stages import CASCADE, PREDICTIONS, STAGES, cascade_of, stage_named
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
    "model_version": "string",
    "schema_version": "int32",
}


def test_the_predictions_have_the_public_columns():
    found = {field.name: str(field.type) for field in PREDICTIONS}
    assert {name: found.get(name) for name in COLUMNS} == COLUMNS
    assert [name for name in found if name in COLUMNS] == list(COLUMNS)


@pytest.mark.parametrize("name", list(CASCADE))
def test_a_stage_comes_after_what_it_needs(name):
    earlier = dict(list(CASCADE.items())[: list(CASCADE).index(name)])
    judging = CASCADE[name]
    assert set(judging.needs) <= set(earlier)
    answered = {column for needed in judging.needs for column in earlier[needed].columns.names}
    assert set(judging.reads) <= answered
    # Stages that share pixels run before those with pixels of their own, whatever their order in the list.
    assert judging.own_pixels or not any(CASCADE[needed].own_pixels for needed in judging.needs)


@pytest.mark.parametrize("name", list(CASCADE))
def test_a_stage_names_columns_of_its_own(name):
    judging = CASCADE[name]
    assert not set(judging.columns.names) & {*FILE.names, *MADE_BY.names}
    named = {*judging.tallies, *judging.histograms, *([judging.passes] if judging.passes else [])}
    assert named <= set(judging.columns.names)
    assert judging.passes is None or judging.columns.field(judging.passes).type == pa.bool_()
    assert set(judging.names) <= set(vars(load_vocabulary()))


def test_a_stage_that_judges_no_images_stays_out_of_the_cascade():
    forecaster = replace(GATE, name="forecaster", judging=None)
    assert list(cascade_of((forecaster, *STAGES))) == list(CASCADE)
    assert stage_named("gate") is GATE
