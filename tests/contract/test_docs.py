"""What README says is what the code does."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def test_every_setting_that_is_read_is_in_readme_and_in_serverless_yml():
    """And README names none that nobody reads."""
    code = "".join(path.read_text() for path in (ROOT / "shared/edge").glob("*.py"))
    read = set(
        re.findall(r'"((?:MAILTRAIL|SES|SEND|WEBHOOK|TOKEN|SENDCLOUD|COS|LOG|UNSUBSCRIBE|TENCENTCLOUD)_[A-Z_]+)"', code)
    )
    section = README.split("## Settings")[1].split("## ")[0]
    told = set(
        re.findall(
            r"`((?:MAILTRAIL|SES|SEND|WEBHOOK|TOKEN|SENDCLOUD|COS|LOG|UNSUBSCRIBE|TENCENTCLOUD)_[A-Z_]+)`", section
        )
    )
    short = {"TENCENTCLOUD_SECRET_KEY", "TENCENTCLOUD_TOKEN"}  # README writes them `_SECRET_KEY`, `_TOKEN`
    assert read - short == told
    deployed = (ROOT / "serverless.yml").read_text()
    missing = {name for name in read if not name.startswith("TENCENTCLOUD") and f"{name}:" not in deployed}
    assert missing == {"MAILTRAIL_CLOCK_OFFSET_S", "MAILTRAIL_WORLD"}  # localcloud's alone


def test_every_problem_code_of_the_functions_is_in_readme():
    """A caller can look every code up."""
    sources = [*(ROOT / "functions").rglob("*.py"), ROOT / "shared/edge/http_event.py"]
    raised = set()
    for source in sources:
        raised |= set(re.findall(r'Problem\(\s*\d+,\s*"([a-z_]+)"', source.read_text()))
        raised |= set(re.findall(r'_again\("([a-z_]+)"', source.read_text()))
    section = README.split("## Errors")[1].split("## Callbacks")[0]
    assert raised <= set(re.findall(r"`([a-z_]+)`", section))
    assert len(raised) >= 12


def test_the_event_files_that_readme_and_docs_name_exist():
    """`events/…` in the documents."""
    for document in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")):
        for name in re.findall(r"events/[a-z]+/[a-z0-9-]+\.json", document.read_text()):
            assert (ROOT / name).is_file(), f"{document.name} names {name}"


def test_relative_links_of_the_documents_lead_somewhere():
    """No dead end inside the repository."""
    for document in (*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), ROOT / "events/README.md"):
        for target in re.findall(r"\]\((?!https?://)([^)#]+)", document.read_text()):
            assert (document.parent / target).exists(), f"{document.name} links to {target}"


def test_the_example_of_localcloud_md_runs():
    """The in-process example, as it stands in the document, with the SDK's client where it says `...`."""
    text = (ROOT / "docs/localcloud.md").read_text()
    code = text.split("```python")[1].split("```")[0]
    scope: dict[str, object] = {}
    exec(compile(code, "docs/localcloud.md", "exec"), scope)  # noqa: S102 - our own document
    scope["test_a_mail"]()  # type: ignore[operator]
