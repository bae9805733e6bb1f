"""What an image is made from, and when it is made; fake apt, mmdebstrap and podman stand for a Debian machine."""

from __future__ import annotations

import platform
from dataclasses import replace

import pytest

from provisioner.errors import ExecutionError, MissingTool
from provisioner.lab.engine import Engine
from provisioner.lab.image import REPOSITORY, Recipe, ensure_image, read_recipe

TARGETS = """\
Packages|Debian|main|bookworm|http://mirror.example/debian/
Packages|Debian|contrib|bookworm|http://mirror.example/contrib/
Packages|Debian|main|bookworm-updates|http://mirror.example/debian/
Packages|Debian|main|bookworm-security|http://security.example/debian-security/
Packages|Docker|main|bookworm|http://docker.example/debian/
Translations|Debian|main|bookworm|http://translations.example/debian/
"""
CONFIGURATION = """\
Acquire "";
Acquire::Check-Valid-Until "false";
Acquire::http::Proxy "http://proxy.example:3142";
Acquire::http::User-Agent "not ours";
"""
MMDEBSTRAP = """#!/bin/sh
echo "$PREFETCH" "$@" >> {log}
echo tree
"""
PODMAN = """#!/bin/sh
echo "$@" >> {log}
case "$1 $2" in
"image exists") grep -qxF "$3" {images} ;;
import*) for last; do :; done; echo $last >> {images} ;;
esac
"""


@pytest.fixture
def debian(tmp_path, monkeypatch):
    """A machine with fake programs; `debian(name, text)` replaces one, `debian.log` holds their command lines."""
    programs = tmp_path / "programs"
    programs.mkdir()
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    monkeypatch.setattr(platform, "freedesktop_os_release", lambda: {"VERSION_CODENAME": "bookworm"})
    names = {"log": tmp_path / "log", "images": tmp_path / "images"}

    def write(name, text):
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)

    for path in names.values():
        path.write_text("")
    write("apt-get", f"#!/bin/sh\ncat <<'E'\n{TARGETS}E\n")
    write("apt-config", f"#!/bin/sh\ncat <<'E'\n{CONFIGURATION}E\n")
    write("mmdebstrap", MMDEBSTRAP.format(**names))
    write("podman", PODMAN.format(**names))
    write.log, write.images, write.engine = names["log"], names["images"], Engine(str(programs / "podman"))
    return write


def test_the_recipe_names_this_machines_own_sources_for_the_release_asked_for(debian):
    recipe = read_recipe("trixie")
    assert recipe.sources == (
        "deb http://mirror.example/debian/ trixie main",
        "deb http://mirror.example/debian/ trixie-updates main",
        "deb http://security.example/debian-security/ trixie-security main",
    )
    assert recipe.options == (
        'Acquire::Check-Valid-Until "false";',
        'Acquire::http::Proxy "http://proxy.example:3142";',
    )


def test_a_machine_without_security_sources_builds_without(debian):
    debian("apt-get", "#!/bin/sh\necho 'Packages|Debian|main|bookworm|http://mirror.example/debian/'\n")
    assert len(read_recipe("bookworm").sources) == 2


@pytest.mark.parametrize("targets", ["", "echo 'Packages|Ubuntu|main|noble|http://ubuntu.example/ubuntu/'"])
def test_a_machine_without_debian_sources_is_refused(debian, targets):
    debian("apt-get", f"#!/bin/sh\n{targets}\n")
    with pytest.raises(MissingTool, match="knows none") as caught:
        read_recipe("bookworm")
    assert "existing image" in caught.value.hint


def test_a_machine_without_apt_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingTool, match="apt-get is not on this machine"):
        read_recipe("bookworm")


def test_what_apt_says_when_it_fails_is_told(debian):
    debian("apt-get", "#!/bin/sh\necho 'E: the list of sources could not be read.' >&2\nexit 100\n")
    with pytest.raises(ExecutionError, match=r"apt-get indextargets failed \(100\): E: the list of sources"):
        read_recipe("bookworm")


@pytest.mark.parametrize("change", [{"release": "trixie"}, {"sources": ("deb b",)}, {"options": ()}])
def test_a_changed_recipe_is_another_image(change):
    recipe = Recipe("bookworm", ("deb a",), ("x",))
    assert replace(recipe).reference == recipe.reference
    assert replace(recipe, **change).digest != recipe.digest


def test_an_image_is_built_once_and_tagged(debian, tmp_path):
    said = []
    reference = ensure_image(debian.engine, "bookworm", cache=tmp_path / "cache", say=said.append)
    assert reference == f"{REPOSITORY}:bookworm-{read_recipe('bookworm').digest}"
    assert [line.split()[0] for line in said] == ["building", "importing"]
    log = debian.log.read_text()
    assert f"tag {reference} {REPOSITORY}:bookworm" in log
    assert '--aptopt=Acquire::http::Proxy "http://proxy.example:3142";' in log
    assert ensure_image(debian.engine, "bookworm", cache=tmp_path / "cache", say=said.append) == reference
    assert len(said) == 2


def test_an_image_that_podman_lost_comes_back_from_the_cache(debian, tmp_path):
    said = []
    ensure_image(debian.engine, "bookworm", cache=tmp_path / "cache", say=said.append)
    debian.images.write_text("")
    ensure_image(debian.engine, "bookworm", cache=tmp_path / "cache", say=said.append)
    assert [line.split()[0] for line in said] == ["building", "importing", "importing"]


def test_a_new_recipe_replaces_the_tree_of_its_release_only(debian, tmp_path):
    cache = tmp_path / "cache"
    cache.mkdir()
    for name in ("bookworm-0123456789ab.tar", "trixie-0123456789ab.tar"):
        (cache / name).write_text("old")
    ensure_image(debian.engine, "bookworm", cache=cache, say=print)
    kept = {path.name for path in cache.glob("*.tar")}
    assert kept == {f"bookworm-{read_recipe('bookworm').digest}.tar", "trixie-0123456789ab.tar"}


def test_a_failed_build_leaves_nothing_and_says_why(debian, tmp_path):
    debian(
        "mmdebstrap", "#!/bin/sh\necho half\necho 'I: going' >&2\necho 'E: no such suite' >&2\necho bye >&2\nexit 1\n"
    )
    with pytest.raises(ExecutionError, match=r"Debian bookworm: E: no such suite$"):
        ensure_image(debian.engine, "bookworm", cache=tmp_path / "cache", say=print)
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["bookworm.lock"]


def test_without_mmdebstrap_the_remedy_is_said(debian, tmp_path, monkeypatch):
    import shutil

    found = shutil.which
    monkeypatch.setattr(shutil, "which", lambda name: None if name == "mmdebstrap" else found(name))
    with pytest.raises(MissingTool) as caught:
        ensure_image(debian.engine, "bookworm", cache=tmp_path / "cache", say=print)
    assert caught.value.hint == "apt-get install mmdebstrap"
