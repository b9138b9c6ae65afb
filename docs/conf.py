"""Sphinx makes the documentation of these settings: ``nox -s docs``."""

from __future__ import annotations

import builtins
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from docutils import nodes
from pydantic import BaseModel
from sphinx.addnodes import pending_xref
from sphinx.domains.python import PyObject

from actium.models import BaseResponse

if TYPE_CHECKING:
    from sphinx.application import Sphinx

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(Path(__file__).parent))  # for flavor_tables

project = "Actium"
author = project_copyright = "the authors of Actium"
core = tomllib.loads((ROOT / "core" / "pyproject.toml").read_text())
release = version = core["project"]["version"]

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "sphinxcontrib.mermaid",
    "flavor_tables",
]
exclude_patterns = ["_build"]
default_role = "any"
add_module_names = False
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 110

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
myst_fence_as_directive = ["mermaid"]  # code hosts draw this fence, too

mermaid_light_theme = "neutral"
mermaid_height = "auto"
mermaid_fullscreen = False

copybutton_exclude = ".linenos, .gp, .go"  # of a shell session, what is typed

autodoc_default_options = {
    "members": True,
    "exclude-members": "model_config, CLEARABLE, COLUMNS",
}
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_attr_annotations = False
napoleon_use_rtype = False

html_theme = "furo"
html_title = f"Actium {release}"
pygments_dark_style = "github-dark"
html_static_path = ["_static"]
html_css_files = ["actium.css"]
html_theme_options = {
    "light_css_variables": {
        "color-brand-primary": "#0b5d6b",
        "color-brand-content": "#0b6b7a",
    },
    "dark_css_variables": {
        "color-brand-primary": "#5cc8d8",
        "color-brand-content": "#6fd3e2",
    },
}

Signature = tuple[str | None, str | None]


def field_signature(
    _app: Sphinx,
    _what: str,
    _name: str,
    model: Any,
    _options: object,
    signature: str | None,
    returned: str | None,
) -> Signature:
    """Show a model's fields as its source declares them.

    pydantic's own signature would spell out every constraint.
    """
    if not isinstance(model, type) or not issubclass(model, BaseModel):
        return signature, returned
    if issubclass(model, BaseResponse):
        return "", None  # responses are made by Actium only
    declared = {
        name: text
        for base in reversed(model.__mro__)
        for name, text in vars(base).get("__annotations__", {}).items()
    }
    fields = [
        f"{name}: {declared[name]}"
        + ("" if field.is_required() else f" = {_default(field.default)}")
        for name, field in model.model_fields.items()
    ]
    return (f"(*, {', '.join(fields)})" if fields else "()"), None


def _default(value: object) -> str:
    return repr(value) if isinstance(value, str | int | None) else "..."


def unlink_builtins(_app: Sphinx, doctree: nodes.document) -> None:
    """Keep ``list`` and ``type`` in signatures from being linked to methods."""
    for reference in list(doctree.findall(pending_xref)):
        name = reference.get("reftarget")
        if reference.get("reftype") == "class" and name in vars(builtins):
            reference.replace_self(nodes.Text(name))


def name_of_others(
    _app: Sphinx, _env: object, reference: pending_xref, shown: nodes.Element
) -> nodes.Element | None:
    """Show names that are not described here, such as those of Typer, as they are."""
    name = str(reference["reftarget"])
    others = ("actium_cli.", "pytest_actium.", "rich.", "typer.")
    return shown if name.startswith(others) or name in vars(builtins) else None


def setup(app: Sphinx) -> None:
    """Take part in how autodoc describes models and attributes, and links names."""
    for field in PyObject.doc_field_types:
        if field.name == "variable":
            field.label = "Attributes"
    app.connect("autodoc-process-signature", field_signature)
    app.connect("doctree-read", unlink_builtins)
    app.connect("missing-reference", name_of_others)
