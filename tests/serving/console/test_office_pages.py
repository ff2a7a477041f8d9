"""Every page of the console, as people of each role see it."""

from tests.serving.console.conftest import Office
from tests.serving.console.scene import CASE, INCIDENT

PAGES = (
    "/",
    "/incidents",
    f"/incidents/{INCIDENT}",
    "/cases",
    f"/cases/{CASE}",
    "/tasks",
    "/tasks?whose=mine",
    "/tasks?whose=overdue",
    "/tasks?whose=settled",
    "/customers",
    "/customers?order=value",
    "/customers/c001",
    "/customers/c001?language=kk",
    "/switches",
    "/log",
    "/account",
    "/texts/",
    "/texts/cells/price_drop/sms/en",
)


def test_pages_need_somebody_signed_in(office: Office) -> None:
    pages = [office.open().read(path, status=401) for path in PAGES]

    assert all("<h1>Sign in</h1>" in page for page in pages)
    for secret in ("c002", "c010", "Cool Air", "Абай", "Trail running", "lost within"):
        assert not any(secret in page for page in pages)


def test_every_page_is_there_for_everybody(office: Office) -> None:
    for name in ("Vera", "Omar", "Dana"):
        browser = office.sign_in(name)
        for path in PAGES:
            assert f">{name}<" in browser.read(path)
