"""What the element stage tells the loop, and that loop and stage together learn."""

import numpy as np
import pyarrow as pa
import pytest
import torch
import torch._dynamo.utils
from scipy.stats import chisquare

from meteo_ray.config import parse_config
from meteo_ray.elements.class_weights import class_weights
from meteo_ray.elements.config import TrainElementsJob
from meteo_ray.elements.loss import PADDING, asymmetric_loss
from meteo_ray.elements.repeat_factors import repeat_factors
from meteo_ray.elements.targets import collate
from meteo_ray.elements.task import ElementsTask
from meteo_ray.errors import UsageError
from meteo_ray.schema import INDEX, TEST, TRAIN, VALIDATION
from meteo_ray.streaming.sampling import group_by_length, weighted_order
from meteo_ray.training.config import LoopSettings
from meteo_ray.training.loop import TrainingRun
from meteo_ray.training.task import Progress
from tests.elements.conftest import SMALL, as_batch, colour_vocabulary, index_row
from tests.training.line_task import FolderHost

END = 4


def make_task(colours, **changes) -> ElementsTask:
    task = ElementsTask(SMALL.model_copy(update=changes), colours.data, colour_vocabulary(), seed=3, batch_size=6)
    task.rows(colours.index, TRAIN)
    return task


def prepared(task: ElementsTask, colours, epoch: int = 0, split: str = TRAIN):
    return task.prepare(split, epoch)(as_batch(task.rows(colours.index, split)))


def test_it_trains_on_charts_whose_elements_are_known(colours):
    rows = [
        index_row(colours.data, "a.png", TRAIN, ["wind"]),
        index_row(colours.data, "b.png", TRAIN, []),
        index_row(colours.data, "c.png", TRAIN, None),
        index_row(colours.data, "d.png", TRAIN, [], is_meteo=False),
        index_row(colours.data, "e.png", TRAIN, ["rain"], is_meteo=None),
        index_row(colours.data, "f.png", VALIDATION, ["rain"]),
    ]
    index = pa.Table.from_pylist(rows, schema=INDEX)
    task = ElementsTask(SMALL, colours.data, colour_vocabulary())
    assert task.rows(index, TRAIN)["path"].to_pylist() == ["a.png", "b.png"]
    assert task.rows(index, VALIDATION)["path"].to_pylist() == ["f.png"]
    assert task.counts.tolist() == [1, 0, 0, 0]
    with pytest.raises(UsageError, match="the test split has no weather chart"):
        task.rows(index, TEST)


def test_what_is_compiled_is_compiled_once_whatever_the_lengths(colours):
    """The whole network would be compiled for each length, and given up after eight. torch's own tracer counts."""
    model = make_task(colours).build()
    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()
    for part in make_task(colours).compiled_parts(model):
        part.compile(backend="eager", dynamic=True)
    for rows, steps in [(6, 2), (6, 3), (4, 4), (6, 5)]:
        images = torch.zeros(rows, 240, 320, 3, dtype=torch.uint8)
        logits, sequence_logits = model(images, torch.zeros(rows, steps, dtype=torch.int64))
        (logits.sum() + sequence_logits.sum()).backward()
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] == 1


def test_an_element_outside_the_vocabulary_is_refused(colours):
    rows = [index_row(colours.data, "a.png", TRAIN, ["hail"])]
    with pytest.raises(UsageError, match=r"'hail'.*prepare_data"):
        ElementsTask(SMALL, colours.data, colour_vocabulary()).rows(pa.Table.from_pylist(rows, schema=INDEX), TRAIN)


def test_an_epoch_draws_every_row_once_in_batches_of_like_length(colours):
    task = make_task(colours)
    rows = task.rows(colours.index, TRAIN)
    first, again, other = (task.order(rows, epoch, None) for epoch in (0, 0, 1))
    assert sorted(first) == list(range(18))
    assert first.tolist() == again.tolist() != other.tolist()
    lengths = np.array([len(names) for names in rows["elements"].to_pylist()])
    spread = [np.ptp(lengths[first[start : start + 6]]) for start in range(0, 18, 6)]
    assert sum(spread) <= 3  # lengths 0 to 3, three batches: at most the steps between them


def test_rows_with_rare_elements_are_drawn_more_often(colours):
    task = make_task(colours, rare_share=2 / 3)
    rows = task.rows(colours.index, TRAIN)
    # Of 18 rows wind is on 12, pressure and rain on 6 each, snow on 3.
    factor = {"wind": 1, "pressure": 2**0.5, "rain": 2**0.5, "snow": 2}
    factors = np.array([max([factor[name] for name in names], default=1) for names in rows["elements"].to_pylist()])
    orders = [task.order(rows, epoch, None) for epoch in range(600)]
    assert all(len(order) == 18 for order in orders)
    drawn = np.bincount(np.concatenate(orders), minlength=18)
    assert chisquare(drawn, drawn.sum() * factors / factors.sum()).pvalue > 1e-6
    np.testing.assert_array_equal(orders[7], task.order(rows, 7, None))


def test_where_nothing_is_rare_the_order_is_as_ever(colours):
    plain, careful = make_task(colours), make_task(colours, rare_share=1 / 6)  # snow's share, the least
    rows = plain.rows(colours.index, TRAIN)
    for epoch in range(3):
        rng = np.random.default_rng([3, epoch])
        lengths = np.array([len(names) for names in rows["elements"].to_pylist()])
        expected = group_by_length(rng.permutation(18), lengths, 6, rng)
        for task in (plain, careful):
            np.testing.assert_array_equal(task.order(rows, epoch, None), expected)


def test_rarity_multiplies_the_rows_own_weights(colours):
    task = make_task(colours, rare_share=2 / 3, length_grouping=False)
    rows = task.rows(colours.index, TRAIN)
    weights = np.where(np.arange(18) < 6, 0.2, 1.0)
    rows = rows.set_column(rows.schema.get_field_index("weight"), "weight", pa.array(weights))
    shown = np.array([task.vocabulary.multi_hot(names) for names in rows["elements"].to_pylist()])
    expected = weighted_order(weights * repeat_factors(shown, weights, 2 / 3), 18, np.random.default_rng([3, 0]))
    np.testing.assert_array_equal(task.order(rows, 0, None), expected)


def test_targets_hold_the_labels_commonest_first(colours):
    batch = prepared(make_task(colours, shuffled_share=0.0), colours)
    by_hand = {  # wind 12 rows, pressure 6, rain 6, snow 3
        ("rain", "pressure", "wind"): [0, 1, 2, END],
        ("snow", "wind"): [0, 3, END],
        (): [END],
    }
    for row, names in enumerate(batch["elements"]):
        if tuple(names) in by_hand:
            expected = by_hand[tuple(names)]
            assert batch["sequence"][row].tolist() == expected + [PADDING] * (11 - len(expected))
        assert batch["targets"][row].sum() == len(names)
    assert batch["ok"].all()
    assert batch["image"].shape == (18, 240, 320, 3)


def test_a_share_of_the_sequences_is_shuffled_anew_in_every_epoch(colours):
    plain = prepared(make_task(colours, shuffled_share=0.0), colours)["sequence"]
    task = make_task(colours, shuffled_share=1.0)
    first, again, other = (prepared(task, colours, epoch)["sequence"] for epoch in (0, 0, 1))
    assert (first == again).all()
    assert (first != other).any()
    assert (np.sort(first) == np.sort(plain)).all()
    validation = prepared(task, colours, split=VALIDATION)
    assert (validation["sequence"][0] == [0, END] + [PADDING] * 9).all()


def test_long_label_lists_keep_the_commonest(colours):
    sequences = prepared(make_task(colours, max_labels=2, shuffled_share=0.0), colours)["sequence"]
    assert sequences.shape == (18, 3)
    assert sequences[2].tolist() == [0, 1, END]


def test_sequences_are_padded_to_the_longest_of_the_batch(colours):
    batch = prepared(make_task(colours, shuffled_share=0.0), colours)
    assert collate(batch)["sequences"].shape == (18, 4)
    short = {name: column[4:6] for name, column in batch.items()}
    tensors = collate(short)
    assert tensors["sequences"].tolist() == [[2, END], [END, PADDING]]
    assert tensors["image"].dtype == torch.uint8
    assert tensors["targets"].tolist() == [[0, 0, 1, 0], [0, 0, 0, 0]]


def test_phases_follow_the_plan(colours):
    task = make_task(colours, frozen_epochs=5, full_epochs=20, warmup_epochs=5.0, decoder_rate=5e-4)
    task.init = "imagenet"
    first, second = task.phases()
    assert (first.epochs, dict(first.learning_rates), first.warmup_epochs) == (5, {"decoder": 2e-3}, 1)
    assert dict(second.learning_rates) == {"encoder": 1e-4, "decoder": 5e-4}
    assert (second.epochs, second.warmup_epochs) == (20, 5)  # the encoder's first gradients
    task.init = "none"
    (only,) = task.phases()
    assert dict(only.learning_rates) == {"encoder": 5e-4, "decoder": 5e-4}
    assert only.warmup_epochs == 5


def test_groups_hold_every_parameter_once(colours):
    task = make_task(colours)
    model = task.build()
    grouped = [p for group in task.parameter_groups(model).values() for p in group.parameters()]
    assert {id(p) for p in grouped} == {id(p) for p in model.parameters()}
    assert len(grouped) == len({id(p) for p in grouped})


def test_loss_is_the_weighted_sum_of_its_parts(colours):
    task = make_task(colours, parallel_weight=1.5, sequence_weight=0.25)
    batch = task.collate(prepared(task, colours))
    torch.manual_seed(0)
    loss = task.loss(task.build(), batch, Progress(0, 0, 0.0))
    parts = {name: float(value) for name, value in loss.parts.items()}
    assert float(loss.total.detach()) == pytest.approx(
        1.5 * parts["parallel_loss"] + 0.25 * parts["sequence_loss"], rel=1e-5
    )
    assert float(loss.rows.mean()) == pytest.approx(float(loss.total.detach()), rel=1e-5)


def test_the_asymmetric_loss_can_be_chosen(colours):
    flags = ["--elements.parallel-loss", "asymmetric", "--elements.asymmetric-gammas", "1,3"]
    chosen = parse_config(TrainElementsJob, flags).elements
    assert chosen.asymmetric_gammas == (1.0, 3.0)
    task = make_task(colours, parallel_loss="asymmetric", asymmetric_gammas=(1.0, 3.0), asymmetric_margin=0.2)
    batch = task.collate(prepared(task, colours))
    torch.manual_seed(0)
    model = task.build().eval()
    logits = model(batch["image"], batch["sequences"])[0]
    weights = torch.from_numpy(class_weights(task.counts, SMALL.class_weight_limit))
    expected = asymmetric_loss(logits, batch["targets"], weights, (1.0, 3.0), 0.2).mean()
    torch.testing.assert_close(task.loss(model, batch, Progress(0, 0, 0.0)).parts["parallel_loss"], expected.detach())


def test_scheduled_sampling_is_drawn_anew_for_every_row_and_epoch(colours):
    task = make_task(colours)
    draws, again, later = (prepared(task, colours, epoch)["forcing_draw"] for epoch in (0, 0, 1))
    np.testing.assert_array_equal(draws, again)
    assert len(np.unique(np.concatenate([draws, later]))) == 2 * draws.size
    assert draws.min() >= 0
    assert draws.max() < 1


def test_labels_are_forced_less_and_less_however_the_batch_is_cut(colours):
    task = make_task(colours)
    batch = task.collate(prepared(task, colours))
    torch.manual_seed(0)
    model = task.build().eval()  # batch normalisation would know its neighbours
    at_start, at_end = (task.loss(model, batch, Progress(0, 0, fraction)).rows for fraction in (0.0, 0.99))
    assert (at_start != at_end).any()
    halves = [{name: tensor[rows] for name, tensor in batch.items()} for rows in (slice(9), slice(9, None))]
    apart = torch.cat([task.loss(model, half, Progress(0, 0, 0.99)).rows for half in halves])
    torch.testing.assert_close(apart, at_end)


def test_both_heads_learn_the_pictures_by_heart(trained):
    outputs = trained.outputs
    for scores in (1 / (1 + np.exp(-outputs["parallel"])), outputs["emitted"]):
        assert ((scores > 0.5) == (outputs["targets"] > 0)).mean() > 0.97
    assert trained.metrics["map"] == pytest.approx(1.0)
    assert trained.metrics["micro_f1"] == pytest.approx(1.0)


def test_the_loop_runs_the_stage_and_records_its_losses(colours, tmp_path):
    def stream(rows, prepare, batch_size):
        for start in range(0, rows.num_rows, batch_size):
            batch = as_batch(rows.slice(start, batch_size))
            yield prepare(batch | ({"row": batch["row"].astype(np.int64)} if "row" in batch else {}))

    task = make_task(colours, frozen_epochs=1)
    task.init = "none"
    settings = LoopSettings(batch_size=6, precision="fp32", torch_threads=1)
    host = FolderHost(tmp_path / "checkpoints")
    run = TrainingRun(task, colours.index, settings, tmp_path, host, stream, torch.device("cpu"))
    finished = run.fit()
    (entry,) = finished.history
    assert 0 < entry["train/sequence_loss"] < 5
    assert 0 < entry["train/parallel_loss"] < 5
    assert 0 <= entry["validation/map"] <= 1
    assert np.isfinite(run.row_loss).all()
    assert finished.outputs["emitted"].shape == (18, 4)
