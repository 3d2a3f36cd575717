"""Makes a folder of links that looks like the installed package, for tools that do not follow package_dir.

python tests/package_links.py FOLDER    makes FOLDER/tfgalaxy: tfgalaxy/* with tuning/ and export/ as subpackages
"""

from __future__ import annotations

import configparser
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def package_folders(setup_cfg: Path) -> dict[str, str]:
    """`[options] package_dir` of a setup.cfg: the folder of each package that it names."""
    parser = configparser.ConfigParser()
    parser.read(setup_cfg, encoding="utf-8")
    lines = parser["options"]["package_dir"].strip().splitlines()
    return dict(tuple(part.strip() for part in line.split("=")) for line in lines)


def link_packages(root: Path, target: Path) -> None:
    """Fills `target` anew: a folder for a package that holds other packages, links for all else."""
    shutil.rmtree(target, ignore_errors=True)
    # Parents sort before their children.
    for package, folder in sorted(package_folders(root / "setup.cfg").items()):
        *parents, name = package.split(".")
        if parents:
            target.joinpath(*parents, name).symlink_to(root / folder)
            continue
        (target / name).mkdir(parents=True)
        for entry in sorted((root / folder).iterdir()):
            if entry.name != "__pycache__":
                (target / name / entry.name).symlink_to(entry)


if __name__ == "__main__":
    link_packages(ROOT, Path(sys.argv[1]).absolute())
