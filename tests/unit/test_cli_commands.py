"""The command line without a server: help, loading, names, options, exit codes."""

import inspect
import json
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from app.cli import COMMANDS, cli
from app.cli.actions import action_command, normal, options
from app.cli.failures import CODES, EXITS, Failure, code_of, run
from app.cli.kinds import kind_of, kind_of_name, registries
from app.cli.session import Session
from luoshu import client
from luoshu.client.contract import kinds, request_of

HEAVY = ("grpc", "google.protobuf", "rich", "sqlalchemy", "yaml", "luoshu.client")


def invoke(*arguments, **more):
    return CliRunner().invoke(cli, arguments, **more)


def finish(capsys, *arguments):
    """Exit code, standard output and standard error."""
    code = run(cli, arguments)
    said = capsys.readouterr()
    return code, said.out, said.err


def test_help_loads_nothing_heavy():
    program = (
        "import sys; from app.cli.failures import run; from app.cli import cli; "
        f"run(cli, ['--help']); sys.exit(any(m in sys.modules for m in {HEAVY!r}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert all(name in done.stdout for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_can_be_loaded_and_has_help(name):
    outcome = invoke(name, "--help")
    assert outcome.exit_code == 0, outcome.output
    assert "Usage:" in outcome.output


def test_every_error_of_the_client_has_an_exit_code():
    errors = {
        name
        for name, kind in inspect.getmembers(client, inspect.isclass)
        if issubclass(kind, client.LuoshuError) and kind is not client.LuoshuError
    }
    assert set(CODES) == errors
    assert 0 not in CODES.values()
    assert set(CODES.values()) < set(EXITS)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (client.Invalid("x"), 3),
        (client.NotFound("x"), 4),
        (client.Refused("x"), 5),
        (client.Denied("x"), 6),
        (client.Stale("x"), 7),
        (client.Unavailable("x"), 8),
    ],
)
def test_an_error_ends_the_command_with_its_code(error, code):
    assert code_of(error) == code


@pytest.mark.parametrize("word", ["platforms", "platform", "Platforms", "platforms/x"])
def test_a_kind_may_be_named_in_several_ways(word):
    assert kind_of(word).collection == "platforms"


def test_an_unknown_kind_is_refused_with_the_nearest():
    with pytest.raises(Failure, match="did you mean 'platforms'"):
        kind_of("platfroms")


def test_a_name_without_its_collection_is_refused():
    with pytest.raises(Failure, match="platforms/songshan"):
        kind_of_name("songshan")


@pytest.mark.parametrize("word", ["start-construction", "start_construction", "StartConstruction"])
def test_an_action_may_be_written_in_several_ways(word):
    assert normal(word) == "start-construction"


def test_every_action_of_every_kind_is_a_command():
    for kind in registries().values():
        for action in kind.actions:
            assert isinstance(action_command(action), click.Command)


def test_no_action_hides_behind_a_command_of_the_same_name():
    actions = {action for kind in registries().values() for action in kind.actions}
    assert not actions & set(COMMANDS)


def test_the_options_of_an_action_are_the_fields_of_its_request():
    request = request_of(kinds()["platforms"].actions["recognize"])
    flags = {flag for option in options(request) for flag in option.opts}
    assert {"--document-number", "--effective-date", "--etag", "--request-id"} <= flags
    assert "--name" not in flags


def test_help_of_an_action_shows_the_options_of_the_named_record():
    outcome = invoke("recognize", "platforms/x", "--help")
    assert "--document-number" in outcome.output


def test_an_action_that_the_kind_lacks_is_refused_with_those_it_has(capsys):
    code, _, err = finish(capsys, "recognise", "platforms/x")
    assert code == 2
    assert "did you mean 'recognize'" in err
    assert "没有动作" in err


def test_an_unknown_command_is_refused_with_the_nearest(capsys):
    code, _, err = finish(capsys, "lsit", "platforms")
    assert code == 2
    assert "did you mean 'list'" in err


def test_an_unknown_option_is_refused_as_usage(capsys):
    code, _, err = finish(capsys, "get", "platforms/x", "--bogus")
    assert code == 2
    assert "--bogus" in err


def test_no_server_is_told_in_both_languages_without_a_traceback(capsys):
    code, _, err = finish(
        capsys, "get", "platforms/x", "--address", "127.0.0.1:1", "--deadline", "0.3"
    )
    assert code in (8, 9)
    assert "错误：" in err
    assert "luoshu serve" in err or "deadline" in err
    assert "Traceback" not in err


def test_global_options_may_stand_before_and_behind_the_command(monkeypatch):
    seen = []

    @click.command(cls=__import__("app.cli.session", fromlist=["Command"]).Command)
    @click.pass_context
    def probe(ctx):
        seen.append(ctx.find_root().obj)

    monkeypatch.setattr(type(cli), "get_command", lambda self, ctx, name: probe)
    invoke("--as", "DST:li", "probe", "--roles", "auditor", "--as", "DRC:wang", obj=Session())
    assert (seen[0].department, seen[0].actor, seen[0].roles) == ("DRC", "wang", "auditor")


def test_the_environment_says_who_calls(monkeypatch):
    monkeypatch.setenv("LUOSHU_AS", "DST:li")
    held = Session()
    invoke("template", "platforms", obj=held)
    assert (held.department, held.actor) == ("DST", "li")


def test_a_lifecycle_is_printed_without_a_server(capsys):
    code, out, _ = finish(capsys, "lifecycle", "platforms")
    assert code == 0
    assert "DRAFT\tsubmit\tSUBMITTED" in out


def test_a_lifecycle_as_a_diagram_begins_and_ends(capsys):
    code, out, _ = finish(capsys, "lifecycle", "platforms", "--format", "mermaid")
    assert code == 0
    lines = out.splitlines()
    assert lines[:2] == ["stateDiagram-v2", "    [*] --> DRAFT: create"]
    assert "    REVOKED --> [*]" in lines


def test_a_lifecycle_as_json(capsys):
    code, out, _ = finish(capsys, "lifecycle", "breakthroughs", "-o", "json")
    assert code == 0
    assert json.loads(out)[0]["from"] == "DRAFT"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_completion_script_asks_this_command(capsys, shell):
    code, out, _ = finish(capsys, "completion", shell)
    assert code == 0
    assert "_LUOSHU_COMPLETE" in out


def test_a_template_has_the_headings_that_the_import_reads(capsys):
    code, out, _ = finish(capsys, "template", "applications", "--language", "zh")
    assert code == 0
    assert "项目名称" in out
    assert "立项金额（万元）" in out


@pytest.mark.parametrize("name", ["platforms.csv", "platforms.jsonl"])
def test_a_file_without_rows_is_told_that_rows_are_missing(capsys, tmp_path, name):
    file = tmp_path / name
    file.write_text(invoke("template", "platforms").output if name.endswith("csv") else "")
    code, _, told = finish(capsys, "import", "platforms", str(file), "--dry-run")
    assert code == 3
    assert "the file has no rows" in told
    assert "文件中没有数据行" in told
