import io
import logging
import os
import pickle

import numpy as np
import pytest
from PIL import Image

from broden import photographs
from broden.images import decode
from broden.photographs import Photographs
from dissection.activations.batches import batches
from dissection.networks.preprocessing import Preprocessing
from tests.broden.layout import jpeg


def encoded(form, seed=0, size=(9, 7), mode="RGB"):
    """Return an image in a file form, and its RGB pixels."""
    rng = np.random.default_rng(seed)
    image = Image.fromarray(rng.integers(0, 256, (*size, 3), np.uint8)).convert(mode)
    file = io.BytesIO()
    image.save(file, form, **({"lossless": True} if form == "WEBP" else {}))
    return file.getvalue(), np.asarray(image.convert("RGB"))


@pytest.fixture
def folder(tmp_path):
    """Return a folder with images in folders, and what else lies about."""
    root = tmp_path / "photos"
    (root / "b" / "deep").mkdir(parents=True)
    (root / ".hidden").mkdir()
    (root / "c.JPG").write_bytes(jpeg(1))
    (root / "b" / "deep" / "x.png").write_bytes(encoded("PNG", 2)[0])
    (root / "b" / "a.jpeg").write_bytes(jpeg(3))
    (root / "a").write_bytes(jpeg(4))
    (root / "wrong.png").write_bytes(jpeg(5))
    (root / "notes.txt").write_text("BM is no bitmap")
    (root / "empty").write_bytes(b"")
    (root / "._c.JPG").write_bytes(b"what macOS leaves")
    (root / ".hidden" / "z.jpg").write_bytes(jpeg(6))
    return root


NAMES = ["a", "b/a.jpeg", "b/deep/x.png", "c.JPG", "wrong.png"]


def test_images_are_found_by_content_and_sorted(folder):
    with Photographs(folder) as source:
        assert source.names == NAMES
        assert len(source) == 5
        assert source.name == "photos"
        assert source.jpegs(range(1, 4)) == [(folder / name).read_bytes() for name in NAMES[1:4]]
        assert source.jpeg(0) == jpeg(4)
        assert source.jpegs(range(2, 2)) == []
        assert source.image_size is None
        assert source.skipped == []
        with pytest.raises(IndexError):
            source.jpegs(range(3, 6))


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "BMP"])
@pytest.mark.parametrize("suffix", ["right", ""])
def test_every_form_gives_its_exact_pixels(form, suffix, tmp_path):
    data, pixels = encoded(form)
    (tmp_path / (f"x.{form.lower()}" if suffix else "x")).write_bytes(data)
    source = Photographs(tmp_path)
    found = decode(source.jpeg(0))
    assert np.array_equal(found, np.asarray(Image.open(io.BytesIO(data)).convert("RGB")))
    assert form == "JPEG" or np.array_equal(found, pixels)
    assert source.image_size == (9, 7)


@pytest.mark.parametrize("mode", ["L", "P", "CMYK", "RGBA", "1"])
def test_other_colour_modes_are_read(mode, tmp_path):
    data, pixels = encoded("JPEG" if mode == "CMYK" else "PNG", mode=mode)
    (tmp_path / "x.img").write_bytes(data)
    found = decode(Photographs(tmp_path).jpeg(0))
    assert found.shape == (9, 7, 3)
    assert mode == "CMYK" or np.array_equal(found, pixels)


@pytest.mark.parametrize("workers", [0, 2])
def test_the_images_run_as_those_of_a_probe_file(folder, workers):
    source = Photographs(folder, workers=workers)
    assert source.names == NAMES
    cuts = [range(0, 3), range(3, 5)]
    found = list(batches(source, cuts, Preprocessing(size=8), workers))
    assert [tuple(batch.shape) for batch in found] == [(3, 8, 8, 3), (2, 8, 8, 3)]
    assert np.array_equal(found[1][1], decode(jpeg(5), (8, 8)))


def test_the_digest_covers_names_contents_and_number(folder):
    digests = [Photographs(folder).digest, Photographs(folder, 4).digest]
    assert Photographs(folder).digest == digests[0]
    assert Photographs(folder, 4).names == NAMES[:4]
    (folder / "notes.txt").write_text("else")
    assert Photographs(folder).digest == digests[0]
    (folder / "c.JPG").rename(folder / "d.JPG")
    digests.append(Photographs(folder).digest)
    (folder / "d.JPG").write_bytes(jpeg(9))
    digests.append(Photographs(folder).digest)
    assert len(set(digests)) == 4


def test_a_source_survives_pickling(folder):
    source = pickle.loads(pickle.dumps(Photographs(folder)))
    assert source.names == NAMES
    assert source.jpeg(0) == jpeg(4)


BROKEN = {
    "cut.jpg": jpeg(0, (40, 40))[:-90],
    "cut.png": encoded("PNG", size=(40, 40))[0][:-90],
    "cut.webp": encoded("WEBP", size=(40, 40))[0][:-90],
    "empty.jpg": b"",
    "text.png": b"no image",
    "animation.bmp": b"GIF89a" + bytes(20),
    "unnamed": jpeg(0)[:60],
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_named(name, folder):
    (folder / "b" / name).write_bytes(BROKEN[name])
    with pytest.raises(
        ValueError, match=rf"^\S+b/{name} cannot be decoded \([^\n]*\(--skip-bad, skip_bad=True\)$"
    ):
        Photographs(folder)


@pytest.mark.parametrize("workers", [0, 2])
def test_broken_files_are_left_out_if_asked(workers, folder, caplog):
    digest = Photographs(folder).digest
    for name, data in BROKEN.items():
        (folder / "b" / name).write_bytes(data)
    with caplog.at_level(logging.WARNING):
        source = Photographs(folder, skip_bad=True, workers=workers)
    assert source.names == NAMES
    assert source.digest == digest
    assert len(source.skipped) == len(BROKEN) == len(caplog.records)
    assert all(name in caplog.text for name in BROKEN)
    assert Photographs(folder, 4, skip_bad=True).names == NAMES[:4]


def test_links_may_not_lead_out_of_the_folder(folder, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.jpg").write_bytes(jpeg(8))
    (folder / "inside.jpg").symlink_to(folder / "a")
    (folder / "again").symlink_to(folder / "b")
    assert Photographs(folder).names == sorted([*NAMES, "inside.jpg"])
    for target in (outside, outside / "secret.jpg"):
        link = folder / "link"
        link.symlink_to(target)
        with pytest.raises(
            ValueError, match=r"link is a link that leads out of the folder; repair"
        ):
            Photographs(folder)
        assert "link" not in Photographs(folder, skip_bad=True).names
        link.unlink()
    # The folder itself may be reached by a link.
    (tmp_path / "other").symlink_to(folder)
    assert len(Photographs(tmp_path / "other")) == 6


def test_links_to_nothing_or_themselves_are_broken(folder):
    for name, target in (("gone.jpg", "nowhere"), ("self.jpg", "self.jpg")):
        (folder / name).symlink_to(folder / target)
        with pytest.raises(ValueError, match=name):
            Photographs(folder)
        (folder / name).unlink()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_pipes_are_passed_over(folder):
    os.mkfifo(folder / "pipe.jpg")
    assert Photographs(folder).names == NAMES


def test_what_is_no_folder_of_images(folder, tmp_path):
    with pytest.raises(FileNotFoundError, match="no folder"):
        Photographs(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match="no folder"):
        Photographs(folder / "a")
    bare = tmp_path / "bare"
    bare.mkdir()
    (bare / "notes.txt").write_text("none")
    with pytest.raises(ValueError, match=r"holds no images \(JPEG, PNG, WebP or BMP\)$"):
        Photographs(bare)
    (bare / "a.jpg").write_bytes(b"")
    with pytest.raises(ValueError, match="holds no images .*, but 1 broken ones$"):
        Photographs(bare, skip_bad=True)
    with pytest.raises(ValueError, match="limit is 0"):
        Photographs(folder, 0)


def test_files_too_large_are_broken(folder, monkeypatch):
    monkeypatch.setattr(photographs, "MAX_BYTES", 100)
    with pytest.raises(ValueError, match="at most 100 allowed"):
        Photographs(folder)
    monkeypatch.setattr(photographs, "MAX_BYTES", 1 << 20)
    monkeypatch.setattr(photographs, "MAX_PIXELS", 20)
    with pytest.raises(ValueError, match="pixels, at most 20 allowed"):
        Photographs(folder)


def test_a_file_that_changes_while_in_use_is_noticed(folder):
    source = Photographs(folder)
    (folder / "a").write_bytes(jpeg(7))
    with pytest.raises(ValueError, match=r"a has changed while in use; start again"):
        source.jpeg(0)
    (folder / "a").unlink()
    with pytest.raises(ValueError, match=r"a cannot be read any more"):
        source.jpeg(0)


def test_names_that_are_no_text_become_text(folder):
    try:
        with open(os.fsencode(folder) + b"/\xff.jpg", "wb") as file:
            file.write(jpeg(0))
    except OSError:
        pytest.skip("file names are text here")
    source = Photographs(folder)
    assert source.names[-1] == "\\xff.jpg"
    assert source.jpeg(5) == jpeg(0)
