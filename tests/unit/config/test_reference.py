"""Reference pages."""

from pathlib import Path

from pipeline.config.reference import pages, write
from tests.unit.config.fakes import FakeCatalog


def test_a_page(catalog: FakeCatalog) -> None:
    page = pages(catalog)["exporter-otlp_grpc.md"]
    assert page.startswith("# otlp_grpc exporter\n\nSignals: logs, metrics, traces.  \nAlso known as: `otlp`")
    assert "| `endpoint` | text | required |  |\n" in page
    assert "| `queue.size` | whole number | `1000` |  |\n" in page
    assert "| `wait` | duration or one of `never` | `never` |  |\n" in page
    assert "Keys of the Collector that are refused:\n\n| key | why |\n|---|---|\n| `profiles` | no profiles" in page


def test_docstrings_for_programmers_stay_out(catalog: FakeCatalog) -> None:
    page = pages(catalog)["receiver-otlp.md"]
    assert "Takes data in. And more." in page
    assert "for programmers" not in page


def test_a_component_without_keys(catalog: FakeCatalog) -> None:
    assert "It has no configuration keys." in pages(catalog)["extension-storage.md"]


def test_the_index_lists_all(catalog: FakeCatalog) -> None:
    made = pages(catalog)
    for name in set(made) - {"README.md"}:
        assert f"({name})" in made["README.md"]
    assert "| `drain_timeout` | duration | `30s` |" in made["service.md"]


def test_writing_drops_pages_of_components_that_are_gone(catalog: FakeCatalog, tmp_path: Path) -> None:
    folder = tmp_path / "pages"
    folder.mkdir()
    (folder / "exporter-gone.md").write_text("x")
    written = write(catalog, folder)
    assert {path.name for path in folder.iterdir()} == {path.name for path in written} == set(pages(catalog))
