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
NO_VERBS = {"Put", "What", "Whether"}
"""How the docstring of a class may begin, but not that of a function."""
NAMES = re.compile(
    r"\b(Told|told|Lender|lender|Way|News|_Kept|Folded|Arrival|Refusal"
    r"|_lose_patience|PATIENCE|Readers|Feed|Inbox\.put|guess)\b"
)


FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def beginnings(tree: ast.Module) -> Iterator[tuple[str, bool]]:
    """Yield the first word of each docstring, and whether it is that of a function."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, *FUNCTIONS)) and (
            text := ast.get_docstring(node)
        ):
            yield text.split()[0].rstrip(".,:"), isinstance(node, FUNCTIONS)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_docstrings_begin_with_the_verbs_that_every_programmer_uses(path: Path) -> None:
    found = beginnings(ast.parse(path.read_text("utf-8")))
    wrong = [word for word, function in found if word in VERBS | (NO_VERBS if function else set())]
    assert wrong == []


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_names_are_those_of_the_field(path: Path) -> None:
    tree = ast.parse(path.read_text("utf-8"))
    names = {
        getattr(node, "id", None) or getattr(node, "name", None) or getattr(node, "attr", None)
        for node in ast.walk(tree)
    }
    assert [name for name in names if isinstance(name, str) and NAMES.fullmatch(name)] == []
