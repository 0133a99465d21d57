import pytest

from broden.system.files import check_layer_names, file_name


def test_a_long_name_becomes_a_file_name_that_fits_and_is_its_own():
    names = [f"{'block.' * 50}{last}" for last in ("a", "b", "é")]
    short = [file_name(name) for name in names]
    assert len(set(short)) == 3
    assert {len(name) for name in short} == {200}
    assert file_name("a" * 200) == "a" * 200


def test_names_of_layers_that_can_be_written():
    check_layer_names(["layer4", "blocks.2/a", "blocks.2/b", "größe", "a b", "x" * 200])


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["x" * 201], "has a name of 201 characters, at most 200 are allowed; rename"),
        (["a\0b"], r"'a\\x00b' holds U\+0000 \(control character\), which no name may"),
        (["a\nb"], r"holds U\+000A"),
        (["a\u202eb"], r"holds U\+202E \(RIGHT-TO-LEFT OVERRIDE\)"),
        (["a\ud800"], r"holds U\+D800"),
        (["a//b"], "'a//b' is no name that files can have"),
        (["../a"], "no name that files can have"),
        (["/a"], "no name that files can have"),
        (["a b", "a_b"], "layers a b and a_b would share a file"),
        (["a/b", "a"], "layers a and a/b would share a place"),
    ],
)
def test_layers_that_could_not_be_written_are_refused(names, message):
    with pytest.raises(ValueError, match=message) as caught:
        check_layer_names(["layer1", *names])
    assert str(caught.value).isprintable()
