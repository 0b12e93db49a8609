"""Files: whole or not there, whenever the writer is stopped, and never read when a byte is wrong."""

import os
import stat
import sys

import pytest
import torch

from manualgrad.training import files

STATE = {"weight": torch.arange(100.0), "steps": 3}


def full(*args):
    raise OSError(28, "No space left on device")


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_nothing_half_written_is_left_when_the_disk_is_full(tmp_path, monkeypatch):
    files.write(tmp_path / "file", b"before")
    monkeypatch.setattr(files.os, "replace", full)
    with pytest.raises(OSError, match="No space"):
        files.write(tmp_path / "file", b"after")
    assert names(tmp_path) == ["file"]
    assert (tmp_path / "file").read_bytes() == b"before"


@pytest.mark.skipif(sys.platform == "win32", reason="other modes")
def test_files_can_be_read_by_others(tmp_path):
    files.write(tmp_path / "file", b"content")
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) & 0o444 == 0o444


def test_the_one_before_is_kept(tmp_path):
    for content in (b"1", b"2", b"3"):
        files.write(tmp_path / "file", content, previous=tmp_path / "previous")
    assert (tmp_path / "file").read_bytes() == b"3"
    assert (tmp_path / "previous").read_bytes() == b"2"
    assert names(tmp_path) == ["file", "previous"]


def test_the_one_before_is_kept_on_a_file_system_without_hard_links(tmp_path, monkeypatch):
    monkeypatch.setattr(files.os, "link", full)
    test_the_one_before_is_kept(tmp_path)


def test_the_one_before_stays_when_the_disk_is_full(tmp_path, monkeypatch):
    for content in (b"1", b"2"):
        files.write(tmp_path / "file", content, previous=tmp_path / "previous")
    monkeypatch.setattr(files.os, "fsync", full)
    for _ in range(2):
        with pytest.raises(OSError, match="No space"):
            files.write(tmp_path / "file", b"3", durable=True, previous=tmp_path / "previous")
    assert (tmp_path / "file").read_bytes() == b"2"
    assert (tmp_path / "previous").read_bytes() == b"1"
    assert names(tmp_path) == ["file", "previous"]


class Killed(BaseException):
    """Not an OSError, so that nothing is tidied up, as after SIGKILL."""


@pytest.mark.parametrize("call", range(5))
def test_a_writer_killed_before_any_call_of_the_system_leaves_a_whole_file(call, tmp_path, monkeypatch):
    files.save(tmp_path / "state.pt", 0)
    files.save(tmp_path / "state.pt", 1, previous=tmp_path / "previous.pt")
    made = []

    def counted(original):
        def run(*args, **options):
            made.append(original.__name__)
            if len(made) == call + 1:
                raise Killed
            return original(*args, **options)

        return run

    for name in ("open", "fsync", "link", "replace"):
        monkeypatch.setattr(files.os, name, counted(getattr(os, name)))
    with pytest.raises(Killed):
        files.save(tmp_path / "state.pt", 2, previous=tmp_path / "previous.pt")
    monkeypatch.undo()
    assert made == ["fsync", "link", "replace", "replace", "open"][: call + 1]
    assert files.load(tmp_path / "state.pt") == (1 if call < 4 else 2)
    assert files.load(tmp_path / "previous.pt") == (0 if call < 3 else 1)
    (tmp_path / "film.part").touch()
    files.remove_parts(tmp_path / "state.pt")
    files.remove_parts(tmp_path / "previous.pt")
    assert names(tmp_path) == ["film.part", "previous.pt", "state.pt"], "nothing of another's is removed"


def test_what_was_saved_is_loaded(tmp_path):
    files.save(tmp_path / "state.pt", STATE)
    torch.testing.assert_close(files.load(tmp_path / "state.pt"), STATE, rtol=0, atol=0)
    torch.testing.assert_close(torch.load(tmp_path / "state.pt", weights_only=True), STATE, rtol=0, atol=0)


def test_a_changed_byte_is_found_or_of_no_matter(tmp_path):
    files.save(tmp_path / "state.pt", STATE)
    content = (tmp_path / "state.pt").read_bytes()
    found = 0
    for position in range(0, len(content), 7):
        changed = bytearray(content)
        changed[position] ^= 0x40
        (tmp_path / "changed.pt").write_bytes(changed)
        try:
            loaded = files.load(tmp_path / "changed.pt")
        except ValueError:
            found += 1
        else:
            torch.testing.assert_close(loaded, STATE, rtol=0, atol=0)
    assert found > 100


@pytest.mark.parametrize("share", [0, 0.1, 0.5, 0.99])
def test_a_file_cut_short_is_damaged(share, tmp_path):
    files.save(tmp_path / "state.pt", STATE)
    content = (tmp_path / "state.pt").read_bytes()
    (tmp_path / "state.pt").write_bytes(content[: int(share * len(content))])
    with pytest.raises(ValueError, match="damaged, or was not written by torch"):
        files.load(tmp_path / "state.pt")


def test_nothing_in_a_file_is_executed(tmp_path):
    torch.save({"x": os.system}, tmp_path / "state.pt")
    with pytest.raises(ValueError, match="damaged, or was not written by torch"):
        files.load(tmp_path / "state.pt")
