"""Which image formats are taken, and how others are recognised, so that a refusal can name what the file is."""

# Pillow's plugin names. Left out on purpose: formats that run programs or scripts (EPS, WMF), that unpack archives
# (FITS, ICNS), and those in which nobody publishes charts: every further parser is a further way in.
ACCEPTED = ("PNG", "JPEG", "GIF", "WEBP", "TIFF", "BMP")

_ACCEPTED_MAGIC = (
    b"\x89PNG\r\n\x1a\n",
    b"\xff\xd8\xff",
    b"GIF87a",
    b"GIF89a",
    b"II*\x00",
    b"MM\x00*",
    b"II+\x00",  # BigTIFF
    b"MM\x00+",
    b"BM",
)

# First bytes -> what a person calls the file. Data formats of the trade stand here too: they lie beside charts.
_FOREIGN_MAGIC = {
    b"%!PS": "EPS",
    b"\xc5\xd0\xd3\xc6": "EPS",
    b"%PDF": "PDF",
    b"SIMPLE  =": "FITS",
    b"8BPS": "PSD",
    b"\x00\x00\x00\x0cjP  ": "JPEG 2000",
    b"\xff\x4f\xff\x51": "JPEG 2000",
    b"\x00\x00\x01\x00": "ICO",
    b"\xd7\xcd\xc6\x9a": "WMF",
    b"icns": "ICNS",
    b"GRIB": "GRIB",
    b"BUFR": "BUFR",
    b"CDF\x01": "NetCDF",
    b"CDF\x02": "NetCDF",
    b"\x89HDF\r\n\x1a\n": "HDF5",
    b"PK\x03\x04": "ZIP",
    b"\x1f\x8b": "gzip",
    b"<svg": "SVG",
    b"<?xml": "XML",
}


def looks_accepted(data: bytes) -> bool:
    """Whether the first bytes are those of a format in `ACCEPTED`."""
    return data.startswith(_ACCEPTED_MAGIC) or (data[:4] == b"RIFF" and data[8:12] == b"WEBP")


def foreign_format(data: bytes) -> str | None:
    """The name of a known format that is not taken, or None."""
    if data[4:8] == b"ftyp":  # ISO media files: AVIF, HEIF, MP4
        return data[8:12].decode("ascii", "replace").strip().upper()
    return next((name for magic, name in _FOREIGN_MAGIC.items() if data.startswith(magic)), None)
