"""What is fetched for the browser's client is taken only if it is what it should be."""

import base64
import hashlib
import io
import tarfile
from pathlib import Path

import pytest

from lab.browser_runtime import FILES, unpack


def test_only_the_package_of_that_hash_is_unpacked(tmp_path: Path) -> None:
    packed, to = tmp_path / "x.tgz", tmp_path / "runtime"
    with tarfile.open(packed, "w:gz") as archive:
        for name in (*FILES, "dist/other.mjs"):
            member = tarfile.TarInfo(f"package/{name}")
            member.size = len(name)
            archive.addfile(member, io.BytesIO(name.encode()))
    with pytest.raises(SystemExit, match="nothing was changed"):
        unpack(packed, to)
    assert not to.exists()
    unpack(packed, to, base64.b64encode(hashlib.sha512(packed.read_bytes()).digest()).decode())
    assert {path.name: path.read_text() for path in to.iterdir()} == {Path(n).name: n for n in FILES}
