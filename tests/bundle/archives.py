"""Archives as tests need them: good ones, and ones that podpath never writes."""

import io
import tarfile
from collections.abc import Iterable

FILES = {
    "nodes/n1/ss": b"Netid State\n",
    "nodes/n2/sysctl": b"net.ipv4.ip_forward = 1\n",
    "api/pods.json": b'{"items":[]}',
}


def member(name: str, content: bytes = b"", **fields: object) -> tuple[tarfile.TarInfo, bytes]:
    """A member with any header fields: ``member("x", type=tarfile.SYMTYPE, linkname="/etc/passwd")``."""
    header = tarfile.TarInfo(name)
    header.size = len(content)
    for field, value in fields.items():
        setattr(header, field, value)
    return header, content


def tar_of(members: Iterable[tuple[tarfile.TarInfo, bytes]], form: int = tarfile.PAX_FORMAT) -> bytes:
    """An uncompressed archive of these members, in this order."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=form) as tar:
        for header, content in members:
            tar.addfile(header, io.BytesIO(content))
    return file.getvalue()


def tar(files: dict[str, bytes] = FILES, prefix: str = "", form: int = tarfile.PAX_FORMAT) -> bytes:
    """An uncompressed archive of files by path."""
    return tar_of((member(prefix + path, content) for path, content in files.items()), form)
