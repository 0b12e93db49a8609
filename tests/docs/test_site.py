"""The site: built strictly, complete, readable with the network off, on a desktop and on a phone."""

import html
import importlib
import re
import sys

import pytest
from paths import ROOT

sys.path.append(str(ROOT / "docs"))

from making import check_pages, reference_pages, sources
from making.speeds import of_functions, speeds

from manualgrad import testing

pytestmark = pytest.mark.exhaustive

EXPECTED = [
    *("index.html", "start.html", "backpropagation.html", "learn/chain.html", "learn/algorithm.html", "in-a-model.html"),
    *(
        "what-works.html",
        "half-precision.html",
        "fused.html",
        "write-your-own.html",
        "generated/checks.html",
        "torch-under-check.html",
    ),
    *("training.html", "speed.html", "how-it-works.html", "generated/reference/index.html", "changelog.html"),
    "contributing.html",
    *("generated/catalogue/index.html", "generated/catalogue/by-torch-name.html", "catalogue.html"),
]


def documents(site):
    """The paths of all pages."""
    return sorted(path.relative_to(site).as_posix() for path in site.rglob("*.html") if "_static" not in path.parts)


def text_of(site, path):
    return (site / path).read_text(encoding="utf-8")


def words_of(site, path):
    return html.unescape(re.sub(r"<[^>]*>", "", text_of(site, path)))


def test_the_site_is_built_without_a_warning_and_has_every_section(site):
    assert set(EXPECTED) <= set(documents(site))


def test_each_file_of_functions_that_holds_one_is_a_page_with_its_code(site):
    folder = ROOT / "manualgrad" / "functions"
    files = [path for path in folder.rglob("*.py") if re.search(r"\nclass \w+Function\(", path.read_text(encoding="utf-8"))]
    assert len(files) >= 50
    for file in files:
        path = file.relative_to(folder).with_suffix(".html").as_posix()
        shown = words_of(site, f"generated/catalogue/{path}")
        for line in file.read_text(encoding="utf-8").split('"""', 2)[2].splitlines():
            code = line.partition("  # noqa")[0].strip()
            if code.startswith(("def ", "return ", "ctx.")):
                assert code in shown, (file, code)


def test_each_page_of_the_catalogue_has_formulas_and_none_that_stands_as_it_was(site):
    for page in sources.pages():
        shown = text_of(site, f"generated/catalogue/{page.path.removesuffix('.py')}.html")
        assert 'class="math' in shown, page.path
        assert "highlight-text" not in shown, page.path


OF_A_BACKWARD = {"BCESlopeFunction"}  # which only another Function's backward applies


def test_what_was_measured_of_a_layer_stands_on_its_page(site):
    rows = [(page, row) for page, rows in speeds().items() for row in rows if page]
    assert len(rows) > 40
    for page, (layer, *_, ratio) in rows:
        shown = words_of(site, f"generated/catalogue/{page.removesuffix('.py')}.html")
        assert layer in shown, (page, layer)
        assert ratio in shown, (page, layer)


def test_what_was_measured_of_a_function_stands_on_its_page(site):
    for page in sources.pages():
        shown = " ".join(words_of(site, f"generated/catalogue/{page.path.removesuffix('.py')}.html").split())
        for cls in page.classes:
            if cls.__name__ in OF_A_BACKWARD:
                continue
            ratios = of_functions()[cls.__name__.removesuffix("Function")]
            assert len(ratios) == 3
            assert " ".join([cls.__name__, *ratios]) in shown, page.path


def test_every_name_that_by_hand_answers_is_in_the_index_by_torch_name(site):
    shown = text_of(site, "generated/catalogue/by-torch-name.html")
    names = {name for names in sources.names_of().values() for name in names}
    assert len(names) > 300
    for name in names:
        assert f">{name.rpartition('.')[2]}<" in shown, name


def test_the_functions_of_the_catalogue_are_found_behind_torchs_names():
    of_name = {
        name: {cls.__name__ for cls, names in sources.names_of().items() if name in names}
        for name in ("torch.nn.functional.layer_norm", "torch.tanh", "torch.div", "torch.topk", "torch.nn.functional.conv2d")
    }
    assert of_name["torch.nn.functional.layer_norm"] >= {"LayerNormFunction"}
    assert of_name["torch.tanh"] == {"TanhFunction"}
    assert "DivFunction" in of_name["torch.div"]
    assert "TopkFunction" in of_name["torch.topk"]
    assert "ConvolutionFunction" in of_name["torch.nn.functional.conv2d"]


def test_no_function_of_the_catalogue_is_without_a_name_of_torchs():
    nameless = {cls.__name__ for page in sources.pages() for cls in page.classes if not sources.names_of().get(cls)}
    assert nameless == OF_A_BACKWARD


@pytest.mark.parametrize("module", reference_pages.MODULES)
def test_every_public_name_is_in_the_reference(site, module):
    shown = text_of(site, f"generated/reference/{module}.html")
    for name in set(importlib.import_module(module).__all__) - {"nn", "testing", "functional"}:
        assert f'id="{module}.{name}"' in shown, name


def test_each_check_is_shown_with_a_function_that_fails_it(site):
    shown = words_of(site, "generated/checks.html")
    for check in testing.CHECKS:
        assert testing.WHAT[check].replace("`", "") in shown.replace("`", "").replace("’", "'"), check
    for check, (cls, _) in check_pages._shown().items():
        assert f"class {cls.__name__}(" in shown
        assert f"1 check: 1 failed ({check})" in shown


def test_formulas_are_typeset_with_the_network_off(site, visit):
    typeset = 0
    for path in documents(site):
        if 'class="math notranslate' not in text_of(site, path):
            continue
        page = visit(path)
        assert page.locator("mjx-merror").count() == 0, path
        assert page.locator("mjx-container").count() == text_of(site, path).count('class="math notranslate'), path
        typeset += 1
    assert typeset > 60


@pytest.mark.parametrize(
    "path", [*EXPECTED, *(f"generated/catalogue/{p}.html" for p in ("normalization/batch_norm", "attention"))]
)
def test_a_page_fits_its_window(visit, path):
    """What is too wide for it, a table or a line of code, moves by itself."""
    page = visit(path)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    height = page.viewport_size["height"]
    for width in (768, 1024, 1100, 1320, 1366):  # where furo has columns of its own widths
        page.set_viewport_size({"width": width, "height": height})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate("[...document.images].every(image => image.complete && image.naturalWidth > 0)")


def test_the_search_finds_batch_norm(visit):
    page = visit("index.html")
    if page.locator("label.nav-overlay-icon").is_visible():
        page.locator("label.nav-overlay-icon").click()
    page.locator(".sidebar-search").fill("batch norm")
    page.locator(".sidebar-search").press("Enter")
    page.locator("#search-results li a", has_text="Batch norm").first.click()
    page.wait_for_url("**/generated/catalogue/normalization/batch_norm.html*")
    assert page.locator("h1").inner_text().startswith("Batch norm")


def test_from_the_start_a_reader_comes_to_a_derivation_and_to_the_tutorial(visit):
    page = visit("index.html")
    page.locator("article a", has_text="The catalogue").click()
    page.locator("article a", has_text="Batch norm").first.click()
    assert page.locator("h1").inner_text().startswith("Batch norm")
    page = visit("index.html")
    page.locator("article a", has_text="Write your own layer").first.click()
    assert page.locator("h1").inner_text().startswith("Write your own layer")
