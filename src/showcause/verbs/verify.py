"""Is everything still as it was stored?"""

from __future__ import annotations

import os
from pathlib import Path

from showcause.core.finding import Finding
from showcause.store.export import INDEX, verify_export
from showcause.store.folder import FolderStore
from showcause.store.store import Store
from showcause.verbs.open import DEFAULT_STORE


def verify(where: str | os.PathLike[str] | Store = DEFAULT_STORE) -> list[Finding]:
    """Read every byte of a store's folder, an exported folder or a zip; each finding names the file or record.

    No finding of severity "fail" means: whole and unchanged. Raises NotFound where there is neither.
    """
    if not isinstance(where, str | os.PathLike):
        return list(where.verify())
    path = Path(where)
    if path.suffix == ".zip" or (path / INDEX).exists() or (path / "manifest.json").exists():
        return list(verify_export(path))
    return list(FolderStore(path, create=False).verify())
