"""What pages share: browser sessions, protection of forms, languages, templates, consent.

Dialects that show pages and `pages` itself build on it. It knows no particular page, and asks the core only who a
visitor is and how a project looks.
"""

from gateway.web.paths import url

__all__ = ["url"]
