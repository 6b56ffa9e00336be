"""What strangers' bytes become: an upright RGB image of frame 0, or a failure that names its reason."""

import resource
import struct
import warnings
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from meteo_ray import schema
from meteo_ray.imaging.decode import Decoded, DecodeFailure, DecodeLimits, decode
from tests.imaging.files import chart, difference, encoded, noisy, png, png_chunk, with_orientation

MAGIC = (b"\x89PNG\r\n\x1a\n", b"GIF89a", b"II*\x00", b"BM", b"\xff\xd8\xff")


def failure(data: bytes) -> DecodeFailure:
    with pytest.raises(DecodeFailure) as caught:
        decode(data)
    assert caught.value.status in (schema.REJECTED, schema.ERROR)
    return caught.value


def outcome(data: bytes) -> tuple[str, str]:
    return failure(data).status, failure(data).reason


@pytest.mark.parametrize("codec", ["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP"])
def test_every_accepted_format_gives_the_same_picture(codec):
    options = {"quality": 95} if codec in ("JPEG", "WEBP") else {}
    decoded = decode(encoded(chart(), codec, **options))
    assert (decoded.format, decoded.width, decoded.height, decoded.n_frames) == (codec, 200, 150, 1)
    assert decoded.image.mode == "RGB"
    assert difference(decoded.image, chart()) < 4


def test_no_bytes_are_empty():
    assert outcome(b"") == ("error", "empty")


def test_text_is_unidentified():
    assert outcome(b"time,wind\n2024-05-01,12\n" * 20) == ("error", "unidentified")


@pytest.mark.parametrize("codec", ["PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF"])
@pytest.mark.parametrize("share", [0.15, 0.5, 0.9])
def test_a_cut_file_is_truncated_however_much_is_left(codec, share):
    options = {"compression": "tiff_lzw"} if codec == "TIFF" else {}
    data = encoded(noisy((120, 90)), codec, **options)
    assert outcome(data[: int(len(data) * share)]) == ("error", "truncated")


def test_a_flipped_bit_inside_a_png_is_damage():
    data = bytearray(encoded(noisy((120, 90)), "PNG"))
    data[len(data) // 2] ^= 0x10
    assert outcome(bytes(data)) == ("error", "truncated")


@pytest.mark.parametrize("side", [10_000, 14_000, 65_536])
def test_a_header_with_too_many_pixels_is_rejected_without_a_warning_or_memory(side):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert outcome(png((side, side))) == ("rejected", "too_large")
    grown_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown_kib < 50_000  # the pixels of the smallest of them would take 400 MB


def test_more_bytes_than_taken_are_rejected():
    with pytest.raises(DecodeFailure, match="rejected/too_large"):
        decode(encoded(chart(), "BMP"), DecodeLimits(max_bytes=1000))


@pytest.mark.parametrize(
    ("magic", "name"),
    [
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n", "EPS"),
        (b"%PDF-1.7\n", "PDF"),
        (b"SIMPLE  =                    T", "FITS"),
        (b"8BPS\x00\x01", "PSD"),
        (b"\x00\x00\x00\x20ftypavif", "AVIF"),
        (b"GRIB\x00\x00\x00\x02", "GRIB"),
        (b"\x89HDF\r\n\x1a\n", "HDF5"),
    ],
)
def test_known_foreign_formats_are_rejected_by_name(magic, name):
    found = failure(magic + bytes(600))
    assert (found.status, found.reason) == ("rejected", "format")
    assert name in found.detail


def test_formats_that_pillow_could_open_are_still_rejected():
    assert outcome(encoded(chart(), "EPS")) == ("rejected", "format")
    assert outcome(encoded(chart(), "JPEG2000")) == ("rejected", "format")
    assert outcome(encoded(chart(), "PDF")) == ("rejected", "format")


def test_an_animation_gives_frame_0_and_its_frame_count():
    frames = [chart(paper=colour) for colour in ("white", "black", "red")]
    for codec in ("GIF", "WEBP", "PNG"):
        lossless = {"lossless": True} if codec == "WEBP" else {}
        decoded = decode(encoded(frames[0], codec, save_all=True, append_images=frames[1:], **lossless))
        assert decoded.n_frames == 3
        assert difference(decoded.image, frames[0]) < 4, codec


def test_a_multi_page_tiff_gives_page_0():
    decoded = decode(encoded(chart(), "TIFF", save_all=True, append_images=[noisy((64, 64))]))
    assert decoded.n_frames == 2
    assert difference(decoded.image, chart()) == 0


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("codec", ["PNG", "TIFF", "WEBP"])
def test_exif_orientation_is_applied_once(orientation, codec):
    turns = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_270,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_90,
    }
    upright = chart().transpose(turns[orientation]) if orientation > 1 else chart()
    options = {"lossless": True} if codec == "WEBP" else {}
    image = decode(with_orientation(chart(), orientation, codec, **options)).image
    assert image.size == upright.size
    assert difference(image, upright) == 0


def test_a_turned_jpeg_reports_its_stored_size():
    decoded = decode(with_orientation(chart((200, 150)), 6))
    assert (decoded.width, decoded.height) == (200, 150)
    assert decoded.image.size == (150, 200)


def test_damaged_exif_does_not_cost_the_chart():
    data = encoded(chart(), "JPEG", exif=b"Exif\x00\x00II*\x00\xff\xff\xff\x7f" + bytes(40), quality=95)
    assert difference(decode(data).image, chart()) < 4


def test_too_small_and_too_long_images_are_rejected():
    assert outcome(encoded(Image.new("RGB", (1, 1)), "PNG")) == ("rejected", "too_small")
    assert outcome(encoded(Image.new("RGB", (1, 20_000)), "PNG")) == ("rejected", "too_small")
    assert outcome(encoded(Image.new("RGB", (20, 4000)), "PNG")) == ("rejected", "aspect")


def test_metadata_bombs_are_errors():
    bomb = zlib.compress(bytes(50_000_000))
    for chunk in (
        png_chunk(b"zTXt", b"comment\0\0" + bomb),
        png_chunk(b"iTXt", b"comment\0\1\0\0\0" + bomb),
        png_chunk(b"iCCP", b"profile\0\0" + bomb),
        b"".join(png_chunk(b"zTXt", b"c\0\0" + zlib.compress(bytes(1_000_000))) for _ in range(70)),
    ):
        assert outcome(png((64, 64), chunk)) == ("error", "metadata")


def test_a_metadata_bomb_behind_the_pixels_is_found_too():
    data = encoded(chart(), "PNG")
    bomb = png_chunk(b"zTXt", b"comment\0\0" + zlib.compress(bytes(50_000_000)))
    assert outcome(data[:-12] + bomb + data[-12:]) == ("error", "metadata")


def test_a_reduced_jpeg_stays_above_the_asked_size_and_looks_the_same():
    image = chart((1600, 1200), margin=100)
    data = encoded(image, "JPEG", quality=90)
    reduced = decode(data, smallest_size=(320, 240))
    assert reduced.image.size == (400, 300)
    assert (reduced.width, reduced.height) == (1600, 1200)
    assert difference(reduced.image, decode(data).image.resize((400, 300), Image.Resampling.BOX)) < 2


def test_failures_survive_pickling():
    import pickle

    found = pickle.loads(pickle.dumps(failure(b"")))
    assert (found.status, found.reason, str(found)) == ("error", "empty", "error/empty: the file has no bytes")


def _accept(data: bytes) -> None:
    try:
        decoded = decode(data)
    except DecodeFailure:
        return
    assert isinstance(decoded, Decoded)
    assert decoded.image.mode == "RGB"
    assert np.asarray(decoded.image).ndim == 3


@given(
    st.binary(max_size=400), st.sampled_from([b"", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"II*\x00", b"BM", b"\xff\xd8\xff"])
)
@settings(max_examples=150, deadline=None)
def test_any_bytes_are_decoded_or_refused(data, magic):
    _accept(magic + data)


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_any_damage_to_a_real_file_is_decoded_or_refused(data):
    codec = data.draw(st.sampled_from(sorted(WHOLE)))
    whole = bytearray(WHOLE[codec])
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(whole)))
    _accept(bytes(whole) if data.draw(st.booleans()) else bytes(whole[:cut]))


WHOLE = {
    "palette PNG": encoded(chart((40, 30), 4).quantize(8), "PNG", transparency=0),
    "16-bit PNG": png((32, 32), depth=16, rows=b"".join(b"\0" + bytes(192) for _ in range(32))),
    "transparent 16-bit PNG": png(
        (32, 32),
        png_chunk(b"tRNS", struct.pack(">HHH", 60_000, 60_000, 60_000)),
        b"".join(b"\0" + b"\xea\x60" * 96 for _ in range(32)),
        depth=16,
    ),
    "JPEG": with_orientation(chart((40, 30), 4), 6),
    "CMYK JPEG": encoded(chart((40, 30), 4).convert("CMYK"), "JPEG"),
    "GIF": encoded(chart((40, 30), 4), "GIF", save_all=True, append_images=[chart((40, 30), 8)]),
    "TIFF": encoded(chart((40, 30), 4), "TIFF", compression="tiff_lzw"),
    "deep TIFF": encoded(Image.fromarray(np.linspace(0, 1, 1200, dtype=np.float32).reshape(30, 40)), "TIFF"),
    "BMP": encoded(chart((40, 30), 4), "BMP"),
    "WEBP": encoded(chart((40, 30), 4), "WEBP"),
}


@pytest.mark.parametrize("name", sorted(WHOLE))
def test_the_undamaged_files_are_decoded(name):
    assert decode(WHOLE[name]).image.mode == "RGB"
