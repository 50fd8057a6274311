"""The code speaks the field's words: docstrings begin with plain verbs, names are not private."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import dixa_state

PACKAGE = Path(dixa_state.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))
VERBS = {"Give", "Tell", "Let", "Have", "Take", "Say", "Enter", "Go"}
NAMES = re.compile(
    r"\b(Told|told|Lender|lender|Way|News|_Kept|Folded|Arrival|Refusal"
    r"|_lose_patience|PATIENCE|Readers|Feed|Inbox\.put|guess)\b"
)


def docstrings(tree: ast.Module) -> Iterator[str]:
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    for node in ast.walk(tree):
        if isinstance(node, documented) and (text := ast.get_docstring(node)):
            yield text


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_docstrings_begin_with_the_verbs_that_every_programmer_uses(path: Path) -> None:
    texts = docstrings(ast.parse(path.read_text("utf-8")))
    assert [text for text in texts if text.split()[0].rstrip(".,:") in VERBS] == []


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_names_are_those_of_the_field(path: Path) -> None:
    tree = ast.parse(path.read_text("utf-8"))
    names = {
        getattr(node, "id", None) or getattr(node, "name", None) or getattr(node, "attr", None)
        for node in ast.walk(tree)
    }
    assert [name for name in names if isinstance(name, str) and NAMES.fullmatch(name)] == []
