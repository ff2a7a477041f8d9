"""The kill switches on the page: anybody who decides stops, an owner lets go on."""

import pytest

from serving.corridor.stop_files import find_stop_file
from tests.serving.console.conftest import Office

BRANCH = "Абай 10"


def stops(office: Office, branch: str | None) -> tuple[bool, bool]:
    """Whether the store says stop, and whether a file does."""
    with office.store.reading() as session:
        row = session.switches.find_stop(branch=branch)
    return row is not None, find_stop_file(office.home, branch=branch) is not None


def test_operator_stops_everything_and_an_owner_lets_it_go_on(office: Office) -> None:
    operator, owner = office.sign_in("Omar"), office.sign_in("Dana")

    assert operator.post("/switches/stop", scope="all").status_code == 303
    page = operator.read("/switches")

    assert "Everything is stopped." in page
    assert "Omar stopped it" in page
    assert stops(office, None) == (True, True)
    assert ">Go on<" not in page
    assert operator.post("/switches/resume", scope="all").status_code == 403
    assert stops(office, None) == (True, True)
    assert ">Go on<" in owner.read("/switches")
    assert owner.post("/switches/resume", scope="all").status_code == 303
    assert stops(office, None) == (False, False)
    assert "Nothing is stopped." in owner.read("/switches")
    with office.store.reading() as session:
        said = [(one.by, one.words) for one in session.audit.read(subject="switch")]
    assert said == [("Omar", "Omar stops everything"), ("Dana", "Dana resumes everything")]


def test_branch_is_stopped_alone(office: Office) -> None:
    browser = office.sign_in("Dana")

    browser.post("/switches/stop", scope="branch", branch=BRANCH)

    assert stops(office, BRANCH) == (True, True)
    assert stops(office, "other") == (False, False)
    assert f"Branch {BRANCH} is stopped" in browser.read("/")
    browser.post("/switches/resume", scope="branch", branch=BRANCH)
    assert stops(office, BRANCH) == (False, False)


@pytest.mark.parametrize("branch", ["", "   ", "a\nb", "x" * 201])
def test_branch_that_cannot_be_one_stops_nothing_else(office: Office, branch: str) -> None:
    browser = office.sign_in("Dana")

    assert browser.post("/switches/stop", scope="branch", branch=branch).status_code == 400
    assert browser.post("/switches/stop", scope="nonsense").status_code == 400

    assert stops(office, None) == (False, False)


@pytest.mark.parametrize("branch", ["../../outside", "/etc/passwd", "..", "a\\b", "%2e%2e%2fx"])
def test_branch_never_leads_out_of_the_home(office: Office, branch: str) -> None:
    browser = office.sign_in("Dana")

    browser.post("/switches/stop", scope="branch", branch=branch)

    assert stops(office, branch) == (True, True)
    assert {path.parent for path in office.home.rglob("*")} == {office.home}
    browser.post("/switches/resume", scope="branch", branch=branch)
    assert stops(office, branch) == (False, False)


def test_switch_works_where_the_corridor_is_broken(office: Office) -> None:
    office.corridor.write_text("kinds: {", encoding="utf-8")
    browser = office.sign_in("Omar")

    page = browser.read("/switches")
    browser.post("/switches/stop", scope="all")

    assert "The corridor cannot be read" in page
    assert "these switches work all the same" in page
    assert stops(office, None) == (True, True)


def test_file_that_somebody_else_put_there_is_shown(office: Office) -> None:
    (office.home / "stop").touch()
    (office.home / "STOP.a%2Fb").touch()
    (office.home / "STOPPING").touch()

    page = office.sign_in("Dana").read("/switches")

    assert "the file stop is in the home" in page
    assert "Branch a/b" in page
    assert "STOPPING" not in page


def test_file_that_cannot_be_written_leaves_the_store_to_stop(office: Office) -> None:
    browser = office.sign_in("Dana")
    office.home.rmdir()
    office.home.touch()

    browser.post("/switches/stop", scope="all")
    page = browser.read("/switches")

    assert "The file could not be written" in page
    with office.store.reading() as session:
        assert session.switches.find_stop(branch=None) is not None
