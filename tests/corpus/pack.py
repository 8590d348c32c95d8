"""Pack captured bundles for the tests: ``python tests/corpus/pack.py FOLDER...`` writes FOLDER's name and .tar.xz.

Each folder is a bundle (api/, nodes/, truth.json), or holds some. The same folder gives the same bytes. Nothing is
redacted: these clusters lived for minutes, and what names and addresses they had is what tests are about.
"""

from __future__ import annotations

import io
import lzma
import sys
import tarfile
from pathlib import Path

HERE = Path(__file__).parent


def pack(folder: Path, target: Path) -> int:
    """Write the folder's files into a .tar.xz; give back its size in bytes."""
    with (
        lzma.open(target, "wb", preset=9 | lzma.PRESET_EXTREME) as packed,
        tarfile.open(fileobj=packed, mode="w") as tar,
    ):
        for file in sorted(path for path in folder.rglob("*") if path.is_file()):
            content = file.read_bytes()
            member = tarfile.TarInfo(file.relative_to(folder).as_posix())
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return target.stat().st_size


def bundles(folder: Path) -> list[Path]:
    """The folder itself if it is a bundle, else those in it that are."""
    return [path for path in (folder, *sorted(folder.iterdir())) if (path / "nodes").is_dir()]


def main() -> None:
    """Pack what the command line names."""
    for folder in (bundle for name in sys.argv[1:] for bundle in bundles(Path(name))):
        target = HERE / f"{folder.name}.tar.xz"
        sys.stdout.write(f"{pack(folder, target):8} {target.name}\n")


if __name__ == "__main__":
    main()
