"""A DICOM storage listener: the C-STORE acceptor that files images as they arrive. Never imports pfdcmd."""
