"""The calls of README.md, made with the real grpcurl against a fresh server; what they answer must be what stands there.

A call is a fenced block ```console: `$ grpcurl …` up to the method, then its output. `--write`
puts the present output there instead. Needs grpcurl on the PATH, or GRPCURL.
"""

import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
ADDRESS = "127.0.0.1:50051"
BLOCK = re.compile(
    r"```console\n\$ (?P<command>grpcurl [^`]*? luoshu[\w.]+/\w+)\n(?P<output>[\s\S]*?)```\n"
)
ERROR = re.compile(r"ERROR:\n  Code: (?P<code>\w+)\n  Message: (?P<message>.*)(?P<details>[\s\S]*)")
VOLATILE = {
    "create_time", "update_time", "commit_time", "effective_date", "business_date", "position",
}  # fmt: skip
"""Fields that differ from run to run; a call's own ids are given, so that the rest is the same."""
PATIENCE = 30.0  # seconds for a server to start
FLAGS = ("-plaintext",)


@dataclass(frozen=True, slots=True)
class Call:
    """One call. `metadata`: its headers; `seconds`: how long a stream is read, 0 where nothing is said."""

    command: str
    output: str
    metadata: Sequence[tuple[str, str]]
    data: Mapping[str, Any]
    seconds: float
    address: str
    method: str

    def arguments(self, program: str, address: str) -> list[str]:
        """Return the command for another program and address."""
        words = _words(self.command)
        return [program, *(address if word == self.address else word for word in words[1:])]


def calls(text: str) -> list[Call]:
    """Return the calls of a page, in their order. Raises ValueError for one that is not understood."""
    return [_call(found["command"], found["output"]) for found in BLOCK.finditer(text)]


def _call(command: str, output: str) -> Call:
    words = iter(_words(command)[1:])
    said: dict[str, list[str]] = {"-H": [], "-d": ["{}"], "-max-time": ["0"]}
    rest = []
    for word in words:
        if word in said:
            said[word].append(next(words))
        elif word not in FLAGS:
            rest.append(word)
    if len(rest) != 2:
        raise ValueError(f"not understood: {command}")
    headers = [header.split(": ", 1) for header in said["-H"]]
    metadata = tuple((key, value) for key, value in headers)
    seconds = float(said["-max-time"][-1])
    return Call(command, output, metadata, json.loads(said["-d"][-1]), seconds, *rest)


def _words(command: str) -> list[str]:
    """Return a command's words as a shell would; shlex keeps the line break behind a backslash."""
    return shlex.split(command.replace("\\\n", " "))


def parsed(output: str) -> list[Any]:
    """Return what an output says: the messages, and at the end (code, message, details) of an error."""
    messages, _, _ = output.partition("ERROR:\n")
    found = list(_objects(messages))
    error = ERROR.search(output)
    if error is None:
        return found
    details = re.sub(r"^\s*(\d+\)|Details:)", "", error["details"], flags=re.MULTILINE)
    return [*found, told(error["code"], error["message"], list(_objects(details)))]


def told(code: str, message: str, details: list[Any]) -> Any:
    """Return an error as it is compared; how a client words its own deadline is its own."""
    own = code == "DeadlineExceeded"
    return {"code": code, "message": "" if own else message, "details": [] if own else details}


def _objects(text: str) -> Iterator[Any]:
    decoder, text = json.JSONDecoder(), text.strip()
    while text:
        found, end = decoder.raw_decode(text)
        yield found
        text = text[end:].strip()


def masked(value: Any) -> Any:
    """Return what was said with the volatile parts left out, but for that they are there."""
    if isinstance(value, dict):
        return {k: "…" if k in VOLATILE else masked(inner) for k, inner in value.items()}
    return [masked(inner) for inner in value] if isinstance(value, list) else value


@contextmanager
def server() -> Iterator[str]:
    """Run all services on free ports and an empty folder; yields the address."""
    with tempfile.TemporaryDirectory() as folder:
        listen, metrics, files = (f"127.0.0.1:{_free_port()}" for _ in range(3))
        own = {"LUOSHU_LISTEN": listen, "LUOSHU_METRICS_LISTEN": metrics, "LUOSHU_DATA_DIR": folder}
        own["LUOSHU_AUDIT_HTTP_LISTEN"] = files
        others = {k: v for k, v in os.environ.items() if not k.startswith("LUOSHU_")}
        path = os.pathsep.join((str(ROOT), str(ROOT / "sdk")))
        environment = others | own | {"PYTHONPATH": path, "LUOSHU_LOG_LEVEL": "error"}
        command = [sys.executable, "-m", "app.cli", "serve"]
        running = subprocess.Popen(command, env=environment, cwd=ROOT)
        try:
            _await(listen, running)
            yield listen
        finally:
            running.terminate()
            running.wait(PATIENCE)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _await(address: str, running: "subprocess.Popen[bytes]") -> None:
    host, port = address.split(":")
    end = time.monotonic() + PATIENCE
    while running.poll() is None and time.monotonic() < end:
        try:
            socket.create_connection((host, int(port)), 1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise SystemExit("the server did not start / 服务未能启动")


def main(arguments: Sequence[str]) -> int:
    """Make every call. Returns 1 where an answer is not what stands in README.md."""
    program = os.environ.get("GRPCURL") or shutil.which("grpcurl") or ""
    if not program:
        print(
            "no grpcurl: put it on the PATH, or name it by GRPCURL / 未找到 grpcurl",
            file=sys.stderr,
        )
        return 1
    text, wrong = README.read_text("utf-8"), 0
    with server() as address:
        for call in calls(text):
            answer = _run(call.arguments(program, address))
            same = masked(parsed(answer)) == masked(parsed(call.output))
            wrong += not same
            print(f"{'same  ' if same else 'DIFFERS'} {call.method}")
            if not same and "--write" not in arguments:
                print(f"--- README.md\n{call.output}--- now\n{answer}")
            text = text.replace(call.output, answer) if call.output else _filled(text, call, answer)
    if "--write" in arguments:
        README.write_text(text, "utf-8")
        return 0
    return 1 if wrong else 0


def _run(command: list[str]) -> str:
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    # grpcurl indents details by a tab, and ends some lines with one.
    return (
        "\n".join(line.rstrip() for line in done.stdout.decode().expandtabs(4).splitlines()) + "\n"
    )


def _filled(text: str, call: Call, answer: str) -> str:
    empty = f"$ {call.command}\n```\n"
    return text.replace(empty, f"$ {call.command}\n{answer}```\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
