"""China and International differ in endpoint, regions and the numbers of the unsubscribe languages."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest

from shared.upstream.sites import SITES

LANGUAGES = {"none", "zh-CN", "en", "zh-TW", "es", "fr", "de", "ja", "ko", "ar", "th", "id"}


def test_there_are_the_two_sites_of_tencent():
    """The names that SES_SITE takes."""
    assert set(SITES) == {"cn", "intl"}
    assert SITES["cn"].endpoint == "https://ses.tencentcloudapi.com"
    assert SITES["intl"].endpoint == "https://ses.intl.tencentcloudapi.com"


@pytest.mark.parametrize("name", SITES)
def test_a_site_is_a_bare_https_host_with_a_default_region(name: str):
    """Credentials never travel in the clear, and the Host that is signed is the host that is asked."""
    site = SITES[name]
    url = urlsplit(site.endpoint)
    assert (url.scheme, url.path, url.query) == ("https", "", "")
    assert site.regions
    assert all(region.startswith("ap-") for region in site.regions)


@pytest.mark.parametrize("name", SITES)
def test_every_language_has_one_number_of_its_own(name: str):
    """Two languages under one number would unsubscribe somebody in a language of chance."""
    numbers = SITES[name].unsubscribe
    assert set(numbers) >= LANGUAGES
    assert len(set(numbers.values())) == len(numbers)
    assert all(number.isdigit() for number in numbers.values())
    assert numbers["none"] == "0"


def test_chinese_and_english_are_swapped_between_the_sites():
    """China: 1 Simplified Chinese, 2 English, 12 Vietnamese. International: the other way round, and no 12."""
    china, abroad = SITES["cn"].unsubscribe, SITES["intl"].unsubscribe
    assert (china["zh-CN"], china["en"], china["vi"]) == ("1", "2", "12")
    assert (abroad["en"], abroad["zh-CN"]) == ("1", "2")
    assert "vi" not in abroad
    same = LANGUAGES - {"en", "zh-CN"}
    assert {name: china[name] for name in same} == {name: abroad[name] for name in same}
