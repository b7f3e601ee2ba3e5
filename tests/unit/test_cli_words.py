"""What the command line explains before and after a call: options, times, callers, templates."""

import json

import click
import pytest
from click.testing import CliRunner

from app.cli import cli
from app.cli.callers import warn_of_unknown
from app.cli.demands import demand_required, fields_named, options_named, states_named
from app.cli.eligibility import _facts
from app.cli.failures import Failure
from app.cli.records import CHANGE, print_changes, print_csv, print_table
from app.cli.statement import SOURCES, _in_words
from app.cli.usage import start
from app.cli.values import demand_past, moment_of
from app.importing import headers
from app.importing.batches import Compiler
from app.importing.packs import tables, title
from app.importing.readers import Row
from app.settings import Settings, SettingsError
from luoshu import client
from luoshu.client.contract import comments, kinds, request_of
from luoshu.funding.v1 import funding_pb2
from luoshu.journal.v1 import journal_pb2
from luoshu.platforms.v1 import platforms_pb2 as pb


@click.command()
@click.option("--size", type=int)
def program(size):
    if size is None:
        raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [(["--seize", "1"], 2, "没有选项 --seize"), (["--size", "a"], 2, "须为整数"), ([], 130, "")],
)
def test_a_program_of_its_own_complains_in_both_languages(
    monkeypatch, capsys, arguments, code, told
):
    monkeypatch.setattr("sys.argv", ["program", *arguments])
    with pytest.raises(SystemExit) as ended:
        start(program)
    assert ended.value.code == code
    assert told in capsys.readouterr().err


def said(*arguments):
    return CliRunner().invoke(cli, arguments).output


def test_help_of_an_action_explains_what_is_required_and_what_may_be_repeated():
    text = said("opine", "reviews/x", "--help")
    assert "agree|agree_with_conditions|object|recuse" in text
    assert "必填" in text
    assert "可重复" in text


def test_help_without_a_record_shows_the_options_of_every_kind():
    text = said("record-expert-review", "--help")
    assert "Options for platforms" in text
    assert "Options for applications" in text


def test_every_field_that_an_action_asks_for_has_a_comment():
    own = {"name", "etag", "request_id", "validate_only", "effective_date"}
    for kind in kinds().values():
        for method in kind.actions.values():
            assert comments()[method.full_name]
            for field in request_of(method).DESCRIPTOR.fields:
                assert field.name in own or comments()[field.full_name], field.full_name


def test_missing_options_are_named_all_at_once():
    request = request_of(kinds()["platforms"].actions["recognize"])()
    with pytest.raises(Failure, match="--document-number"):
        demand_required(request, {"document_number": None})
    demand_required(request, {"document_number": "x"})


def test_a_refusal_names_the_option_and_not_the_field():
    request = request_of(kinds()["platforms"].actions["recognize"])()
    problem = client.Problem("document_number", "REQUIRED", "missing", "必填")
    with pytest.raises(client.Invalid) as raised, options_named(request):
        raise client.Invalid(
            "document_number: missing", "document_number：必填", problems=(problem,)
        )
    assert raised.value.text_en == "--document-number: missing"
    assert raised.value.text_zh == "--document-number：必填"
    assert raised.value.problems[0].field == "--document-number"


def test_a_refused_record_names_its_fields_as_they_are_given():
    problem = client.Problem("platform.title", "REQUIRED", "missing", "必填")
    told = {"text_en": "platform.title: missing", "text_zh": "platform.title：必填"}
    with pytest.raises(client.Invalid) as raised, fields_named("platform"):
        raise client.Invalid(**told, problems=(problem,))
    assert (raised.value.text_en, raised.value.text_zh) == ("title: missing", "title：必填")
    assert raised.value.problems[0].field == "title"


def test_a_time_without_zone_is_that_of_beijing():
    assert moment_of("2026-11-24 03:30:30").ToJsonString() == "2026-11-23T19:30:30Z"


def test_yesterday_ends_a_day_before_today():
    assert moment_of("today").seconds - moment_of("yesterday").seconds == 86_400


def test_a_read_time_in_the_future_is_refused():
    with pytest.raises(Failure, match="in the future"):
        demand_past(moment_of("2999-01-01"), "2999-01-01")
    demand_past(moment_of("today"), "today")


@pytest.mark.parametrize("known", ["DST", "410100", "91330100799655058B", ""])
def test_a_known_caller_gives_no_warning(known, capsys):
    warn_of_unknown(known)
    assert capsys.readouterr().err == ""


def test_a_department_that_is_a_slip_gives_a_warning_with_the_nearest(capsys):
    warn_of_unknown("DTS")
    err = capsys.readouterr().err
    assert "did you mean DST" in err
    assert "是否为 DST" in err


def test_a_department_by_its_chinese_name_gives_a_warning_with_its_id(capsys):
    warn_of_unknown("科技厅")
    assert "did you mean DST" in capsys.readouterr().err


def test_a_department_like_no_other_gives_a_warning_with_all_of_them(capsys):
    warn_of_unknown("qqqq")
    err = capsys.readouterr().err
    assert "known: DRC, DST, DIIT, FINANCE" in err
    assert "UNASSIGNED" not in err


def test_template_without_a_kind_lists_only_what_can_be_imported():
    listed = said("template").split()
    assert "platforms" in listed
    assert not {"reviews", "entries", "reports"} & set(listed)


def test_history_has_roles_and_no_empty_column_of_reasons(capsys):
    change = journal_pb2.Change(roles=["applicant"], to_state="STATE_DRAFT")
    print_changes([change], pb.Platform.DESCRIPTOR)
    out = capsys.readouterr().out
    assert "DRAFT 草稿" in out
    assert "applicant" in out
    assert "reason" not in out
    assert "reason" in CHANGE


def test_a_review_state_is_told_in_chinese():
    from app.cli.output import state_text
    from luoshu.coordination.v1 import coordination_pb2

    assert state_text(coordination_pb2.Review.DESCRIPTOR, "STATE_OPEN") == "OPEN 会签中"


def test_json_that_is_none_is_refused_with_an_example(capsys):
    from app.cli.values import assign

    with pytest.raises(Failure) as raised:
        assign(pb.Platform(), "contact", "{a")
    assert "contact.name=" in raised.value.en
    assert json.dumps({"name": "…"}, ensure_ascii=False)[:7] in raised.value.zh


def refusals(**cells):
    mapping = headers.mapping_of(kinds()["platforms"], cells, "", tables)
    refused = []
    list(Compiler(kinds()["platforms"], mapping).rows([Row(2, cells)], refused.append))
    return {refusal.column: refusal.text_zh for refusal in refused}


def test_every_problem_of_a_row_is_told_at_once_in_the_words_of_the_file():
    told = refusals(平台名称="甲", 状态="草搞", 行政区划="郑洲市", 研发人员数="三", 平台类型="")
    assert "草稿、已申报" in told["状态"]
    assert told["状态"].endswith("是否为 草稿？")
    assert told["行政区划"] == "“郑洲市”不是已知行政区划；是否为 郑州市？"
    assert told["研发人员数"]
    assert told["平台类型"] == "必填"


@pytest.mark.parametrize(
    ("word", "verdict"),
    [
        ("同意", "VERDICT_AGREE"),
        ("附条件同意", "VERDICT_AGREE_WITH_CONDITIONS"),
        ("OBJECT 不同意", "VERDICT_OBJECT"),
        ("recuse", "VERDICT_RECUSE"),
    ],
)
def test_a_choice_is_taken_as_the_screens_print_it(word, verdict):
    from app.cli.values import assign
    from luoshu.coordination.v1 import coordination_pb2

    request = coordination_pb2.OpineReviewRequest()
    assign(request, "verdict", word)
    assert request.verdict == coordination_pb2.Verdict.Value(verdict)
    assert "同意|附条件同意|不同意|回避" in said("opine", "reviews/x", "--help").replace("\n", "")


def test_every_choice_that_a_record_shows_has_a_chinese_word():
    from app.cli.output import choice

    without = {
        value.name
        for field in shown_choices()
        for value in field.enum_type.values
        if value.number and " " not in choice(field, value.number)
    }
    assert not without


def shown_choices():
    """Fields with choices of the records that lists and screens show; reports have words of their own."""
    waiting = [k.record.DESCRIPTOR for c, k in kinds().items() if c not in ("reports", "boards")]
    waiting.append(inbox_item())
    seen = set()
    while waiting:
        message = waiting.pop()
        if message.full_name in seen or not message.full_name.startswith("luoshu"):
            continue
        seen.add(message.full_name)
        yield from (field for field in message.fields if field.enum_type)
        waiting += [field.message_type for field in message.fields if field.message_type]


def inbox_item():
    from luoshu.coordination.v1 import coordination_pb2

    return coordination_pb2.InboxItem.DESCRIPTOR


def test_several_departments_in_one_word_are_refused_with_how_to_name_several():
    request = request_of(kinds()["breakthroughs"].actions["circulate"])()
    request.publishing_departments.append("DST,DRC")
    problem = client.Problem("publishing_departments[0]", "UNKNOWN_ENTRY", "no", "没有")
    with pytest.raises(client.Invalid) as raised, options_named(request):
        raise client.Invalid("no department 'DST,DRC'", "没有部门“DST,DRC”", problems=(problem,))
    often = "--publishing-departments DST --publishing-departments DRC"
    assert raised.value.text_en.endswith(f"to name several, repeat the option: {often}")
    assert raised.value.text_zh.endswith(f"多个值请重复该选项：{often}")


def test_a_chinese_refusal_calls_a_state_by_its_chinese_name():
    with pytest.raises(client.Refused) as raised, states_named(pb.Platform.DESCRIPTOR):
        raise client.Refused("cannot submit while STATE_ACCEPTED", "当前状态 STATE_ACCEPTED 不能")
    assert raised.value.text_zh == "当前状态 已受理 不能"
    assert raised.value.text_en == "cannot submit while STATE_ACCEPTED"


def test_help_of_create_lists_what_a_caller_may_write_and_nothing_else():
    text = said("create", "platforms", "--help")
    for line in ("title TEXT", "kind TEXT", "investment_fen AMOUNT", "contact.name TEXT"):
        assert line in text
    assert "平台名称" in text
    assert "official_number" not in text, "the service's own"
    assert "allowed_actions" not in text
    assert "platforms, " in said("create", "--help"), "without a kind it names those that there are"


def test_every_field_that_can_be_written_has_a_comment():
    from app.cli.fields import described

    for name in ("platforms", "breakthroughs", "programmes", "calls", "applications", "sanctions"):
        assert not [path for path, text in described(kinds()[name]) if not text]


@pytest.mark.parametrize(
    ("arguments", "chinese"),
    [
        (["get"], "缺少参数 NAME"),
        (["get", "platforms/x", "--bogus"], "没有选项 --bogus"),
        (["get", "platforms/x", "more"], "多余的参数：more"),
        (["get", "platforms/x", "--revision"], "选项 --revision 后须有值"),
        (["get", "platforms/x", "--revision", "0"], "--revision 的值无效：须为整数，范围 不小于 1"),
        (["-o", "xml", "get", "platforms/x"], "--output 的值无效：可用：table、json"),
        (["bid", "seal", "breakthroughs/x", "/no/such"], "CONTENT 的值无效：文件不存在或不能读取"),
    ],
)
def test_wrong_usage_is_told_in_chinese_too(arguments, chinese, capsys):
    from app.cli.failures import run

    assert run(cli, arguments) == 2
    err = capsys.readouterr().err
    assert "Error: " in err
    assert f"错误：{chinese}" in err


def test_a_change_that_found_no_connection_is_told_as_not_done(capsys):
    from app.cli.failures import run

    at = ("--address", "127.0.0.1:1", "--as", "DST:a", "--roles", "approver")
    assert run(cli, ["submit", "platforms/x", *at]) == 8
    err = capsys.readouterr().err
    assert "nothing was done" in err
    assert "操作没有执行" in err
    assert "not known" not in err


def award(currency: str) -> funding_pb2.Application:
    return funding_pb2.Application(name="applications/x", currency=currency, approved_fen=123456789)


def test_csv_opens_in_excel_with_amounts_as_whole_numbers_and_their_currency(capsys):
    print_csv([award("USD"), award("CNY")], ["name", "approved_fen"])
    assert capsys.readouterr().out.splitlines() == [
        "\ufeffname,approved_fen,currency",
        "applications/x,123456789,USD",
        "applications/x,123456789,CNY",
    ]


def test_a_cell_of_the_csv_is_never_a_formula(capsys):
    print_csv([funding_pb2.Application(title="=1+1")], ["title"])
    assert capsys.readouterr().out == "\ufefftitle\n'=1+1\n"


def test_a_table_with_amounts_says_of_which_currency_they_are(capsys):
    print_table([award("USD")], ["approved_fen"])
    assert capsys.readouterr().out == "approved_fen\tcurrency\n1,234,567.89 (123.45 万)\tUSD\n"


def test_ids_of_the_pack_have_their_names_in_chinese_only():
    cells = ["DIIT", "provincial-plans", "DIIT"]
    sections = {0: "departments", 1: SOURCES}
    assert _in_words(cells, sections, "zh") == [
        "DIIT 省工信厅",
        "provincial-plans 省级计划",
        "DIIT",
    ]
    assert _in_words(cells, sections, "en") == cells
    assert title("departments", "NOBODY") == ""


def test_a_reviews_outcome_is_told_in_the_language_asked_for():
    finding = funding_pb2.Finding()
    finding.facts.add(key="outcome", value="JOINT_REVIEW_OUTCOME_UNSPECIFIED")
    assert _facts(finding, "zh") == "outcome=尚无结论"
    assert _facts(finding, "en") == "outcome=JOINT_REVIEW_OUTCOME_UNSPECIFIED"


def test_a_settings_file_that_is_not_there_is_not_called_bad_toml(tmp_path):
    with pytest.raises(SettingsError) as told:
        Settings({"LUOSHU_CONFIG": str(tmp_path / "no.toml")})
    assert "无法读取" in str(told.value)
    assert "TOML" not in str(told.value)
