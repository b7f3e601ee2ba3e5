"""Who acts in the story. Departments are the province's; units, accounts and credit codes are made up."""

from app.demo.stage import Actor

UNIVERSITY = "12410100DEMA00013K"  # the codes' check characters are right, the units do not exist
CAR_INSTITUTE = "52410100DEMA00021A"
MACHINES = "91410300DEMA00013Q"
BEARINGS = "91410700DEMA000218"
ZHENGZHOU, LUOYANG = "410100", "410300"

UNITS = {
    UNIVERSITY: "中原示例大学",
    CAR_INSTITUTE: "郑州示例智能汽车研究院",
    MACHINES: "洛阳示例重型装备有限公司",
    BEARINGS: "新乡示例轴承有限公司",
}


def unit(code: str) -> dict[str, str]:
    """Return a unit as records name it."""
    return {"name": UNITS[code], "code": code}


UNIVERSITY_OFFICE = Actor(UNIVERSITY, "keyan.chu", ("applicant",))
CAR_OFFICE = Actor(CAR_INSTITUTE, "xiangmu.bu", ("applicant",))
MACHINES_OFFICE = Actor(MACHINES, "jishu.bu", ("applicant",))
BEARINGS_OFFICE = Actor(BEARINGS, "yanfa.bu", ("applicant",))
CAR_INVESTIGATOR = {"name": "程远", "identity_number": "410100198203040000"}
ZHENGZHOU_BUREAU = Actor(ZHENGZHOU, "chen.yu", ("recommender",))
LUOYANG_BUREAU = Actor(LUOYANG, "gao.jie", ("recommender",))

DST_OFFICER = Actor("DST", "zhang.min", ("case_officer",))
DST_APPROVER = Actor("DST", "li.wei", ("approver",))
DST_EXPERTS = Actor("DST", "zhuanjia.zu", ("expert_reviewer",))
DIIT_OFFICER = Actor("DIIT", "wang.fang", ("case_officer",))
DIIT_APPROVER = Actor("DIIT", "liu.yang", ("approver",))
DIIT_FINANCE = Actor("DIIT", "zhao.lei", ("finance_officer",))
DIIT_EXPERTS = Actor("DIIT", "zhuanjia.zu", ("expert_reviewer",))
DRC_OFFICER = Actor("DRC", "sun.hao", ("case_officer",))
FINANCE_OFFICER = Actor("FINANCE", "zhou.na", ("case_officer",))
IMPORTER = Actor("DST", "shuju.zu", ("importer",))
AUDITOR = Actor("FINANCE", "shenji.zu", ("auditor",))
