"""The public page of a town as one file, to send or to archive: its style sheet inside, no link to another page."""

from __future__ import annotations

from bourg.portrait.page import TownPage, town_main
from bourg.site.layout import CSS, Frame, asset, whole_page
from bourg.site.towns import town_title


class NoLinks:
    """Addresses of a page that stands alone: there is no other page to lead to."""

    def home(self) -> str:
        """Return the top of the page itself."""
        return "#contenu"

    def town(self, code: str, name: str) -> str:
        """Return nothing."""
        del code, name
        return ""

    def departement(self, code: str) -> str:
        """Return nothing."""
        del code
        return ""

    def method(self, theme: str) -> str:
        """Return nothing."""
        del theme
        return ""

    def compare(self, code: str, name: str) -> str:
        """Return nothing."""
        del code, name
        return ""

    def data(self, code: str, name: str) -> str:
        """Return nothing."""
        del code, name
        return ""


def standalone_page(page: TownPage) -> str:
    """Return the page of a town as one HTML file that calls nothing: no request, no script."""
    links = NoLinks()
    portrait = page.portrait
    frame = Frame(title=town_title(portrait), description=portrait.headline(), assets="", home=links.home())
    name, style = asset(CSS)
    # The way back to the other pages leads nowhere here.
    main = town_main(page, links).partition("</ol></nav>")[2]
    before, link, after = whole_page(frame, main).partition(f'<link rel="stylesheet" href="{name}">')
    if not link:
        raise ValueError("the page has no style sheet")
    return f"{before}<style>\n{style.decode()}</style>{after}"
