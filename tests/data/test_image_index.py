"""Images of ids in a folder tree."""

import os

import pytest

from tfgalaxy.data.image_index import ImageIndex, exclude_ids, find_images, image_stem
from tfgalaxy.errors import InputError


@pytest.fixture
def folder(tmp_path):
    names = ["587722/587722981741363294.jpg", "images_training_rev1/100008.JPG", "J112/J112953.88-000427.4.png"]
    names += [
        "fits/7.fits.gz",
        "8.fit",
        "twice/9.jpg",
        "9.png",
        "gZ.jpeg",
        ".hidden.jpg",
        "notes.txt",
        "__MACOSX/10.jpg",
    ]
    for name in names:
        path = tmp_path / "im" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    (tmp_path / "outside.jpg").write_bytes(b"x")
    return tmp_path / "im"


@pytest.mark.parametrize(
    ("path", "stem"),
    [
        ("a/b.jpg", "b"),
        ("b.JPEG", "b"),
        ("a.fits.gz", "a"),
        ("a.fit", "a"),
        ("J1.5-0.4.png", "J1.5-0.4"),
        ("J1.5-0.4", "J1.5-0.4"),
    ],
)
def test_image_stem(path, stem):
    assert image_stem(path) == stem


def test_images_are_found_by_id_anywhere_below(folder):
    ids = ["587722981741363294", "100008", "J112953.88-000427.4", "7", "8", "gZ"]
    files, reasons = ImageIndex(folder).find(ids, None, outside=False)
    assert reasons == {}
    names = ["587722/587722981741363294.jpg", "images_training_rev1/100008.JPG", "J112/J112953.88-000427.4.png"]
    assert files == [str(folder / name) for name in [*names, "fits/7.fits.gz", "8.fit", "gZ.jpeg"]]


def test_missing_and_doubled_images_are_named(folder):
    files, reasons = ImageIndex(folder).find(["absent", "9", "gz", "10", ".hidden", "8"], None, outside=False)
    assert files == ["", "", "", "", "", str(folder / "8.fit")]
    assert reasons[0] == "no image 'absent' in the image folder"
    assert reasons[1] == f"2 images of that name: 9.png, twice{os.sep}9.jpg"
    assert sorted(reasons) == [0, 1, 2, 3, 4]  # ids are case-sensitive; hidden files are none


def test_the_file_column_wins_and_falls_back_to_the_stem(folder):
    ids = ["a", "b", "c", "8", "d", "e"]
    names = ["twice/9.jpg", "./fits/../8.fit", "wrong/100008.png", "", "gone.jpg", "587722\\587722981741363294.jpg"]
    files, reasons = ImageIndex(folder).find(ids, names, outside=False)
    found = ["twice/9.jpg", "8.fit", "images_training_rev1/100008.JPG", "8.fit", None, "587722/587722981741363294.jpg"]
    assert files == [str(folder / name) if name else "" for name in found]
    assert reasons == {4: "no image 'gone.jpg' in the image folder"}


@pytest.mark.parametrize("name", ["../outside.jpg", "twice/../../outside.jpg", "{root}/outside.jpg", "C:\\im\\8.fit"])
def test_the_file_column_stays_in_the_folder(folder, name):
    name = name.format(root=folder.parent)
    with pytest.raises(InputError, match=r"file column must stay within the image folder .*pass allow_outside=True"):
        ImageIndex(folder).find(["a"], [name], outside=False)
    if not name.startswith("C:"):
        files, _ = ImageIndex(folder).find(["a"], [name], outside=True)
        assert files == [str(folder.parent / "outside.jpg")]


def test_links_to_folders_are_followed_once(folder):
    (folder / "loop").symlink_to(folder, target_is_directory=True)
    other = folder.parent / "other"
    other.mkdir()
    (other / "11.jpg").write_bytes(b"x")
    (folder / "link").symlink_to(other, target_is_directory=True)
    assert len(find_images(folder)) == 9
    assert str(folder / "link/11.jpg") in find_images(folder)


def test_an_absent_or_empty_folder_is_an_error(tmp_path):
    with pytest.raises(InputError, match="images must be an existing folder"):
        ImageIndex(tmp_path / "absent")
    with pytest.raises(InputError, match=r"images must hold image files .* which has none"):
        ImageIndex(tmp_path)


def test_a_table_is_no_image(folder):
    assert str(folder / "8.fit") not in ImageIndex(folder, skip=[folder / "8.fit"]).files


def test_exclude_ids():
    files = ["pool/1.jpg", "pool/2.fits.gz", "pool/sub/3.png"]
    assert exclude_ids(files, ["2", "3.png"]).tolist() == ["pool/1.jpg", "pool/sub/3.png"]
    assert exclude_ids([], ["2"]).tolist() == []
