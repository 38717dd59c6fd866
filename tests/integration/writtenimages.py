"""Images written to disk, as small as they may be."""

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage


def write_image(path, **elements):
    """A Part 10 file with these elements, by keyword, and what it cannot do without."""
    data_set = Dataset()
    data_set.file_meta = FileMetaDataset()
    data_set.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data_set.file_meta.MediaStorageSOPClassUID = data_set.SOPClassUID = SecondaryCaptureImageStorage
    data_set.file_meta.MediaStorageSOPInstanceUID = data_set.SOPInstanceUID = "1.2.3"
    for keyword, value in elements.items():
        setattr(data_set, keyword, value)
    data_set.save_as(path, enforce_file_format=True)
