"""How far text is believed: by what voters say of pages whose source they have not seen."""

import numpy as np
import pyarrow as pa
import pytest
from sklearn.metrics import roc_auc_score

from meteo_ray.errors import UsageError
from meteo_ray.vocabulary import load_vocabulary
from meteo_ray.voters.held_out_text import HELD_OUT, HeldOutText, image_numbers, source_numbers
from meteo_ray.voters.text_voter import Page, TextVoter

VOCABULARY = load_vocabulary()


def pages_of_offices(offices: int, each: int) -> tuple[list[Page], np.ndarray, np.ndarray]:
    """Every office calls its charts by a word of its own, and other images by another."""
    sources = np.repeat(np.arange(offices), each)
    targets = np.tile(np.arange(each) % 2 == 0, offices)
    words = [
        f"{'chart' if yes else 'photo'}{chr(97 + source) * 6}" for source, yes in zip(sources, targets, strict=True)
    ]
    return [Page(word, word) for word in words], targets[:, None], sources


def test_words_of_known_offices_are_not_taken_for_knowledge_of_others():
    """Each office marks its charts by a word that no other uses: known by heart, foreign to whoever has not seen it."""
    sources = np.repeat(np.arange(6), 20)
    targets = (np.arange(120) % 2 == 0)[:, None]
    words = [chr(97 + source + 6 * int(yes)) * 6 for source, yes in zip(sources, targets[:, 0], strict=True)]
    pages = [Page(word, word) for word in words]
    found = HeldOutText.fit(pages, targets, np.ones(120), sources, VOCABULARY)
    assert roc_auc_score(targets[:, 0], found.voter.votes(pages, VOCABULARY)["words"][:, 0]) == 1
    assert np.abs(found.votes["words"]).max() < 0.5


def test_what_all_offices_write_alike_is_known_of_unseen_ones():
    pages, targets, sources = pages_of_offices(5, 12)
    found = HeldOutText.fit(pages, targets, np.ones(60), sources, VOCABULARY)
    assert roc_auc_score(targets[:, 0], found.votes["words"][:, 0]) == 1
    np.testing.assert_array_equal(found.targets, targets)


def test_pages_beside_them_are_learnt_from_in_every_fold_and_not_asked():
    pages, targets, sources = pages_of_offices(3, 8)
    beside = [Page("rain", "rain"), Page("cats", "cats")]
    truth = np.concatenate([targets, [[True], [False]]])
    found = HeldOutText.fit([*pages, *beside], truth, np.ones(26), sources, VOCABULARY)
    assert len(found.targets) == len(found.votes["words"]) == 24
    assert found.voter.votes(beside, VOCABULARY)["words"].shape == (2, 1)


def test_a_chart_that_another_source_has_copied_is_not_known_from_there():
    """Words that stand nowhere else, and answers by chance: there is nothing to be known of them but by heart."""
    rng = np.random.default_rng(0)
    words = ["".join(chr(97 + letter) for letter in rng.integers(0, 26, 12)) for _ in range(40)]
    pages = [Page(word, word) for word in words] * 2
    targets = np.tile(rng.random(40) < 0.5, 2)[:, None]
    sources, images = np.repeat([0, 1], 40), np.tile(np.arange(40), 2)
    images[40:60] += 100  # the other half has been copied
    found = HeldOutText.fit(pages, targets, np.ones(80), sources, VOCABULARY, images)
    told = found.votes["words"][:, 0]
    assert roc_auc_score(targets[:20, 0], told[:20]) == 1
    assert abs(roc_auc_score(targets[20:40, 0], told[20:40]) - 0.5) < 0.3


def test_a_page_that_lies_copied_in_the_auxiliary_folder_is_not_known_from_there():
    """Words that stand nowhere else, and answers by chance, once more: the copies come with the pages beside."""
    rng = np.random.default_rng(0)
    words = ["".join(chr(97 + letter) for letter in rng.integers(0, 26, 12)) for _ in range(40)]
    pages, targets = [Page(word, word) for word in words], (rng.random(40) < 0.5)[:, None]
    sources, both = np.repeat([0, 1], 20), np.concatenate([targets, targets])
    copies = np.tile(np.arange(40), 2)
    told, leaked = (
        HeldOutText.fit([*pages, *pages], both, np.ones(80), sources, VOCABULARY, images).votes["words"][:, 0]
        for images in (copies, None)
    )
    assert roc_auc_score(targets[:, 0], leaked) == 1
    assert abs(roc_auc_score(targets[:, 0], told) - 0.5) < 0.3


def test_images_of_two_folders_that_are_nearly_equal_have_one_number():
    near = "f" * 63 + "0"
    rows = pa.table({"sha256": ["a" * 64, "b" * 64, "c" * 64, "a" * 64, "d" * 64],
                     "perceptual_hash": ["f" * 64, "0" * 64, near, "f" * 64, None]})  # fmt: skip
    first, other, copy, same, unknown = image_numbers(rows)
    assert first == copy == same
    assert len({first, other, unknown}) == 3


@pytest.mark.parametrize("copied", [True, False])
def test_what_nothing_foreign_could_teach_is_not_asked(copied):
    """All pages of one source are copied in the other; or one source has charts alone, the other photographs."""
    targets = (np.arange(12) % 2 if copied else np.arange(12) < 6).astype(bool)[:, None]
    pages, sources, images = [Page("rain", "rain")] * 12, np.repeat([0, 1], 6), np.arange(12) % 6
    found = HeldOutText.fit(pages, targets, np.ones(12), sources, VOCABULARY, images if copied else None)
    assert all(len(found.votes[name]) == len(found.targets) == 0 for name in TextVoter.VOTES)


def test_pages_of_one_answer_alone_teach_how_common_it_is():
    votes = TextVoter.fit([Page("rain", "rain")] * 9, np.ones((9, 1)), np.ones(9), VOCABULARY)
    assert votes.votes([Page("rain", "")], VOCABULARY)["names"] == pytest.approx(np.log(9.5 / 0.5))


def test_one_source_alone_tells_nothing_of_others():
    pages, targets, sources = pages_of_offices(1, 8)
    found = HeldOutText.fit(pages, targets, np.ones(8), sources, VOCABULARY)
    assert all(len(found.votes[name]) == 0 for name in TextVoter.VOTES)
    assert found.targets.shape == (0, 1)


@pytest.mark.parametrize(("sources", "numbers"), [(["a", "b", "a"], [0, 1, 0]), ([None] * 3, [4, 4, 9])])
def test_near_equal_images_stand_for_sources_where_these_are_not_told(sources, numbers):
    rows = pa.table({"source": pa.array(sources, pa.string()), "duplicate_group": [4, 4, 9]})
    np.testing.assert_array_equal(source_numbers(rows), numbers)


def test_what_was_fitted_is_read_back_and_damage_is_named(tmp_path):
    pages, targets, sources = pages_of_offices(3, 8)
    written = HeldOutText.fit(pages, targets, np.ones(24), sources, VOCABULARY)
    written.write(tmp_path)
    read = HeldOutText.read(tmp_path, written.voter)
    np.testing.assert_array_equal(read.targets, written.targets)
    for name, votes in written.votes.items():
        np.testing.assert_array_equal(read.votes[name], votes)
    (tmp_path / HELD_OUT).write_bytes(b"cut")
    with pytest.raises(UsageError, match="cannot be read"):
        HeldOutText.read(tmp_path, written.voter)
