"""Files that are no weights are called what they are."""

import gzip

import pytest

from dissection.networks.weights.checkpoints import read

FILES = {
    "page": (b"<!DOCTYPE html><html><title>404</title></html>", "HTML or XML page; the download"),
    "page behind spaces": (b"\n  <HTML>", "HTML or XML page"),
    "xml": (b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>", "HTML or XML page"),
    "json": (b'{"error": "not found"}', "a JSON text"),
    "lfs": (
        b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 4\n",
        "git-lfs pointer, not the file itself; fetch .* git lfs pull",
    ),
    "torch 7": (
        b"\x04\0\0\0\x01\0\0\0\x03\0\0\0V 1\x11\0\0\0nn.Sequential" + bytes(400),
        "a Lua file of Torch 7; it is no PyTorch; give the PyTorch checkpoint",
    ),
    "onnx": (b"\x08\x07\x12\x07pytorch\x1a\x031.9:\x90\x01", "an ONNX graph; give the PyTorch"),
    "caffe": (b"\n\x07AlexNet\xa2\x06\x10" + bytes(40), "a Caffe model; give the PyTorch"),
    "old caffe": (b"\n\x07AlexNet\x12\x10" + bytes(40), "a Caffe model"),
    "keras": (b"\x89HDF\r\n\x1a\n" + bytes(90), "a Keras or other HDF5 file"),
    "numpy": (b"\x93NUMPY\x01\0v\0" + bytes(90), "a NumPy array"),
    "gzip": (gzip.compress(b"x" * 100), "a compressed file; unpack it first"),
    "tflite": (b"\x1c\0\0\0TFL3" + bytes(40), "a TensorFlow Lite model"),
    "picture": (b"\x89PNG\r\n\x1a\n" + bytes(40), "an image"),
}


@pytest.mark.parametrize(("data", "match"), FILES.values(), ids=FILES)
def test_a_file_of_another_kind_is_called_what_it_is(tmp_path, data, match):
    (tmp_path / "w.pth").write_bytes(data)
    with pytest.raises(ValueError, match=f"w.pth is an? .*{match}|w.pth is {match}") as raised:
        read(tmp_path / "w.pth")
    assert "\n" not in str(raised.value)
