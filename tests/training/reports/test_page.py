from pathlib import Path

from matplotlib.figure import Figure

from training.reports.page import Grid, Page, Picture, Section


def make_page() -> Page:
    figure = Figure(figsize=(2, 1))
    figure.subplots().plot([0, 1], [1, 0])
    section = Section(
        "Part <1>",
        ("First words.",),
        points=("A point & more",),
        grids=(Grid(("what", "how many"), [("<script>alert(1)</script>", "12")]),),
        pictures=(Picture(figure, "A line."),),
        listing='{"a": "<b>"}',
    )
    return Page("Title", "Lead", (section,), footer="End")


def test_page_escapes_every_text() -> None:
    html = make_page().to_html()

    assert "<script>" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert "Part &lt;1&gt;" in html
    assert "A point &amp; more" in html


def test_page_needs_no_network() -> None:
    html = make_page().to_html()

    assert "http://" not in html
    assert "https://" not in html
    assert 'src="data:image/svg+xml;base64,' in html


def test_page_is_written_whole(tmp_path: Path) -> None:
    path = make_page().write(tmp_path / "deep" / "report.html")

    assert path.read_text(encoding="utf-8").rstrip().endswith("</html>")
    assert [file.name for file in path.parent.iterdir()] == ["report.html"]
