"""What `mkdocs build` does beside rendering docs/: README.md becomes the first page."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File

__all__ = ["home_page", "linked_files", "on_config", "on_files"]

ROOT = Path(__file__).resolve().parents[1]
GUIDES = "Guides"


def home_page(readme: str) -> str:
    """README.md with its links as seen from docs/.

    Example:
        >>> home_page("see [data](docs/data.md) and [how to cite](CITATION.cff)")
        'see [data](data.md) and [how to cite](CITATION.cff)'
    """
    return re.sub(r"\]\(docs/", "](", readme)


def linked_files(readme: str) -> list[str]:
    """Files at the top of the repository that README.md links to."""
    return sorted({name for name in re.findall(r"\]\(([\w.-]+)\)", readme) if (ROOT / name).is_file()})


def named_pages(nav: Any) -> set[str]:
    """All pages that a part of mkdocs.yml's `nav` names."""
    if isinstance(nav, str):
        return {nav}
    parts = nav.values() if isinstance(nav, dict) else nav
    return {page for part in parts for page in named_pages(part)}


def on_config(config: Any) -> Any:
    """A page that nobody has put into `nav` stands at the end of the guides, rather than nowhere."""
    named = named_pages(config["nav"])
    guides = next(part[GUIDES] for part in config["nav"] if GUIDES in part)
    guides += sorted(page.name for page in Path(config["docs_dir"]).glob("*.md") if page.name not in named)
    return config


def on_files(files: Any, config: Any) -> Any:
    """Adds the first page, and what it links to outside of docs/."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    files.append(File.generated(config, "index.md", content=home_page(readme)))
    for name in linked_files(readme):
        files.append(File.generated(config, name, abs_src_path=str(ROOT / name)))
    return files
