"""Fetch the runtime of the browser's client from npm: `python -m lab.browser_runtime`, or `make client`.

One version, checked by its hash; the two files that the client loads are put beside it, where git does not look. Wheels
that are built afterwards hold them too.
"""

import base64
import hashlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from facespace.saved_files import write_beside

PACKAGE = "onnxruntime-web@1.30.0"
SHA512 = "q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ=="
FILES = ("dist/ort.wasm.bundle.min.mjs", "dist/ort-wasm-simd-threaded.wasm", "package.json")
TO = Path(__file__).parents[1] / "src" / "facespace" / "service" / "client" / "runtime"


def fetch(to: Path = TO) -> None:
    """Put the files into ``to``; those that are there are replaced."""
    npm = shutil.which("npm")
    if npm is None:
        sys.exit("expected npm, which fetches the browser's runtime, found none; apt-get install npm")
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([npm, "pack", "--silent", PACKAGE], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        packed = next(Path(folder).glob("*.tgz"))
        unpack(packed, to)
    sys.stderr.write(f"{PACKAGE} is in {to}\n")


def unpack(packed: Path, to: Path, sha512: str = SHA512) -> None:
    """The client's files of the package at ``packed``, if its hash is the one that is expected."""
    met = base64.b64encode(hashlib.sha512(packed.read_bytes()).digest()).decode()
    if met != sha512:
        sys.exit(f"{PACKAGE}: expected a package of hash {sha512[:12]}, met {met[:12]}; nothing was changed")
    to.mkdir(parents=True, exist_ok=True)
    with tarfile.open(packed) as archive:
        for name in FILES:
            member = archive.extractfile(f"package/{name}")
            assert member is not None, name
            write_beside(to / Path(name).name, member.read())


if __name__ == "__main__":
    fetch()
