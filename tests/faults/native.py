"""The C files beside this, compiled: libraries that stand between a process and the kernel (ld.so(8), LD_PRELOAD)."""

import subprocess
from pathlib import Path


def build(name, directory):
    """Compile `name`.c into the directory. Returns: the library's path."""
    source, library = Path(__file__).with_name(f"{name}.c"), Path(directory) / f"{name}.so"
    subprocess.run(
        ["gcc", "-shared", "-fPIC", "-O2", "-Wall", "-Wextra", "-Werror", "-o", str(library), str(source), "-ldl"],
        check=True,
    )
    return library
