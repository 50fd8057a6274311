"""Makes the pictures of the README: the board and a conversation of the demo in a browser.

It plays the demo for a while first, so that there is something to see.
"""

import subprocess
import sys
from pathlib import Path
from time import sleep

import httpx
from browsers import launch
from playwright.sync_api import sync_playwright

TARGET = Path(__file__).parents[2] / "docs" / "pictures"
PLAYED = 60
"""Seconds that the demo plays."""


def main() -> None:
    """Make them."""
    words = [str(Path(sys.executable).with_name("dixa-state")), "demo", "--port", "0"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as demo:
        try:
            assert demo.stdout
            address = demo.stdout.readline().strip()
            sleep(PLAYED)
            TARGET.mkdir(exist_ok=True)
            take(address, {"board": "/", "conversation": f"/conversations/{eventful(address)}"})
        finally:
            demo.terminate()


def take(address: str, pages: dict[str, str]) -> None:
    """Take a picture of each page."""
    with sync_playwright() as playwright:
        browser = launch(playwright)
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        for name, path in pages.items():
            page.goto(address + path)
            page.wait_for_timeout(1_000)
            page.screenshot(path=TARGET / f"{name}.png")
        browser.close()


def eventful(address: str) -> int:
    """Return the number of the conversation in which most happened, a lost webhook too if any."""
    found = httpx.get(f"{address}/v1/conversations", params={"pageLimit": 200, "sort": "csid"})
    listed = found.raise_for_status().json()["data"]
    counts = [(one["counts"], one["csid"]) for one in listed]
    return int(max((bool(c["inferred"]) + bool(c["notes"]), c["events"], n) for c, n in counts)[2])


if __name__ == "__main__":
    main()
