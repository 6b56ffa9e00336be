"""Scenes with a subject: animals, still lifes, streets, rooms, lights, rows of round things, roofs from the air."""

from dataclasses import replace

import numpy as np
from scipy import ndimage

from meteo_ray.drawing.lookalikes.leaves import (
    Bodies,
    Shape,
    blurred,
    coloured,
    mix,
    natural_colours,
    nearer_below,
    noise,
    painted_bodies,
    placed,
    resized,
    scattered,
    warped_noise,
)
from meteo_ray.drawing.lookalikes.scenes import Scene, landscape, litter, material, sky, sky_over_roofs


def _small(scene: Scene, rng: np.random.Generator, shape: Shape) -> np.ndarray:
    """A scene drawn at half size and enlarged: enough where it stays blurred or dark."""
    return resized(scene(rng, (shape[0] // 2, shape[1] // 2)), shape)


def backdrop(rng: np.random.Generator, shape: Shape) -> np.ndarray:
    """Another scene, out of focus, or a studio's plain wall."""
    if rng.random() < 0.2:
        wall = np.full(3, rng.uniform(0.75, 1.0)) if rng.random() < 0.5 else natural_colours(rng, 1)[0]
        return coloured(noise(rng, shape, 2.2), wall, 0.05, rng)
    chosen: Scene = (litter, landscape, litter, material)[int(rng.integers(4))]
    return blurred(_small(chosen, rng, shape), shape[0] * rng.uniform(0.004, 0.04))


def portrait(rng: np.random.Generator, shape: Shape) -> np.ndarray:
    """One living thing or machine in focus: trunk, limbs, head, ears, dark eyes or wheels, before a soft ground."""
    height, width = shape
    size = height * rng.uniform(0.14, 0.42)
    head = rng.uniform(0.3, 0.7) * width, rng.uniform(0.3, 0.6) * height
    coat, second = natural_colours(rng, 2, 0.15)
    dark, bright = np.full(3, 0.05), natural_colours(rng, 1, 0.5)[0]
    lean, apart = rng.normal(0, 0.8), rng.uniform(0.3, 0.5)
    up, ear = rng.uniform(0.5, 1.0), rng.uniform(0.2, 0.5)
    # Place from the head's centre, radius (both in heads), colour; back to front.
    parts = [
        (lean, 1.9, 1.5, coat), (lean + 0.6, 2.4, 0.7, second), (lean - 0.7, 2.5, 0.7, coat), (-up, -0.9, ear, coat),
        (up, -0.9, ear, coat), (0, 0, 1, coat), (0.1, 0.35, 0.6, second), (-apart, -0.15, 0.2, bright),
        (apart, -0.15, 0.2, bright), (-apart, -0.15, 0.12, dark), (apart, -0.15, 0.12, dark), (0, 0.4, 0.14, dark),
    ]  # fmt: skip
    marks = [(*rng.normal(0, 0.4, 2), rng.uniform(0.05, 0.4), (coat, second)[i % 2]) for i in range(7)]
    parts = [part for part in parts[:6] + marks[: int(rng.integers(8))] + parts[6:] if rng.random() < 0.9]
    offsets = np.array([part[:2] for part in parts]) * size
    count = len(parts)
    bodies = Bodies(
        np.array(head) + offsets, np.array([part[2] for part in parts]) * size, np.exp(rng.normal(0, 0.2, count)),
        rng.normal(0, 0.3, count), np.exp(rng.normal(0.75, 0.25, count)), np.full(count, rng.uniform(0.05, 0.4)),
        np.array([part[3] for part in parts]),
    )  # fmt: skip
    figure, cover = painted_bodies(bodies, rng, shape, 0.15, 0.35)
    fur = warped_noise(rng, shape, 0.9, size * 0.2, rng.uniform(1, 8))
    figure = figure * np.exp(rng.uniform(0.05, 0.3) * fur)[..., None]
    return placed(backdrop(rng, shape), (figure, cover), rng.uniform(0.6, 2.0))


def vehicle(rng: np.random.Generator, shape: Shape) -> np.ndarray:
    """A car or lorry on a road or field: body, cabin, windows, wheels, lamps."""
    height, width = shape
    size = height * rng.uniform(0.1, 0.3)
    paint, dark = natural_colours(rng, 1, 0.5)[0], np.full(3, 0.06)
    glass = natural_colours(rng, 1, 0.0)[0] * 0.6
    cabin, tall, long = rng.uniform(-0.7, 0.7), rng.uniform(0.5, 1.0), rng.uniform(1.2, 2.0)
    # Place and radius in sizes, width by height, form, colour.
    parts = [
        (0, 0.85, 1.0, 9.0, 2.0, dark * 0.8), (cabin, -tall, 0.75, 1.6, 4.0, paint), (0, 0, 1.0, 3.0, 6.0, paint),
        (cabin - 0.4, -tall, 0.35, 1.2, 5.0, glass), (cabin + 0.4, -tall, 0.35, 1.2, 5.0, glass),
        (0, 0.1, 0.3, 20.0, 30.0, paint * 0.6), (-long * 0.6, 0.5, 0.45, 1.0, 2.0, dark),
        (long * 0.6, 0.5, 0.45, 1.0, 2.0, dark), (-long * 0.6, 0.5, 0.2, 1.0, 2.0, np.full(3, 0.6)),
        (long * 0.6, 0.5, 0.2, 1.0, 2.0, np.full(3, 0.6)), (long * 0.8, -0.1, 0.13, 1.0, 2.0, np.full(3, 0.95)),
    ]  # fmt: skip
    values = np.array([part[:5] for part in parts])
    centre = np.array([rng.uniform(0.35, 0.65) * width, rng.uniform(0.5, 0.75) * height])
    bodies = Bodies(
        centre + values[:, :2] * size, values[:, 2] * size, values[:, 3], np.full(len(parts), rng.normal(0, 0.05)),
        values[:, 4], np.full(len(parts), 0.03), np.array([part[5] for part in parts]),
    )  # fmt: skip
    ground = (street, landscape)[int(rng.integers(2))](rng, shape)
    return placed(blurred(ground, rng.uniform(0.5, 2.5)), painted_bodies(bodies, rng, shape, 0.08, 0.4))


def still_life(rng: np.random.Generator, shape: Shape) -> np.ndarray:
    """Boxes, fruit and cups on a table or on white, with soft shadows; also one sole product."""
    height, width = shape
    table = height * rng.uniform(0.2, 0.6)
    wood = coloured(warped_noise(rng, shape, 1.2, 8, 8.0), natural_colours(rng, 1, 0.0)[0], 0.2, rng)
    picture = mix(backdrop(rng, shape), wood, np.clip(np.arange(height) - table, 0, 1)[:, None] * np.ones((1, width)))
    if rng.random() < 0.3:
        picture = np.full((*shape, 3), rng.uniform(0.85, 1.0), np.float32)
    count = int(rng.choice([1, 2, 3, 5, 9, 20]))
    size = height * 0.32 / np.sqrt(count)
    radii = size * np.exp(rng.normal(0, 0.35, count))
    places = rng.uniform((0.15 * width, table), (0.85 * width, 0.85 * height), (count, 2))
    order = np.argsort(places[:, 1])
    bodies = Bodies(
        places[order], radii, np.exp(rng.normal(0, 0.5, count)), rng.normal(0, 0.12, count),
        rng.choice([2.0, 2.2, 5.0, 30.0], count), np.full(count, rng.choice([0.0, 0.02, 0.2])),
        natural_colours(rng, count, 0.3),
    )  # fmt: skip
    things, cover = painted_bodies(bodies, rng, shape, rng.uniform(0.03, 0.2), 0.4)
    shadow = ndimage.gaussian_filter(np.roll(cover, (round(size * 0.2), round(size * 0.2)), (0, 1)), size * 0.25)
    picture = picture * (1 - 0.55 * shadow)[..., None]
    if rng.random() < 0.6:
        marks = scattered(rng, shape, 40, (2.0, size * 0.25))
        things = np.where(cover[..., None] > 0, placed(things, painted_bodies(marks, rng, shape, 0.05, 0.1)), things)
    return placed(picture, (things, cover))


def street(rng: np.random.Generator, shape: Shape) -> np.ndarray:
    """House fronts with windows on both sides of a road that runs to the horizon, cars or people on it."""
    height, width = shape
    rows, columns = np.indices(shape, dtype=np.float32)
    horizon, vanish = height * rng.uniform(0.4, 0.65), width * rng.uniform(0.3, 0.7)
    picture = sky(rng, shape)
    # A front at the road's side has the depth 1 / |distance from the vanishing point|.
    aside = np.maximum(np.abs(columns - vanish), 4) / width
    depth, level = 1 / aside, (horizon - rows) / height / aside
    house = np.floor(depth * rng.uniform(0.6, 1.6) + 40 * (columns > vanish)).astype(int) % 97
    walls = natural_colours(rng, 97, 0.04)[house] * np.exp(0.12 * noise(rng, shape, 1.1))[..., None]
    windows = (np.sin(depth * rng.uniform(4, 14)) > 0.2) & (np.sin(level * rng.uniform(8, 30)) > 0.1) & (depth < 12)
    walls = np.where(windows[..., None], walls * 0.2 + 0.1 * picture, walls)
    picture = np.where((level < rng.uniform(0.4, 3.0, 97)[house])[..., None], walls, picture)
    floor = coloured(noise(rng, shape, 0.9, 0.3), np.full(3, rng.uniform(0.25, 0.6)), 0.12, rng)
    line = np.abs((columns - vanish) / np.maximum(rows - horizon, 1)) < 0.04
    floor[line & (np.sin(height * 6 / np.maximum(rows - horizon, 1)) > 0)] *= 1.6
    picture = mix(picture, floor, np.clip((rows - horizon) - height * 0.35 * aside, 0, 1))
    crowd = scattered(rng, shape, int(rng.integers(0, 40)) + 1, (0.03 * height, 0.15 * height))
    count = len(crowd.radii)
    people = replace(crowd, aspects=rng.choice([0.25, 0.35, 0.45, 2.0], count), angles=rng.normal(0, 0.08, count))
    return placed(picture, painted_bodies(nearer_below(people, horizon, height), rng, shape, 0.2))


def shelves(rng: np.random.Generator, shape: Shape) -> np.ndarray:
    """A room's wall with shelves full of books and boxes, a floor before it, something near out of focus."""
    height, width = shape
    picture = coloured(noise(rng, shape, 1.8), natural_colours(rng, 1)[0], 0.15, rng)
    boards = int(rng.integers(2, 7))
    pitch = height / boards
    for board in range(boards):
        count = int(rng.integers(3, 45))
        thick = width / count
        x = (np.arange(count) + rng.normal(0.5, 0.1, count)) * thick
        tall = pitch * rng.uniform(0.4, 0.9, count)
        kept = rng.random(count) < 0.9
        places = np.stack([x, (board + 0.95) * pitch - tall / 2], 1)[kept]
        radii = np.sqrt(tall * thick)[kept] / 2
        bodies = Bodies(places, radii, (thick / tall)[kept], rng.normal(0, 0.03, kept.sum()), np.full(kept.sum(), 30.0),
                        np.zeros(kept.sum()), natural_colours(rng, int(kept.sum()), 0.2))  # fmt: skip
        picture = placed(picture, painted_bodies(bodies, rng, shape, 0.1, 0.15), 0.4)
        picture[int((board + 0.95) * pitch) : int((board + 1) * pitch)] *= 0.6
    # The wall stands aslant: one side is farther away and darker.
    rows, columns = np.indices(shape, dtype=np.float32)
    tilt = rng.normal(0, 0.25)
    seen = height / 2 + (rows - height / 2) * (1 + tilt * (columns / width - 0.5))
    slanted = np.stack([ndimage.map_coordinates(picture[..., c], [seen, columns], order=1) for c in range(3)], -1)
    return slanted * (1 + tilt * (0.5 - columns / width))[..., None]


def night(rng: np.random.Generator, shape: Shape) -> np.ndarray:
    """Lamps and windows in the dark, sharp with haloes or far out of focus."""
    height, width = shape
    dark = _small(landscape, rng, shape) * rng.uniform(0.02, 0.25) * np.array([0.8, 0.9, 1.1])
    count = int(rng.integers(4, 80))
    places = np.stack([rng.uniform(0, width, count), rng.normal(0.55, 0.15, count) * height], 1)
    radii = height * rng.choice([0.006, 0.01, 0.05]) * np.exp(rng.normal(0, 0.4, count))
    warm = np.array([1.0, 0.8, 0.5]) * np.exp(rng.normal(-0.3, [0.4, 0.4, 0.6], (count, 3)))
    lamps, cover = painted_bodies(Bodies.alike(places, radii, warm), rng, shape, 0.05, 0.0)
    glow = lamps * cover[..., None]
    return dark + glow + sum(blurred(glow, height * far) * rng.uniform(0.2, 1.2) for far in (0.02, 0.07))


def rounds(rng: np.random.Generator, shape: Shape) -> np.ndarray:
    """Coins, seeds or cells, in rows or strewn, on an even ground; some glow in one colour as under a microscope."""
    height, width = shape
    pitch = height / rng.integers(2, 12)
    y, x = (axis.ravel() for axis in np.mgrid[pitch / 2 : height : pitch, pitch / 2 : width : pitch])
    count = len(x)
    places = np.stack([x, y], 1) + rng.normal(0, pitch * rng.choice([0.03, 0.4]), (count, 2))
    radii = pitch * 0.42 * np.exp(rng.normal(-0.1, 0.15, count))
    pair = natural_colours(rng, 2)
    colours = pair[0] * np.exp(rng.normal(0, 0.2, (count, 1)))
    bodies = Bodies.alike(places, radii, colours, np.exp(rng.normal(0, 0.1)), 2.0, rng.choice([0.0, 0.1, 0.3]))
    front, cover = painted_bodies(bodies, rng, shape, rng.uniform(0.1, 0.5), 0.3)
    cores = Bodies.alike(places, radii * rng.uniform(0.3, 0.8), pair[1] * np.ones((count, 1)), 1.1, 2.0, 0.3)
    front = mix(front, placed(front, painted_bodies(cores, rng, shape, 0.4)), np.full(shape, rng.uniform(0.3, 0.9)))
    ground = coloured(noise(rng, shape, 1.6), np.full(3, rng.choice([0.06, 0.15, 0.8])), 0.2, rng)
    picture = placed(ground, (front, cover), rng.uniform(0.5, 2.0))
    if rng.random() < 0.4:
        glow = np.array([(0.2, 1.0, 0.3), (0.25, 0.35, 1.0), (1.0, 0.25, 0.3)])[int(rng.integers(3))]
        picture = picture.mean(axis=2, keepdims=True) * cover[..., None] * glow * 1.8
    return picture


def roofs(rng: np.random.Generator, shape: Shape) -> np.ndarray:
    """A town from the air: roofs in rows, trees between them, roads aslant."""
    height, width = shape
    rows, columns = np.indices(shape, dtype=np.float32)
    turn, pitch = rng.uniform(0, np.pi), height * rng.uniform(0.06, 0.2)
    along, across = columns * np.cos(turn) + rows * np.sin(turn), rows * np.cos(turn) - columns * np.sin(turn)
    bend = 0.6 * noise(rng, shape, 2.4)
    ground = coloured(noise(rng, shape, 1.0), natural_colours(rng, 1, 0.0)[0], 0.4, rng)
    road = (np.abs(np.sin(across / pitch * 1.05 + bend)) < 0.14) | (np.abs(np.sin(along / pitch * 0.3)) < 0.05)
    picture = mix(ground, natural_colours(rng, 1, 0.0)[0] * 0.5 + 0.3, road.astype(np.float32))
    count = int(width * height / pitch**2)
    trees = scattered(rng, shape, count * 2, (pitch * 0.08, pitch * 0.3))
    picture = placed(picture, painted_bodies(trees, rng, shape, 0.35))
    houses = scattered(rng, shape, count, (pitch * 0.2, pitch * 0.35))
    free = ~road[tuple(houses.places.astype(int).T[::-1])]
    boxes = Bodies(houses.places[free], houses.radii[free], houses.aspects[free],
                   turn + rng.choice([0, np.pi / 2], int(free.sum())), np.full(int(free.sum()), 30.0),
                   np.zeros(int(free.sum())), houses.colours[free])  # fmt: skip
    return placed(picture, painted_bodies(boxes, rng, shape, 0.12, 0.2))


SCENES: tuple[Scene, ...] = (
    portrait, portrait, vehicle, litter, landscape, still_life, street, shelves, sky_over_roofs, material, night, roofs,
)  # fmt: skip


def any_scene(rng: np.random.Generator, shape: Shape) -> np.ndarray:
    return SCENES[int(rng.integers(len(SCENES)))](rng, shape)
