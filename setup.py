"""Everything that describes the package is read from settings.ini; nothing is written twice."""
from configparser import ConfigParser
from pathlib import Path

from setuptools import setup

here = Path(__file__).parent
parser = ConfigParser(delimiters=["="], interpolation=None)
parser.read(here / "settings.ini", encoding="utf8")
settings = parser["DEFAULT"]
extras = {key.removesuffix("_requirements"): value.split() for key, value in settings.items() if key.endswith("_requirements")}
versions = [f"Programming Language :: Python :: 3.{minor}" for minor in (11, 12, 13)]

setup(
    name=settings["lib_name"],
    version=settings["version"],
    description=settings["description"],
    license_expression=settings["license"],
    author=settings["author"],
    author_email=settings["author_email"],
    keywords=settings["keywords"].split(),
    project_urls={"Repository": settings["repo_url"]},
    classifiers=["Programming Language :: Python :: 3 :: Only", *versions, "Intended Audience :: Education", "Framework :: Jupyter"],
    python_requires=f">={settings['min_python']}",
    install_requires=settings["requirements"].split(),
    extras_require=extras,
    long_description=(here / "README.md").read_text(encoding="utf8"),
    long_description_content_type="text/markdown",
    entry_points={"console_scripts": settings["console_scripts"].split()},
    packages=["dsnotes", "dsnotes.lessons"],
    package_dir={"dsnotes": "dsnotes", "dsnotes.lessons": "nbs"},
    package_data={
        "dsnotes": [
            "py.typed", "*.toml", "models/*", "handbook/*", "handbook/templates/*", "handbook/pages/*", "handbook/pages/*/*",
            "handbook/pages/*/*/*"],
        "dsnotes.lessons": ["*.ipynb", "images/*"],
    },
)
