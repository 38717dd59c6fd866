"""The listener against DCMTK's senders, with every image that pydicom ships."""

import os
import subprocess
from collections import defaultdict
from pathlib import Path

import pydicom
import pytest
from bench.lean import encode, image_of_file, send
from integration.listenerprocess import running_workers, wait_for
from pydicom import dcmread

pytestmark = [pytest.mark.acceptance, pytest.mark.filterwarnings("ignore:::pydicom")]

PYDICOM_DATA = Path(pydicom.__file__).parent / "data"
# What makes storescu propose a file's transfer syntax, so that it is sent as it is.
PROPOSE = {
    "1.2.840.10008.1.2": "-xi",
    "1.2.840.10008.1.2.1": "-xe",
    "1.2.840.10008.1.2.1.99": "-xd",
    "1.2.840.10008.1.2.2": "-xb",
    "1.2.840.10008.1.2.4.50": "-xy",
    "1.2.840.10008.1.2.4.51": "-xx",
    "1.2.840.10008.1.2.4.70": "-xs",
    "1.2.840.10008.1.2.4.80": "-xt",
    "1.2.840.10008.1.2.4.81": "-xu",
    "1.2.840.10008.1.2.4.90": "-xv",
    "1.2.840.10008.1.2.4.91": "-xw",
    "1.2.840.10008.1.2.5": "-xr",
}
TRUNCATED = {"MR_truncated.dcm", "rtplan_truncated.dcm"}
# DCMTK cannot read them; the last three are encoded otherwise than they say.
NOT_FOR_DCMTK = TRUNCATED | {"SC_rgb_jpeg.dcm", "rtdose_rle.dcm", "rtdose_rle_1frame.dcm"}


def _shipped():
    for path in sorted(PYDICOM_DATA.rglob("*")):
        if path.is_file() and path.read_bytes()[128:132] == b"DICM":
            image = dcmread(path)
            if "SOPInstanceUID" in image and "SOPClassUID" in image:
                yield path, image


def _batches(*, leave_out):
    """transfer syntax, {UID: (path, image)}: each UID once in a batch, for some files are variants of one instance."""
    batches = defaultdict(list)
    for path, image in _shipped():
        if path.name in leave_out:
            continue
        of_syntax = batches[image.file_meta.TransferSyntaxUID]
        batch = next((each for each in of_syntax if image.SOPInstanceUID not in each), None)
        if batch is None:
            batch = {}
            of_syntax.append(batch)
        batch[image.SOPInstanceUID] = (path, image)
    return [(syntax, batch) for syntax, of_syntax in batches.items() for batch in of_syntax]


def _run(*command, **environment):
    ended = subprocess.run(
        command, capture_output=True, text=True, timeout=120, check=False, env={**os.environ, **environment}
    )
    assert ended.returncode == 0, ended.stderr


def _swapped(data, size):
    return b"".join(data[i : i + size][::-1] for i in range(0, len(data), size))


def _same_pixels(ours, theirs):
    """A sender may turn big endian into little endian; nothing else."""
    if "PixelData" not in theirs:
        return "PixelData" not in ours
    if ours.file_meta.TransferSyntaxUID == theirs.file_meta.TransferSyntaxUID:
        return ours.PixelData == theirs.PixelData
    return ours.PixelData in (theirs.PixelData, _swapped(theirs.PixelData, 2), _swapped(theirs.PixelData, 4))


def _take(workers, batch):
    """Check that every image of a batch has arrived, and clear the directory for the next."""
    wait_for(lambda: not workers.spooled(), "the association is over")
    arrived = {dcmread(path).SOPInstanceUID: path for path in workers.images()}
    assert set(arrived) == set(batch)
    for uid, (path, theirs) in batch.items():
        ours = dcmread(arrived[uid])
        assert _same_pixels(ours, theirs), path.name
        assert str(ours.get("PatientName", "")) == str(theirs.get("PatientName", "")), path.name
        if "PixelData" in theirs and theirs.file_meta.TransferSyntaxUID.is_compressed:
            assert ours.file_meta.TransferSyntaxUID == theirs.file_meta.TransferSyntaxUID
        arrived[uid].unlink()
    assert not workers.named("*differs*")


def test_storescu_sends_every_shipped_image(tmp_path):
    with running_workers(tmp_path / "site", 2) as workers:
        count = 0
        for syntax, batch in _batches(leave_out=NOT_FOR_DCMTK):
            files = [str(path) for path, _ in batch.values()]
            _run("storescu", "-R", PROPOSE[syntax], "127.0.0.1", str(workers.port), *files, TCP_NODELAY="1")
            _take(workers, batch)
            count += len(batch)
        assert count > 150


def test_dcmsend_sends_every_shipped_image(tmp_path):
    with running_workers(tmp_path / "site", 2) as workers:
        for _, batch in _batches(leave_out=NOT_FOR_DCMTK):
            files = [str(path) for path, _ in batch.values()]
            _run("dcmsend", "--decompress-never", "127.0.0.1", str(workers.port), *files, TCP_NODELAY="1")
            _take(workers, batch)


def test_what_is_sent_as_it_is_is_filed_byte_for_byte(tmp_path):
    with running_workers(tmp_path / "site", 2) as workers:
        for _, batch in _batches(leave_out=TRUNCATED):
            # A context has one transfer syntax and one class, 128 of them at most: pydicom's files stay below.
            images = {uid: image_of_file(path) for uid, (path, _) in batch.items()}
            as_named = {uid: image for uid, image in images.items() if image.sop_instance == uid}
            send("127.0.0.1", workers.port, encode(as_named.values()))
            wait_for(lambda: not workers.spooled(), "the association is over")
            filed = {dcmread(path).SOPInstanceUID: path for path in workers.images()}
            assert set(filed) == set(as_named)
            for uid, path in filed.items():
                assert path.read_bytes().endswith(as_named[uid].data_set)
                path.unlink()


def test_truncated_images_are_refused_and_harm_no_other(tmp_path):
    paths = [path for path, _ in _shipped() if path.name in TRUNCATED]
    assert len(paths) == len(TRUNCATED)
    with running_workers(tmp_path / "site", 1) as workers:
        for path in paths:
            with pytest.raises(RuntimeError, match="0xc000"):
                send("127.0.0.1", workers.port, encode([image_of_file(path)]))
        whole = next(path for path, _ in _shipped() if path.name == "CT_small.dcm")
        _run("storescu", "127.0.0.1", str(workers.port), str(whole))
        wait_for(lambda: workers.named("series.info"), "the series is closed")
        assert len(workers.images()) == 1


def test_any_called_title_and_echo(tmp_path):
    with running_workers(tmp_path / "site", 1) as workers:
        for title in ("ANY-SCP", "X", "SOMEBODY ELSE"):
            _run("echoscu", "-aec", title, "127.0.0.1", str(workers.port))


def test_no_delayed_acknowledgement_with_the_senders_defaults(tmp_path):
    """Each image waited 40 ms with the original."""
    source = next(image for path, image in _shipped() if path.name == "CT_small.dcm")
    files = []
    for number in range(600):
        source.SOPInstanceUID = source.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.{number}"
        files.append(str(tmp_path / f"{number}.dcm"))
        source.save_as(files[-1])
    environment = {key: value for key, value in os.environ.items() if key != "TCP_NODELAY"}
    with running_workers(tmp_path / "site", 1) as workers:
        # 600 stalls are 24 s; a deadline below that tells them from none, on a busy machine too.
        subprocess.run(["storescu", "127.0.0.1", str(workers.port), *files], check=True, timeout=20, env=environment)
        wait_for(lambda: workers.named("series.info"), "the series is closed")
        assert len(workers.images()) == 600
