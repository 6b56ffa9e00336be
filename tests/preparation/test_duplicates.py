"""Equal and nearly equal images find each other; charts on the same map do not (R3, R4)."""

import io
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from meteo_ray.imaging.fit import fit
from meteo_ray.preparation.duplicates import HASH_BITS, MAX_DISTANCE, duplicate_groups, near_pairs, perceptual_hash
from tests.preparation.folder import picture


def distance(first: str, second: str) -> int:
    return (int(first, 16) ^ int(second, 16)).bit_count()


def hash_of(image: Image.Image) -> str:
    return perceptual_hash(fit(image))


def saved_as_jpeg(image: Image.Image, quality: int) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return Image.open(buffer).convert("RGB")


@pytest.mark.parametrize("seed", range(5))
def test_a_picture_saved_again_or_resized_stays_near(seed: int) -> None:
    original = picture(seed).resize((800, 600), Image.Resampling.BICUBIC)
    for copy in (saved_as_jpeg(original, 60), original.resize((400, 300), Image.Resampling.LANCZOS)):
        assert distance(hash_of(original), hash_of(copy)) <= MAX_DISTANCE


def test_different_pictures_are_far_apart() -> None:
    hashes = [hash_of(picture(seed)) for seed in range(12)]
    assert min(distance(a, b) for a, b in combinations(hashes, 2)) > 2 * MAX_DISTANCE


def test_two_fields_on_one_map_are_no_duplicates() -> None:
    def chart(seed: int) -> Image.Image:
        field = Image.fromarray(np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8))
        image = field.resize((640, 480), Image.Resampling.BICUBIC)
        draw = ImageDraw.Draw(image)
        outline = np.random.default_rng(99).integers(40, 440, (40, 2))
        draw.line([tuple(point) for point in outline.tolist()], fill="black", width=2)
        return image

    assert distance(hash_of(chart(1)), hash_of(chart(2))) > MAX_DISTANCE


@settings(max_examples=60)
@given(st.integers(0, 2**32 - 1), st.integers(0, 40), st.integers(0, 12), st.sampled_from([16, 64, 144]))
def test_near_pairs_are_those_that_comparing_all_pairs_finds(seed: int, rows: int, limit: int, bits: int) -> None:
    rng = np.random.default_rng(seed)
    centres = rng.integers(0, 2, (4, bits), dtype=np.uint8)
    table = centres[rng.integers(0, 4, rows)] ^ (rng.random((rows, bits)) < 0.05).astype(np.uint8)
    expected = [(i, j) for i, j in combinations(range(rows), 2) if (table[i] != table[j]).sum() <= limit]
    found = {tuple(pair) for pairs in near_pairs(table, limit) for pair in pairs.tolist()}
    assert sorted(found) == expected


def test_near_pairs_of_many_equal_rows_are_all_found() -> None:
    for pairs in near_pairs(np.zeros((600, 32), dtype=np.uint8), 3):
        assert len(np.unique(pairs, axis=0)) == 600 * 599 // 2


def as_hash(bits: set[int]) -> str:
    return f"{sum(1 << bit for bit in bits):0{HASH_BITS // 4}x}"


def test_groups_follow_chains_and_are_numbered_by_appearance() -> None:
    step = MAX_DISTANCE
    chain = [as_hash(set(range(count * step))) for count in range(3)]  # first and last are too far apart on their own
    far = as_hash(set(range(100, 256)))
    hashes = [far, chain[2], chain[0], far, chain[1]]
    groups = duplicate_groups(["a", "b", "c", "d", "e"], hashes)
    assert groups.dtype == np.int32
    assert groups.tolist() == [0, 1, 1, 0, 1]


def test_equal_bytes_join_whatever_the_hash_says() -> None:
    far = as_hash(set(range(200)))
    assert duplicate_groups(["a", "a", "b"], [as_hash(set()), far, as_hash({1, 7})]).tolist() == [0, 0, 0]
    assert duplicate_groups([], []).tolist() == []


@given(st.permutations(range(8)))
def test_grouping_does_not_depend_on_the_order(order: list[int]) -> None:
    hashes = [as_hash(set(range(60 * (n // 2)))) if n < 6 else as_hash(set(range(180, 240 + n))) for n in range(8)]
    sums = [str(n % 7) for n in range(8)]
    straight = duplicate_groups(sums, hashes)
    assert straight.tolist() == [0, 0, 1, 1, 2, 2, 0, 0]
    shuffled = duplicate_groups([sums[n] for n in order], [hashes[n] for n in order])
    for first, second in combinations(range(8), 2):
        together = straight[first] == straight[second]
        assert together == (shuffled[order.index(first)] == shuffled[order.index(second)])
