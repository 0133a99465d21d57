import errno
import hashlib
import os
import re
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from broden.sources import download as module
from broden.sources.download import DownloadError, download, published_url


@pytest.fixture(scope="module")
def payload(tmp_path_factory):
    """A zip of some 200 kB."""
    path = tmp_path_factory.mktemp("zip") / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        noise = np.random.default_rng(0).bytes(100_000)
        archive.writestr("top/a.bin", noise)
        archive.writestr("top/b.bin", noise[::-1])
    return path.read_bytes()


class Server(ThreadingHTTPServer):
    """A server whose next answers are told in advance; then it behaves."""

    daemon_threads = True

    def __init__(self, payload):
        super().__init__(("127.0.0.1", 0), Handler)
        self.payload, self.plan, self.requests = payload, [], []
        self.headers = {"ETag": '"v1"'}

    def url(self, path="/data/broden1_9.zip"):
        return f"http://127.0.0.1:{self.server_port}{path}"


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *args):
        pass

    def do_GET(self):
        server = self.server
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        server.requests.append((wanted and int(wanted[1]), self.headers.get("If-Range")))
        plan = server.plan.pop(0) if server.plan else {}
        changed = self.headers.get("If-Range") not in (None, *server.headers.values())
        start = int(wanted[1]) if wanted else None
        if plan.get("ignore_range") or changed:
            start = None
        whole = plan.get("payload", server.payload)
        if "status" in plan:
            self.send_response(plan["status"])
            self.end_headers()
            return
        if start is not None and start >= len(whole):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(whole)}")
            self.end_headers()
            return
        body = whole[start or 0 :]
        self.send_response(200 if start is None else 206)
        for name, value in server.headers.items():
            self.send_header(name, value)
        if start is not None:
            default = f"bytes {start}-{len(whole) - 1}/{len(whole)}"
            self.send_header("Content-Range", plan.get("content_range", default))
        length = plan.get("length", len(body))
        if length is not None:
            self.send_header("Content-Length", str(length))
        self.end_headers()
        self.wfile.write(body[: plan.get("send", len(body))])


@pytest.fixture
def server(payload):
    server = Server(payload)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def load(server, folder, **options):
    return download(server.url(), folder, **{"backoff": 0.0, "retries": 2, "timeout": 5, **options})


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_whole_file_and_its_sha256(server, payload, tmp_path):
    path = load(server, tmp_path / "new", progress=True)
    assert path == tmp_path / "new" / "broden1_9.zip"
    assert path.read_bytes() == payload
    digest = hashlib.sha256(payload).hexdigest()
    assert (tmp_path / "new/broden1_9.zip.sha256").read_text() == f"{digest}  broden1_9.zip\n"
    assert names(path.parent) == ["broden1_9.zip", "broden1_9.zip.sha256"]


def test_later_call_checks_without_a_request(server, tmp_path):
    path = load(server, tmp_path)
    assert load(server, tmp_path) == path
    assert len(server.requests) == 1
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(DownloadError, match="not the one in broden1_9.zip.sha256; delete"):
        load(server, tmp_path)


def test_file_found_without_a_record_is_checked_and_recorded(server, payload, tmp_path):
    (tmp_path / "broden1_9.zip").write_bytes(payload)
    load(server, tmp_path)
    assert server.requests == []
    assert names(tmp_path) == ["broden1_9.zip", "broden1_9.zip.sha256"]


def test_broken_file_found_is_kept_and_named(server, payload, tmp_path):
    (tmp_path / "broden1_9.zip").write_bytes(payload[:1000])
    with pytest.raises(DownloadError, match="broden1_9.zip .*not a whole zip .*; delete it"):
        load(server, tmp_path)
    assert names(tmp_path) == ["broden1_9.zip"]


def test_dropped_connections_are_resumed(server, payload, tmp_path):
    server.plan = [{"send": 50_000}, {"send": 70_000}, {"status": 503}, {"send": 0}]
    assert load(server, tmp_path).read_bytes() == payload
    assert [start for start, _ in server.requests] == [None, 50_000, 120_000, 120_000, 120_000]
    assert {condition for _, condition in server.requests[1:]} == {'"v1"'}


def test_progress_starts_the_count_of_attempts_anew(server, payload, tmp_path):
    server.plan = [{"send": 5000} for _ in range(20)]
    assert load(server, tmp_path, retries=0).read_bytes() == payload


def test_giving_up_keeps_the_part_for_the_next_call(server, payload, tmp_path):
    server.plan = [{"send": 50_000}] + [{"status": 500}] * 3
    with pytest.raises(DownloadError, match="gave up after 3 attempts .*run the same command"):
        load(server, tmp_path)
    assert names(tmp_path) == ["broden1_9.zip.part", "broden1_9.zip.part.json"]
    assert load(server, tmp_path).read_bytes() == payload
    assert server.requests[-1] == (50_000, '"v1"')


def test_server_that_ignores_ranges_starts_over(server, payload, tmp_path):
    server.plan = [{"send": 50_000}, {"ignore_range": True}]
    assert load(server, tmp_path).read_bytes() == payload


def test_server_that_always_drops_and_ignores_ranges_is_given_up(server, tmp_path):
    server.plan = [{"send": 50_000, "ignore_range": True} for _ in range(9)]
    with pytest.raises(DownloadError, match="gave up after 3 attempts without progress"):
        load(server, tmp_path)


def test_changed_file_is_not_glued_to_the_old_part(server, payload, tmp_path):
    server.plan = [{"send": 50_000, "payload": bytes(len(payload))}] + [{"status": 500}] * 3
    with pytest.raises(DownloadError):
        load(server, tmp_path)
    server.headers = {"ETag": '"v2"'}
    assert load(server, tmp_path).read_bytes() == payload


def test_last_modified_stands_in_for_a_weak_etag(server, payload, tmp_path):
    server.headers = {"ETag": 'W/"v1"', "Last-Modified": "Mon, 01 Jan 2024 00:00:00 GMT"}
    server.plan = [{"send": 50_000}]
    assert load(server, tmp_path).read_bytes() == payload
    assert server.requests[1] == (50_000, "Mon, 01 Jan 2024 00:00:00 GMT")


@pytest.mark.parametrize(
    "content_range",
    ["bytes 0-9/200000", "bytes 50001-200000/200001", "nonsense", "bytes 50000-9/*"],
)
def test_wrong_content_range_starts_over(content_range, server, payload, tmp_path):
    server.plan = [{"send": 50_000}, {"content_range": content_range}]
    assert load(server, tmp_path).read_bytes() == payload
    assert [start for start, _ in server.requests] == [None, 50_000, None]


def test_other_total_in_content_range_starts_over(server, payload, tmp_path):
    server.plan = [{"send": 50_000}, {"payload": payload + b"more"}]
    assert load(server, tmp_path).read_bytes() == payload


def test_length_that_is_too_long_is_noticed(server, payload, tmp_path):
    server.plan = [{"length": len(payload) + 1000}]
    assert load(server, tmp_path).read_bytes() == payload
    assert len(server.requests) == 2


def test_length_that_is_always_too_long_is_given_up(server, payload, tmp_path):
    server.plan = [{"length": len(payload) + 10, "ignore_range": True} for _ in range(9)]
    with pytest.raises(DownloadError, match=f"ended at byte {len(payload)} of {len(payload) + 10}"):
        load(server, tmp_path)


def test_length_that_is_too_short_fails_the_check_of_the_zip(server, payload, tmp_path):
    server.plan = [{"length": 150_000}]
    with pytest.raises(DownloadError, match="not a whole zip .*is deleted, try again"):
        load(server, tmp_path)
    assert names(tmp_path) == []
    assert load(server, tmp_path).read_bytes() == payload


def test_no_length_at_all(server, payload, tmp_path):
    server.plan = [{"length": None}]
    assert load(server, tmp_path).read_bytes() == payload


def test_page_instead_of_a_zip_is_refused(server, tmp_path):
    server.plan = [{"payload": b"<html>moved</html>"}]
    with pytest.raises(DownloadError, match="not a whole zip"):
        load(server, tmp_path)
    assert names(tmp_path) == []


def test_damaged_member_is_refused(server, payload, tmp_path):
    server.plan = [{"payload": payload[:5000] + b"????" + payload[5004:]}]
    with pytest.raises(DownloadError, match="Bad CRC-32 for file 'top/a.bin'"):
        load(server, tmp_path)


@pytest.mark.parametrize("status", [404, 403, 410, 204])
def test_refusal_is_final(status, server, tmp_path):
    server.plan = [{"status": status}]
    with pytest.raises(DownloadError, match=str(status)):
        load(server, tmp_path)
    assert len(server.requests) == 1


def test_other_file_than_once_recorded_is_not_accepted(server, payload, tmp_path):
    (tmp_path / "broden1_9.zip.sha256").write_text("0" * 64 + "  broden1_9.zip\n")
    with pytest.raises(DownloadError, match=r"delete broden1_9.zip.sha256 to accept it"):
        load(server, tmp_path)
    (tmp_path / "broden1_9.zip.sha256").unlink()
    assert load(server, tmp_path).read_bytes() == payload
    assert len(server.requests) == 1


def test_part_of_another_address_is_dropped(server, payload, tmp_path):
    server.plan = [{"send": 50_000}] + [{"status": 500}] * 3
    with pytest.raises(DownloadError):
        load(server, tmp_path)
    path = download(server.url("/mirror/broden1_9.zip"), tmp_path, backoff=0.0)
    assert path.read_bytes() == payload
    assert server.requests[-1] == (None, None)


def test_unreachable_server_is_one_failure(tmp_path):
    with Server(b"") as server:
        url = server.url()
    with pytest.raises(DownloadError, match="gave up after 2 attempts .*refused"):
        download(url, tmp_path, retries=1, backoff=0.0)


def test_pauses_grow_and_are_bounded(server, monkeypatch, tmp_path):
    pauses = []
    monkeypatch.setattr(module.time, "sleep", pauses.append)
    server.plan = [{"status": 500}] * 9
    with pytest.raises(DownloadError):
        load(server, tmp_path, retries=8, backoff=1.0)
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60]


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://x/a.zip", "http://x/", "a.zip"])
def test_other_addresses_are_refused(url, tmp_path):
    with pytest.raises(ValueError, match="no http or https address of a file"):
        download(url, tmp_path)


def test_published_addresses():
    assert published_url(227) == "http://netdissect.csail.mit.edu/data/broden1_227.zip"
    with pytest.raises(ValueError, match="published are 224, 227, 384"):
        published_url(225)


@pytest.mark.parametrize("ending", [".part", ".part.json", ".sha256"])
@pytest.mark.parametrize("there", [True, False], ids=["there", "dangling"])
def test_nothing_is_loaded_through_a_link(there, ending, server, tmp_path):
    mine = tmp_path / "mine"
    if there:
        mine.write_text("mine")
    (tmp_path / "to").mkdir()
    (tmp_path / "to" / f"broden1_9.zip{ending}").symlink_to(mine)
    with pytest.raises(ValueError, match="is a link, and nothing is written through links"):
        download(server.url(), tmp_path / "to")
    assert (mine.read_text() if there else mine.exists()) == ("mine" if there else False)


def test_full_disk_names_the_file_and_keeps_what_came(server, payload, tmp_path, monkeypatch):
    def full(_file):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(module.os, "fsync", full)
        with pytest.raises(OSError, match="No space left") as caught:
            download(server.url(), tmp_path)
    assert str(tmp_path / "broden1_9.zip.part") in caught.value.filename
    assert download(server.url(), tmp_path).read_bytes() == payload
