import io
import struct
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pillow_heif
import pytest
from birds import images
from birds.errors import ImageError
from birds.fingerprints import perceptual_hashes
from birds.looks import look_at
from birds.reasons import Reason
from birds.split.capture import capture_of
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops, ImageOps, ImageStat

Make = Callable[..., Image.Image]
Jpeg = Callable[..., bytes]


def _saved(image: Image.Image, image_format: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, image_format, **options)
    return buffer.getvalue()


def _mean_difference(a: Image.Image, b: Image.Image) -> float:
    """Mean absolute difference of two RGB images in grey levels of 255."""
    assert a.size == b.size
    return sum(ImageStat.Stat(ImageChops.difference(a, b)).mean) / 3


def _reason(data: bytes, **options: int) -> Reason:
    with pytest.raises(ImageError) as caught:
        images.decode(data, **options)
    return caught.value.reason


def _bits_apart(a: int, b: int) -> int:
    return (a ^ b).bit_count()


@pytest.mark.parametrize("image_format", images.FORMATS)
def test_a_picture_is_what_its_content_says(make_picture: Make, tmp_path: Path, image_format: str) -> None:
    picture = make_picture(1)
    path = tmp_path / "misnamed.txt"
    path.write_bytes(_saved(picture, image_format))
    decoded = images.decode(path.read_bytes())
    assert (decoded.format, decoded.width, decoded.height) == (image_format, 160, 120)
    assert decoded.image.mode == "RGB"
    opened = images.open_rgb(path)
    colours = 30 if image_format == "GIF" else 8  # a GIF has 256 of them
    assert _mean_difference(opened, picture) < colours


@pytest.mark.parametrize("image_format", ["ICO", "PPM", "TGA", "PCX"])
def test_other_formats_are_not_taken(make_picture: Make, image_format: str) -> None:
    assert _reason(_saved(make_picture(1), image_format)) is Reason.NOT_AN_IMAGE


@pytest.mark.parametrize(
    "data",
    [b"", b"\xff\xd8\xff", b"<!doctype html><title>404</title>", b"<svg xmlns='http://www.w3.org/2000/svg'/>",
     b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", b"%!PS-Adobe-3.0 EPSF-3.0\n", bytes(1000)],
)  # fmt: skip
def test_pages_and_texts_are_no_pictures(data: bytes) -> None:
    assert _reason(data) is Reason.NOT_AN_IMAGE


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"])
def test_a_truncated_picture_is_unreadable(make_picture: Make, image_format: str) -> None:
    data = _saved(make_picture(2), image_format)
    assert _reason(data[: len(data) // 2]) is Reason.UNREADABLE


@given(st.binary(max_size=60), st.integers(0, 2000), st.sampled_from(images.FORMATS))
@settings(deadline=None, max_examples=150)
@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
def test_damaged_files_have_a_reason_and_raise_nothing_else(junk: bytes, at: int, image_format: str) -> None:
    data = _saved(Image.linear_gradient("L").resize((70, 70)).convert("RGB"), image_format)
    at %= len(data)
    damaged = data[:at] + junk + data[at + len(junk) :]
    content = look_at(damaged)[0]
    assert content.sha256 == images.sha256(damaged)
    assert (content.phash is None) == (content.unreadable is not None)


def _png(width: int, height: int) -> bytes:
    """The head of a PNG of this size, with hardly any pixels behind it."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(999))) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("size", [(10_000, 5_001), (30_000, 30_000), (2**31 - 1, 2**31 - 1), (65_501, 1)])
def test_a_bomb_is_refused_before_its_pixels_are_decoded(size: tuple[int, int]) -> None:
    assert _reason(_png(*size)) is Reason.TOO_MANY_PIXELS


def test_the_limit_of_pixels_can_be_set(make_picture: Make) -> None:
    data = _saved(make_picture(1), "PNG")
    assert images.decode(data, max_pixels=160 * 120).width == 160
    assert _reason(data, max_pixels=160 * 120 - 1) is Reason.TOO_MANY_PIXELS


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_stand_upright_whatever_their_exif_says(make_picture: Make, jpeg: Jpeg, orientation: int) -> None:
    upright = make_picture(3)
    turned = {
        1: upright,
        2: upright.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
        3: upright.transpose(Image.Transpose.ROTATE_180),
        4: upright.transpose(Image.Transpose.FLIP_TOP_BOTTOM),
        5: upright.transpose(Image.Transpose.TRANSPOSE),
        6: upright.transpose(Image.Transpose.ROTATE_90),
        7: upright.transpose(Image.Transpose.TRANSVERSE),
        8: upright.transpose(Image.Transpose.ROTATE_270),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = jpeg(turned, exif=exif)
    decoded = images.decode(data)
    assert (decoded.width, decoded.height) == (160, 120)
    assert _mean_difference(decoded.image, upright) < 4
    assert decoded.is_plain_jpeg == (orientation == 1)
    stored = images.decode(images.as_jpeg(decoded, data))
    assert stored.is_plain_jpeg  # nothing is left to turn a second time
    assert _mean_difference(stored.image, upright) < 5


@pytest.mark.parametrize("image_format", ["TIFF", "PNG", "WEBP"])
def test_other_formats_stand_upright_too(make_picture: Make, image_format: str) -> None:
    upright = make_picture(3)
    exif = Image.Exif()
    exif[0x0112] = 6
    data = _saved(upright.transpose(Image.Transpose.ROTATE_90), image_format, exif=exif)
    for options in ({}, {"least_side": 32}):
        decoded = images.decode(data, **options)
        assert (decoded.width, decoded.height) == (160, 120)
        assert _mean_difference(decoded.image, upright) < 5


@pytest.mark.parametrize("progressive", [False, True])
def test_a_plain_jpeg_may_come_reduced_and_says_its_own_size(
    make_picture: Make, jpeg: Jpeg, *, progressive: bool
) -> None:
    picture = make_picture(3, (1600, 1200))
    data = jpeg(picture, progressive=progressive)
    decoded = images.decode(data, least_side=256)
    assert (decoded.width, decoded.height) == (1600, 1200)
    assert decoded.image.size == (400, 300)
    assert _mean_difference(decoded.image, picture.resize((400, 300))) < 4
    assert images.as_jpeg(decoded, data) == data
    for cut in (len(data) // 3, len(data) - 400):  # every byte counts all the same
        with pytest.raises(ImageError) as refused:
            images.decode(data[:cut], least_side=256)
        assert refused.value.reason is Reason.UNREADABLE


def test_what_has_to_be_encoded_again_is_never_reduced(make_picture: Make, jpeg: Jpeg) -> None:
    exif = Image.Exif()
    exif[0x0112] = 3
    turned, grey = jpeg(make_picture(3, (1600, 1200)), exif=exif), jpeg(make_picture(3, (1600, 1200)).convert("L"))
    for data in (turned, grey, _saved(make_picture(3, (1600, 1200)), "PNG")):
        assert images.decode(data, least_side=256).image.size == (1600, 1200)


@pytest.mark.parametrize("orientation", [0, 9, 65_535])
def test_an_impossible_orientation_turns_nothing(make_picture: Make, jpeg: Jpeg, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    assert images.decode(jpeg(make_picture(3), exif=exif)).width == 160


@pytest.mark.parametrize(
    ("mode", "image_format"),
    [("CMYK", "JPEG"), ("CMYK", "TIFF"), ("L", "JPEG"), ("L", "PNG"), ("P", "PNG"), ("P", "GIF"), ("RGBA", "PNG"),
     ("LA", "PNG"),
     ("RGBA", "WEBP"), ("1", "PNG"), ("YCbCr", "JPEG"), ("LAB", "TIFF")],
)  # fmt: skip
def test_every_mode_becomes_rgb(make_picture: Make, mode: str, image_format: str) -> None:
    picture = make_picture(4)
    if mode == "LAB":
        from PIL import ImageCms

        transform = ImageCms.buildTransform(ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB")
        source = ImageCms.applyTransform(picture, transform)
    else:
        source = picture.convert(mode)
    decoded = images.decode(_saved(source, image_format))
    assert decoded.image.mode == "RGB"
    grey = decoded.image.convert("L").convert("RGB")
    # all but the black and white one keep the picture's shades
    assert _mean_difference(grey, picture.convert("L").convert("RGB")) < (128 if mode == "1" else 30)


@pytest.mark.parametrize(
    ("mode", "image_format"), [("I;16", "PNG"), ("I;16", "TIFF"), ("I;16B", "TIFF"), ("I", "TIFF")]
)
def test_sixteen_bits_are_scaled_not_cut(mode: str, image_format: str) -> None:
    ramp = np.tile(np.linspace(0, 65_535, 256, dtype=np.uint16), (64, 1))
    kind = {"I;16": "<u2", "I;16B": ">u2", "I": "<i4"}[mode]
    source = Image.frombytes(mode, (256, 64), ramp.astype(kind).tobytes())
    decoded = np.asarray(images.decode(_saved(source, image_format)).image)
    assert np.abs(decoded[0, :, 0].astype(int) - np.arange(256)).max() <= 1


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparent_parts_are_white(mode: str) -> None:
    if mode == "P":
        source, options = Image.new("P", (80, 80), 0), {"transparency": 0}
        source.putpalette([200, 0, 0] * 256)
    else:
        source, options = Image.new(mode, (80, 80), (200, 0) if mode == "LA" else (200, 0, 0, 0)), {}
    assert images.decode(_saved(source, "PNG", **options)).image.getpixel((40, 40)) == (255, 255, 255)


def test_of_an_animation_the_first_frame_counts(make_picture: Make) -> None:
    first, second = make_picture(5), make_picture(6)
    data = _saved(first, "WEBP", save_all=True, append_images=[second], lossless=True)
    assert _mean_difference(images.decode(data).image, first) < 1


def test_a_plain_jpeg_is_stored_byte_for_byte(make_picture: Make, jpeg: Jpeg) -> None:
    data = jpeg(make_picture(1), comment=b"kept")
    decoded = images.decode(data)
    assert decoded.is_plain_jpeg
    assert images.as_jpeg(decoded, data) is data


@pytest.mark.parametrize(("mode", "image_format"), [("RGB", "PNG"), ("L", "JPEG"), ("CMYK", "JPEG"), ("RGBA", "WEBP")])
def test_all_else_is_stored_as_a_plain_jpeg(make_picture: Make, mode: str, image_format: str) -> None:
    data = _saved(make_picture(1).convert(mode), image_format)
    decoded = images.decode(data)
    assert not decoded.is_plain_jpeg
    stored = images.decode(images.as_jpeg(decoded, data))
    assert stored.is_plain_jpeg
    assert _mean_difference(stored.image, decoded.image) < 4


def test_a_comment_longer_than_a_jpeg_can_hold_is_dropped(make_picture: Make) -> None:
    data = _saved(make_picture(1), "GIF", comment=b"x" * 100_000)
    assert images.decode(images.as_jpeg(images.decode(data), data)).is_plain_jpeg


def test_what_is_known_of_a_picture(make_picture: Make) -> None:
    data = _saved(make_picture(7), "PNG")
    content = look_at(data)[0]
    assert (content.sha256, content.bytes, content.format) == (images.sha256(data), len(data), "PNG")
    assert (content.width, content.height, content.unreadable) == (160, 120, None)
    assert (content.phash, content.mirror_phash) == perceptual_hashes(make_picture(7))
    broken = look_at(data[:200])[0]
    assert (broken.unreadable, broken.phash, broken.bytes) == (Reason.UNREADABLE, None, 200)


@given(st.integers(0, 10_000), st.floats(0.4, 2.5), st.integers(60, 95))
@settings(deadline=None, max_examples=40)
def test_resized_and_recompressed_copies_are_within_eight_bits(
    make_picture: Make, jpeg: Jpeg, seed: int, scale: float, quality: int
) -> None:
    picture = make_picture(seed)
    copy = picture.resize((round(160 * scale), round(120 * scale)), Image.Resampling.LANCZOS)
    copy = images.decode(jpeg(copy, quality=quality)).image
    upright, mirrored = perceptual_hashes(picture)
    assert _bits_apart(upright, perceptual_hashes(copy)[0]) <= 8
    assert _bits_apart(mirrored, perceptual_hashes(ImageOps.mirror(copy))[0]) <= 8


@given(st.integers(0, 10_000), st.integers(0, 10_000))
@settings(deadline=None, max_examples=40)
def test_different_pictures_are_far_apart(make_picture: Make, one: int, other: int) -> None:
    if one != other:
        a, b = perceptual_hashes(make_picture(one)), perceptual_hashes(make_picture(other))
        assert min(_bits_apart(x, y) for x in a for y in b) > 8


def _library_hashes(picture: Image.Image) -> tuple[int, int]:
    import imagehash

    return int(str(imagehash.phash(picture)), 16), int(str(imagehash.phash(ImageOps.mirror(picture))), 16)


@pytest.mark.parametrize("size", [(32, 32), (160, 120), (255, 255), (64, 255)])
def test_hashes_are_those_of_the_library(make_picture: Make, size: tuple[int, int]) -> None:
    picture = make_picture(8, size)
    assert perceptual_hashes(picture) == _library_hashes(picture)


@given(st.integers(0, 10_000), st.integers(256, 1600), st.integers(256, 1200))
@settings(deadline=None, max_examples=25)
def test_hashes_of_large_pictures_are_within_four_bits_of_the_librarys(
    make_picture: Make, seed: int, width: int, height: int
) -> None:
    noise = Image.effect_noise((width, height), 60).convert("RGB")  # detail, which averaging and Lanczos treat apart
    picture = Image.blend(make_picture(seed, (width, height)), noise, 0.3)
    for ours, theirs in zip(perceptual_hashes(picture), _library_hashes(picture), strict=True):
        assert _bits_apart(ours, theirs) <= 4  # 2 of 1,500 such pictures had 4, 268 had 2


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
def test_hashes_of_real_photographs_are_within_two_bits_of_the_librarys(real_data: Path) -> None:
    photographs = sorted((real_data / "birds8").rglob("*.jpg"), key=lambda path: path.stat().st_size)[-100:]
    assert len(photographs) == 100
    apart = []
    for path in photographs:
        picture = images.open_rgb(path)
        apart += map(_bits_apart, perceptual_hashes(picture), _library_hashes(picture))
    assert max(apart) <= 2
    assert sum(bits > 0 for bits in apart) < len(apart) / 4


@pytest.mark.parametrize("resize", images.RESIZES)
@pytest.mark.parametrize("size", [(300, 200), (200, 300), (64, 64), (1000, 70)])
def test_prepared_pictures_are_square_and_uint8(make_picture: Make, resize: str, size: tuple[int, int]) -> None:
    prepared = images.prepare(make_picture(9, size), 112, resize)
    assert prepared.shape == (112, 112, 3)
    assert prepared.dtype == np.uint8


def test_squish_keeps_all_of_the_picture_trim_most_and_crop_its_middle() -> None:
    thirds = Image.new("RGB", (300, 100), "blue")
    thirds.paste("red", (0, 0, 100, 100))
    thirds.paste("lime", (200, 0, 300, 100))
    squished = images.prepare(thirds, 90, "squish")
    assert [tuple(squished[45, x]) for x in (5, 45, 85)] == [(255, 0, 0), (0, 0, 255), (0, 255, 0)]
    trimmed = images.prepare(thirds, 90, "trim")  # 83 to 216 of the width
    assert [tuple(trimmed[45, x]) for x in (5, 45, 85)] == [(255, 0, 0), (0, 0, 255), (0, 255, 0)]
    assert sum(tuple(pixel) == (255, 0, 0) for pixel in trimmed[45]) == pytest.approx(90 * 17 / 133, abs=1.5)
    cropped = images.prepare(thirds, 90, "crop")
    assert {tuple(cropped[45, x]) for x in (5, 45, 85)} == {(0, 0, 255)}


@pytest.mark.parametrize("size", [(400, 300), (300, 400), (100, 90)])
def test_nothing_is_trimmed_up_to_four_to_three(make_picture: Make, size: tuple[int, int]) -> None:
    picture = make_picture(5, size)
    np.testing.assert_array_equal(images.prepare(picture, 64, "trim"), images.prepare(picture, 64, "squish"))


def test_crop_takes_seven_eighths_of_the_shorter_side() -> None:
    framed = Image.new("RGB", (256, 256), "red")
    framed.paste("blue", (16, 16, 240, 240))
    prepared = images.prepare(framed, 224, "crop")
    assert (prepared == (0, 0, 255)).all()


@pytest.mark.parametrize("size", [(20_000, 1), (1, 20_000), (9_000, 3)])
def test_a_very_long_picture_is_cropped_without_growing(size: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, int]] = []
    resize = Image.Image.resize

    def watched(image: Image.Image, to: tuple[int, int], *rest: object) -> Image.Image:
        asked.append(to)
        return resize(image, to, *rest)

    monkeypatch.setattr(Image.Image, "resize", watched)
    prepared = images.prepare(Image.new("RGB", size, (1, 2, 3)), 224, "crop")
    assert prepared.shape == (224, 224, 3)
    assert {tuple(pixel) for pixel in prepared.reshape(-1, 3)} == {(1, 2, 3)}
    assert max(asked[0]) <= 8 * 256


def test_prepare_names_the_ways_it_knows(make_picture: Make) -> None:
    with pytest.raises(ValueError, match="squish"):
        images.prepare(make_picture(1), 64, "stretch")


def test_a_file_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    (tmp_path / "page.jpg").write_bytes(b"<html>")
    for name, reason in {"page.jpg": Reason.NOT_AN_IMAGE, "missing.jpg": Reason.UNREADABLE}.items():
        with pytest.raises(ImageError, match=name) as caught:
            images.open_rgb(tmp_path / name)
        assert caught.value.reason is reason


# -- HEIC, by the extra `heif`


def _heic(image: Image.Image, **options: object) -> bytes:
    buffer = io.BytesIO()
    pillow_heif.from_pillow(image).save(buffer, quality=90, **options)
    return buffer.getvalue()


def _with_brands(major: bytes, *compatible: bytes) -> bytes:
    """The first box of a file of these brands, and nothing to decode behind it."""
    brands = major + bytes(4) + b"".join(compatible)
    return struct.pack(">I", 8 + len(brands)) + b"ftyp" + brands + bytes(64)


def test_a_heic_picture_is_decoded_like_the_rest(make_picture: Make) -> None:
    picture = make_picture(1)
    data = _heic(picture)
    decoded = images.decode(data)
    assert (decoded.format, decoded.width, decoded.height, decoded.image.mode) == ("HEIF", 160, 120, "RGB")
    assert _mean_difference(decoded.image, picture) < 8
    assert not decoded.is_plain_jpeg
    assert images.decode(images.as_jpeg(decoded, data)).is_plain_jpeg
    assert look_at(data)[0].format == "HEIF"
    assert images.pixels(data) == 160 * 120


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_a_heic_picture_stands_upright(make_picture: Make, orientation: int) -> None:
    picture = make_picture(3)
    turned = {1: 0, 3: 180, 6: 90, 8: 270}[orientation]  # degrees against the clock, as it lies in the file
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = _heic(picture.rotate(turned, expand=True), exif=exif.tobytes())
    decoded = images.decode(data)
    assert (decoded.width, decoded.height) == (160, 120)
    assert _mean_difference(decoded.image, picture) < 8


def test_transparent_parts_of_a_heic_are_white() -> None:
    assert images.decode(_heic(Image.new("RGBA", (80, 80), (200, 0, 0, 0)))).image.getpixel((40, 40)) >= (250, 250, 250)


@pytest.mark.parametrize("brand", [b"heic", b"heix", b"heif", b"hevc", b"mif1", b"msf1"])
def test_without_the_extra_a_heic_is_refused_with_what_to_install(
    make_picture: Make, monkeypatch: pytest.MonkeyPatch, brand: bytes
) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)  # as if it were not installed
    data = _heic(make_picture(1))
    for file in (data, data[:8] + brand + data[12:], _with_brands(brand, b"miaf")):
        with pytest.raises(ImageError, match=r'pip install "birds\[heif\]"') as caught:
            images.decode(file)
        assert caught.value.reason is Reason.NEEDS_HEIF
        assert look_at(file)[0].unreadable is Reason.NEEDS_HEIF
        assert images.pixels(file) == 0


@pytest.mark.parametrize("has_extra", [True, False])
def test_an_avif_is_an_avif_with_or_without_the_extra(
    make_picture: Make, monkeypatch: pytest.MonkeyPatch, has_extra: bool
) -> None:
    if not has_extra:
        monkeypatch.setitem(sys.modules, "pillow_heif", None)
    data = _saved(make_picture(1), "AVIF")
    assert b"mif1" in data[:40]
    assert images.decode(data).format == "AVIF"
    with_general_brand_first = data[:8] + b"mif1" + data[12:]
    assert images.decode(with_general_brand_first).format == "AVIF"


@pytest.mark.parametrize("brands", [(b"isom", b"mp42"), (b"qt  ",), (b"crx ", b"isom"), (b"jp2 ",)])
def test_other_files_of_that_container_are_no_pictures(brands: tuple[bytes, ...]) -> None:
    assert _reason(_with_brands(*brands)) is Reason.NOT_AN_IMAGE


@given(st.binary(max_size=60), st.integers(0, 5000))
@settings(deadline=None, max_examples=100)
def test_a_damaged_heic_has_a_reason_and_raises_nothing_else(junk: bytes, at: int) -> None:
    data = _heic(Image.linear_gradient("L").resize((70, 70)).convert("RGB"))
    at %= len(data)
    for damaged in (data[:at], data[:at] + junk + data[at + len(junk) :]):
        content = look_at(damaged)[0]
        assert (content.phash is None) == (content.unreadable is not None)


def test_a_truncated_heic_is_unreadable(make_picture: Make) -> None:
    data = _heic(make_picture(2))
    assert _reason(data[: len(data) // 2]) is Reason.UNREADABLE


@pytest.mark.parametrize("size", [(10_000, 5_001), (2**31 - 1, 2**31 - 1), (65_501, 1)])
def test_a_heic_that_claims_too_many_pixels_is_refused(make_picture: Make, size: tuple[int, int]) -> None:
    assert _reason(_claiming(_heic(make_picture(1)), size)) is Reason.TOO_MANY_PIXELS


def test_a_heic_with_more_pixels_than_it_claims_is_not_decoded(make_picture: Make) -> None:
    data = _claiming(_heic(make_picture(1, (600, 400))), (64, 64))
    assert images.pixels(data) == 64 * 64
    assert _reason(data) is Reason.UNREADABLE


def _claiming(heic: bytes, size: tuple[int, int]) -> bytes:
    """`heic` with another size in its header (box ``ispe``: length, name, flags, width, height)."""
    at = heic.index(b"ispe") + 8
    return heic[:at] + struct.pack(">II", *size) + heic[at + 8 :]


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
def test_hostile_files_have_a_reason_or_become_a_plain_jpeg(real_data: Path) -> None:
    decoded = 0
    for path in sorted((real_data / "hostile").iterdir()):
        data = path.read_bytes()
        content = look_at(data)[0]
        if content.unreadable:
            assert content.phash is None, path.name
            continue
        stored = images.as_jpeg(images.decode(data), data)
        assert images.decode(stored).is_plain_jpeg, path.name
        decoded += 1
    assert decoded >= 30


def test_what_is_encoded_anew_keeps_camera_and_time_and_no_position(make_picture: Make, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[images.MAKE], exif[images.MODEL], exif[0x0112] = "Canon", "R6", 6  # turned by a quarter: it is encoded anew
    exif[0x8769] = {images.TAKEN: "2026:05:01 10:00:00", images.SERIAL: "77", 0x9286: b"a comment"}
    exif[0x8825] = {1: "N", 2: (37.0, 10.0, 0.0)}  # the nest's position
    data = _saved(make_picture(3), "JPEG", exif=exif)
    stored = images.as_jpeg(images.decode(data), data)
    kept, details = images.exif_of(stored)
    assert {**kept, 0x8769: details} == {
        images.MAKE: "Canon",
        images.MODEL: "R6",
        0x8769: {images.TAKEN: "2026:05:01 10:00:00", images.SERIAL: "77"},
    }
    (tmp_path / "a.jpg").write_bytes(stored)
    (tmp_path / "b.jpg").write_bytes(data)
    assert capture_of(tmp_path / "a.jpg") == capture_of(tmp_path / "b.jpg") is not None


def _with_scans(n: int, comment: bytes = b"") -> bytes:
    """A progressive JPEG of so many scans more than its own, `comment` before them."""
    buffer = io.BytesIO()
    Image.new("L", (64, 64), 128).save(buffer, "JPEG", progressive=True)
    data = buffer.getvalue()
    scan = data[data.rindex(b"\xff\xda") : -2]
    said = b"\xff\xfe" + (len(comment) + 2).to_bytes(2) + comment if comment else b""
    return data[:-2] + said + scan * n + data[-2:]


def test_a_jpeg_that_would_be_decoded_over_and_over_is_refused() -> None:
    assert images.decode(_with_scans(20)).format == "JPEG"
    for comment in (b"", b"\xff\xd9"):  # no end, whatever a comment looks like
        with pytest.raises(ImageError, match="scans") as refused:
            images.decode(_with_scans(200, comment))
        assert refused.value.reason is Reason.UNREADABLE


def test_what_follows_a_jpeg_counts_for_nothing() -> None:
    assert images.decode(_with_scans(1) + b"\xff\xda\x00\x02" * 200).format == "JPEG"
