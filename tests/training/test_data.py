"""The data: found in the documented order, unpacked where it can be, and never used when damaged."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import torchvision
from datasets import write_dataset, write_idx
from paths import ROOT

from manualgrad.training import data


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """A cache folder of the test's own, and no network."""
    monkeypatch.setattr(data, "user_cache_path", lambda name: tmp_path / "cache")
    return tmp_path / "cache"


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """The checkout's data folder, as git has it."""
    folder = tmp_path / "checkout"
    folder.mkdir()
    for file in (ROOT / "data").glob("*.gz"):
        shutil.copy(file, folder)
    monkeypatch.setattr(data, "_CHECKOUT", folder)
    return folder


def test_mnist_is_unpacked_from_the_checkout(checkout):
    training, test = data.load("mnist")
    assert (len(training), len(test)) == (60_000, 10_000)
    assert training.x.shape == (60_000, 784)
    assert training.x.dtype == torch.float32
    assert training.x.min() == 0
    assert training.x.max() == 1
    assert training.labels[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert torch.equal(training.y.argmax(1), training.labels)
    assert torch.equal(training.y.sum(1), torch.ones(60_000))
    assert (checkout / "MNIST" / "raw" / "t10k-labels-idx1-ubyte").is_file()


@pytest.mark.skipif(sys.platform == "win32", reason="folders are not made read-only by their mode")
def test_a_read_only_checkout_is_unpacked_to_the_cache(checkout, cache, monkeypatch):
    def read_only(path, content):
        if checkout in path.parents:
            raise PermissionError(f"{path} is read-only")
        write(path, content)

    write = data.files.write
    monkeypatch.setattr(data.files, "write", read_only)  # a mode would not stop root
    assert len(data.load("mnist")[1]) == 10_000
    assert not (checkout / "MNIST").exists()
    assert len(list(cache.glob("*/MNIST/raw/*"))) == 4


def test_a_folder_asked_for_that_lacks_mnist_is_an_error_where_mnist_lies_elsewhere(checkout, tmp_path):
    with pytest.raises(data.DataError) as raised:
        data.load("mnist", tmp_path / "empty")
    raw = tmp_path / "empty" / "MNIST" / "raw"
    assert str(raised.value) == (
        f"--data-dir: {raw} does not contain train-images-idx3-ubyte or its .gz; "
        f"without --data-dir, MNIST is read from {checkout}."
    )
    assert not (tmp_path / "empty").exists()


@pytest.mark.parametrize("below", ["MNIST", "MNIST/raw"])
def test_a_folder_within_the_one_to_name_is_answered_with_that(below, checkout, tmp_path):
    write_dataset(tmp_path / "mine", "MNIST")
    with pytest.raises(data.DataError) as raised:
        data.load("mnist", tmp_path / "mine" / below)
    assert str(raised.value).endswith(f"is inside the folder to pass; use --data-dir {tmp_path / 'mine'}.")


@pytest.mark.parametrize(("dataset", "name"), [("mnist", "MNIST"), ("fashion-mnist", "FashionMNIST")])
def test_what_must_be_downloaded_is_put_into_the_folder_asked_for(dataset, name, cache, tmp_path, monkeypatch):
    def download(root, train, download):
        write_dataset(Path(root), name)

    monkeypatch.setattr(data, "_CHECKOUT", tmp_path / "no checkout")
    monkeypatch.setattr(data, "_MD5", dict.fromkeys(data._MD5))
    monkeypatch.setattr(torchvision.datasets, name, download)
    if dataset != "mnist":
        write_dataset(cache, name, train=30)
    assert len(data.load(dataset, tmp_path / "new" / "folder")[0]) == 50
    assert (tmp_path / "new" / "folder" / name).is_dir()


def test_the_folder_asked_for_comes_first(checkout, cache, tmp_path):
    write_dataset(cache, train=30)
    write_dataset(tmp_path / "asked", train=40)
    assert len(data.load("fashion-mnist", tmp_path / "asked")[0]) == 40
    assert len(data.load("fashion-mnist")[0]) == 30


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(("dataset", "folder"), [("fashion-mnist", "FashionMNIST"), ("kmnist", "KMNIST")])
def test_other_data_sets_are_read_from_the_folder_asked_for(dataset, folder, packed, tmp_path):
    write_dataset(tmp_path, folder, packed=packed)
    training, test = data.load(dataset, tmp_path)
    assert (len(training), len(test)) == (50, 20)


def test_a_damaged_gzip_file_is_named(checkout):
    damaged = checkout / "t10k-images-idx3-ubyte.gz"
    damaged.write_bytes(damaged.read_bytes()[:100_000])
    with pytest.raises(data.DataError, match=r"t10k-images-idx3-ubyte\.gz is damaged"):
        data.load("mnist")


def test_an_unpacked_file_with_a_changed_byte_is_named(checkout):
    data.load("mnist")
    damaged = checkout / "MNIST" / "raw" / "train-images-idx3-ubyte"
    content = bytearray(damaged.read_bytes())
    content[1_000_000] ^= 1
    damaged.write_bytes(content)
    with pytest.raises(data.DataError, match="train-images-idx3-ubyte is damaged"):
        data.load("mnist")


@pytest.mark.parametrize("length", [0, 10, 1000])
def test_a_truncated_file_of_another_data_set_is_named(length, tmp_path):
    write_dataset(tmp_path)
    damaged = tmp_path / "FashionMNIST" / "raw" / "t10k-images-idx3-ubyte"
    damaged.write_bytes(damaged.read_bytes()[:length])
    with pytest.raises(data.DataError, match="t10k-images-idx3-ubyte is damaged"):
        data.load("fashion-mnist", tmp_path)


def test_the_images_are_those_that_torchvision_reads(tmp_path):
    write_dataset(tmp_path)
    for examples, train in zip(data.load("fashion-mnist", tmp_path), (True, False), strict=True):
        theirs = torchvision.datasets.FashionMNIST(str(tmp_path), train=train)
        assert torch.equal(examples.x, theirs.data.flatten(1) / 255)
        assert torch.equal(examples.labels, theirs.targets)


def test_digits_of_ones_own_are_used_and_it_is_said_that_they_are_not_mnists(checkout, tmp_path):
    write_dataset(tmp_path, "MNIST")
    said = []
    training, test = data.load("mnist", tmp_path, said.append)
    assert (len(training), len(test)) == (50, 20)
    (sentence,) = said
    assert f"the images in {tmp_path / 'MNIST' / 'raw'} are not the original MNIST" in sentence


def test_of_mnists_own_in_the_folder_asked_for_nothing_is_said(checkout):
    data.load("mnist")  # which unpacks it
    data.load("mnist", checkout, pytest.fail)


@pytest.mark.parametrize("length", [0, 10, 1000])
def test_truncated_digits_of_ones_own_are_refused(length, checkout, tmp_path):
    write_dataset(tmp_path, "MNIST")
    damaged = tmp_path / "MNIST" / "raw" / "t10k-images-idx3-ubyte"
    damaged.write_bytes(damaged.read_bytes()[:length])
    with pytest.raises(data.DataError, match=rf"t10k-images-idx3-ubyte is damaged \(it has {length:,} bytes, (fewer|exp)"):
        data.load("mnist", tmp_path, pytest.fail)


@pytest.mark.parametrize("folder", [None, "new"])
def test_what_was_downloaded_must_be_mnists_own(folder, cache, tmp_path, monkeypatch):
    monkeypatch.setattr(data, "_CHECKOUT", tmp_path / "no checkout")
    monkeypatch.setattr(torchvision.datasets, "MNIST", lambda root, train, download: write_dataset(Path(root), "MNIST"))
    with pytest.raises(data.DataError, match=r"train-images-idx3-ubyte is damaged \(its checksum is not MNIST's"):
        data.load("mnist", folder and tmp_path / folder)


def test_digits_of_ones_own_are_not_overwritten_by_a_download(cache, tmp_path, monkeypatch):
    monkeypatch.setattr(data, "_CHECKOUT", tmp_path / "no checkout")
    monkeypatch.setattr(data, "_download", lambda *_: pytest.fail("it downloaded"))
    write_dataset(tmp_path, "MNIST")
    (tmp_path / "MNIST" / "raw" / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(data.DataError, match=r"does not contain t10k-labels-idx1-ubyte or its \.gz; add it, or delete the"):
        data.load("mnist", tmp_path)


def test_labels_that_are_no_digits_and_images_of_two_sizes_are_named(checkout, tmp_path):
    raw = tmp_path / "MNIST" / "raw"
    write_dataset(tmp_path, "MNIST")
    write_idx(raw / "t10k-labels-idx1-ubyte", torch.arange(20, dtype=torch.uint8), packed=False)
    with pytest.raises(data.DataError, match="has the label 19; labels must be from 0 to 9"):
        data.load("mnist", tmp_path, str)
    write_idx(raw / "t10k-images-idx3-ubyte", torch.zeros(20, 20, 20, dtype=torch.uint8), packed=False)
    with pytest.raises(data.DataError, match="training and test images must have the same size, got 28×28 and 20×20"):
        data.load("mnist", tmp_path, str)


def test_files_without_an_image_are_refused(tmp_path):
    write_dataset(tmp_path, test=0)
    with pytest.raises(data.DataError, match="it must have as many labels as images, and at least one"):
        data.load("fashion-mnist", tmp_path)


@pytest.mark.exhaustive
def test_torchvision_is_imported_to_download_alone():
    code = "import sys; from manualgrad.training import data, loop, runs; data.load(); print('torchvision' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "False"


def test_labels_that_do_not_belong_to_the_images_are_refused(tmp_path):
    write_dataset(tmp_path)
    write_idx(tmp_path / "FashionMNIST" / "raw" / "t10k-labels-idx1-ubyte", torch.zeros(7, dtype=torch.uint8), packed=False)
    with pytest.raises(data.DataError, match="it must have as many labels as images, and at least one"):
        data.load("fashion-mnist", tmp_path)


def test_absent_and_offline_says_where_to_put_the_files(tmp_path, monkeypatch):
    def offline(*args, **kwargs):
        raise RuntimeError("Error downloading train-images-idx3-ubyte.gz:\nmirror 1\nmirror 2")

    monkeypatch.setattr(torchvision.datasets.KMNIST, "download", offline)
    with pytest.raises(
        data.DataError, match=r"kmnist is not on this machine.*DIR/KMNIST/raw/ and pass --data-dir DIR\.$"
    ) as error:
        data.load("kmnist")
    assert "\n" not in str(error.value)


def test_absent_and_without_torchvision_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "torchvision", None)
    with pytest.raises(data.DataError, match=r'kmnist is not on this machine.*pip install -e "\.\[train\]"'):
        data.load("kmnist")
