"""Scores of candidates against the plain definition: one full forward pass of the library's own model per candidate."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from meteo_ray.products.base_model import GemmaBase
from meteo_ray.products.candidate_scoring import log_likelihoods, pack
from meteo_ray.products.constrained_decoding import constrained_beam
from meteo_ray.products.prompt import PromptEncoder
from meteo_ray.products.trie import build_trie
from meteo_ray.vocabulary import Vocabulary

ROWS = [
    (["wind"], ["24h_cn_2m_max_wind", "wind_rose", "200hpa_divergence"]),
    (
        [],
        ["24h_cn_max_temperature", "24h_cn_precipitation", "24h_cn_snowfall", "24h_cn_temperature_change", "wind_rose"],
    ),
    (["snow", "precipitation"], ["snow_depth"]),
]


@pytest.fixture(scope="module")
def question(base: GemmaBase, vocabulary: Vocabulary) -> tuple[list[list[int]], list[list[list[int]]], torch.Tensor]:
    encoder = PromptEncoder(base.processor, vocabulary)
    prompts = [encoder.encode_prompt(elements, products) for elements, products in ROWS]
    answers = [encoder.encode_answers(products) for _, products in ROWS]
    width, height = base.image_size
    images = np.random.default_rng(0).integers(0, 256, (len(ROWS), height, width, 3), dtype=np.uint8)
    return prompts, answers, torch.from_numpy(images)


def reference(
    model: torch.nn.Module, base: GemmaBase, prompt: list[int], answer: list[int], image: torch.Tensor
) -> float:
    """Prompt and answer as one unpadded sequence through the library's forward with its own masks, in float64."""
    ids = torch.tensor([prompt + answer])
    logits = model(
        input_ids=ids,
        attention_mask=torch.ones_like(ids),
        token_type_ids=(ids == base.image_token).long(),
        pixel_values=base.pixel_values(image[None]).double(),
    ).logits.log_softmax(-1)
    places = torch.arange(len(prompt) - 1, len(prompt) + len(answer) - 1)
    return float(logits[0, places, torch.tensor(answer)].sum())


@torch.no_grad()
@pytest.mark.parametrize("window", [512, 24], ids=["window beyond the sequence", "window within the sequence"])
def test_scores_equal_a_full_forward_pass_per_candidate(base, question, window: int) -> None:
    prompts, answers, images = question
    model = base.load_model()
    base = GemmaBase(base.folder, base.config.__class__.from_dict(base.config.to_dict()), base.processor)
    base.config.text_config.sliding_window = window
    for config in (model.config.text_config, model.model.language_model.config):
        config.sliding_window = window
    scores = log_likelihoods(model, {**pack(prompts, answers, base), "image": images}, base)
    model = model.double()
    for row, row_answers in enumerate(answers):
        for place, answer in enumerate(row_answers):
            expected = reference(model, base, prompts[row], answer, images[row])
            assert float(scores[row, place]) == pytest.approx(expected, abs=1e-4)


@torch.no_grad()
@pytest.mark.parametrize("chunk", [7, 8192])
def test_half_precision_weights_round_no_logit(base, question, chunk: int, monkeypatch) -> None:
    """Against float64 from the last hidden states on: a logit rounded to bfloat16 would be off by some 0.01."""
    monkeypatch.setattr("meteo_ray.products.candidate_scoring.VOCABULARY_CHUNK", chunk)
    prompts, answers, images = question
    model = base.load_model().bfloat16()
    kept = []
    model.model.register_forward_hook(lambda _, __, output: kept.append(output.last_hidden_state))
    scores = log_likelihoods(model, batch := {**pack(prompts, answers, base), "image": images}, base)
    hidden = kept[0][:, -int(batch["slots"][0, 0]) :]
    assert hidden.dtype == torch.bfloat16
    exact = (hidden.double() @ model.lm_head.weight.double().T).log_softmax(-1)
    for row, row_answers in enumerate(answers):
        for place in range(len(row_answers)):
            real = batch["step_real"][row, place]
            steps = exact[row, batch["step_slot"][row, place, real], batch["step_token"][row, place, real]]
            assert float(scores[row, place]) == pytest.approx(float(steps.sum()), abs=1e-4)


@torch.no_grad()
def test_a_row_scores_the_same_alone_and_among_others(base, question) -> None:
    prompts, answers, images = question
    model = base.load_model()
    together = log_likelihoods(model, {**pack(prompts, answers, base), "image": images}, base)
    for row in range(len(ROWS)):
        one = slice(row, row + 1)
        alone = log_likelihoods(model, {**pack(prompts[one], answers[one], base), "image": images[one]}, base)
        assert torch.allclose(alone[0], together[row, : alone.shape[1]], atol=1e-4)


@torch.no_grad()
def test_image_and_elements_change_the_scores(base, vocabulary, question) -> None:
    prompts, answers, images = question
    model = base.load_model()
    batch = pack(prompts[:1], answers[:1], base)
    scores = log_likelihoods(model, {**batch, "image": images[:1]}, base)
    other_image = log_likelihoods(model, {**batch, "image": 255 - images[:1]}, base)
    other_prompt = PromptEncoder(base.processor, vocabulary).encode_prompt(["snow"], ROWS[0][1])
    other_elements = log_likelihoods(model, {**pack([other_prompt], answers[:1], base), "image": images[:1]}, base)
    assert not torch.allclose(scores, other_image, atol=1e-4)
    assert not torch.allclose(scores, other_elements, atol=1e-4)


def test_a_wide_beam_agrees_with_the_scores(base, question) -> None:
    prompts, answers, images = question
    model = base.load_model()
    with torch.no_grad():
        scores = log_likelihoods(model, {**pack(prompts, answers, base), "image": images}, base)
    decoded = constrained_beam(model, base, images, prompts, answers, width=6)
    for row, found in enumerate(decoded):
        count = len(answers[row])
        assert found.answers == torch.argsort(scores[row, :count], descending=True).tolist()
        assert found.scores == pytest.approx(scores[row, found.answers].tolist(), abs=1e-3)


@pytest.mark.parametrize("width", [1, 3])
def test_a_narrow_beam_stays_within_the_candidates(base, question, width: int) -> None:
    prompts, answers, images = question
    for row, found in enumerate(constrained_beam(base.load_model(), base, images, prompts, answers, width=width)):
        assert 1 <= len(found.answers) <= width
        assert set(found.answers) <= set(range(len(answers[row])))
        assert found.scores == sorted(found.scores, reverse=True)


@given(st.lists(st.lists(st.integers(5, 8), max_size=5), min_size=1, max_size=6, unique_by=tuple))
def test_a_trie_spells_its_answers_and_shares_their_beginnings(bodies: list[list[int]]) -> None:
    answers = [[*body, 1] for body in bodies]
    trie = build_trie(answers)
    beginnings = {tuple(body[: end + 1]) for body in bodies for end in range(len(body))}
    assert len(trie.tokens) == len(beginnings)
    assert [[token for _, token in steps] for steps in trie.steps] == answers
    for answer, steps in zip(answers, trie.steps, strict=True):
        on_path = [slot - 1 for slot, _ in steps if slot]
        assert trie.tokens[on_path].tolist() == answer[:-1]
        for depth, node in enumerate(on_path):
            assert np.flatnonzero(trie.ancestors[node]).tolist() == sorted(on_path[: depth + 1])
            assert trie.depths[node] == depth + 1


def test_an_empty_answer_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one token"):
        build_trie([[1], []])
