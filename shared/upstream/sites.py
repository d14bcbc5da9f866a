"""What differs between Tencent's China site and its International site, by name, so that no caller has to know.

Sources: https://cloud.tencent.com/document/api/1288/51034 (China, SDK 3.1.135),
https://www.tencentcloud.com/document/api/1084/39502 (International, 2026-03-31).
"""

from __future__ import annotations

from typing import NamedTuple


class Site(NamedTuple):
    """Endpoint, regions (the first is the default) and the numbers of the unsubscribe languages."""

    endpoint: str
    regions: tuple[str, ...]
    unsubscribe: dict[str, str]


_SHARED = {"none": "0", "zh-TW": "3", "es": "4", "fr": "5", "de": "6", "ja": "7", "ko": "8", "ar": "9", "th": "10"}

SITES = {
    "cn": Site(
        "https://ses.tencentcloudapi.com",
        ("ap-guangzhou", "ap-hongkong"),
        {**_SHARED, "zh-CN": "1", "en": "2", "id": "11", "vi": "12"},
    ),
    # 1 and 2 are swapped on the International site, and 12 does not exist there.
    "intl": Site(
        "https://ses.intl.tencentcloudapi.com",
        ("ap-singapore",),
        {**_SHARED, "en": "1", "zh-CN": "2", "id": "11"},
    ),
}
