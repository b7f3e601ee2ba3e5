"""Registers a platform with the SDK: python create.py 127.0.0.1:50051. It retries by itself what carries a request id."""

import sys

from luoshu.client import LuoshuError, connect
from luoshu.platforms.v1.platforms_pb2 import CreatePlatformRequest, Platform

request = CreatePlatformRequest(
    platform_id="python-laboratory",
    request_id="072b5550-ba2e-448f-82e3-cbe8538440f8",  # made once for this change: the same for every try, and after a crash
    platform=Platform(
        title="河南省示例重点实验室",
        kind="key-laboratory",
        division="410100",
        direction="new-materials",
        supporting_unit_name="中原示例大学",
        supporting_unit_code="12410100DEMA00013K",
        recommending_unit="410100",
    ),
)
who = {"department": "12410100DEMA00013K", "actor": "li.na", "roles": ["applicant"]}
with connect(sys.argv[1], **who, deadline=10.0) as luoshu:
    try:
        platform = luoshu.platforms.CreatePlatform(request)
    except LuoshuError as error:
        sys.exit(f"{error.code} {error.text_en} {error.text_zh}")
print(platform.name, platform.etag, Platform.State.Name(platform.state))
