"""The rim: every socket, file, process and third-party I/O library of the daemon is used here and nowhere else."""
