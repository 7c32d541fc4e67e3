"""`make manual`: write the manual page."""

from __future__ import annotations

from tests.manual.page import PAGE, manual_page

if __name__ == "__main__":
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(manual_page(), encoding="ascii")
    print(f"made {PAGE}")
