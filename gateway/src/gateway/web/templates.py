"""Templates of our pages: escaped by default, translated, in the look of the project; no script in any of them.

But one: a form of a project under attack has ours do its proof of work (`proof`).

Every template of a page extends `layout.html` and takes fields, buttons and the like from `parts.html`.
"""

from contextlib import suppress
from functools import partial
from typing import Any
from urllib.parse import parse_qsl, urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined

from gatepost.auth.v1.projects_pb2 import Project
from gateway.call import Call
from gateway.reply import Reply
from gateway.web import csrf, locale, paths
from gateway.web.look import look_of
from gateway.web.style import STYLE_URL
from runtime.errors import GatepostError

# No script, no frame, nothing from elsewhere. Chromium holds form-action against redirects after a form too (CSP 3,
# section 6.4.1), so a form that ends at an app names the app's origin.
_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action {targets}; frame-ancestors 'none'; "
    "base-uri 'none'"
)
_SCRIPT = "; script-src 'self'"
_SLASHES = "/\\"
_templates = Environment(
    loader=PackageLoader("gateway"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    extensions=["jinja2.ext.i18n"],
)
_templates.policies["ext.i18n.trimmed"] = True
_templates.install_gettext_callables(locale.gettext, locale.ngettext, newstyle=True)  # type: ignore[attr-defined]
_templates.globals["style_url"] = STYLE_URL


def render(template: str, **values: object) -> str:
    """Fill `templates/<template>`.

    Raises:
        jinja2.TemplateError: The template is missing or uses a value that is not given.
    """
    return _templates.get_template(template).render(values)


async def show(
    call: Call,
    template: str,
    *,
    status: int = 200,
    project: Project | None = None,
    form_origins: tuple[str, ...] = (),
    cookies: tuple[str, ...] = (),
    here: str = "",
    scripted: bool = False,
    **values: Any,
) -> Reply:
    """Answer with a page.

    Beside `values`, a template has `look` (see `look`), `language`, `languages` for the switch, `csrf()` for forms and
    `url(path, **query)`.

    Args:
        call: The request.
        template: File in `templates/`.
        status: HTTP status.
        project: Whose look; by default the request's, the house's if that cannot be found out.
        form_origins: Where else a form of the page may lead, such as `https://app.example`.
        cookies: More values of Set-Cookie.
        here: Address that shows this page again; by default the request's, without its form.
        scripted: Whether the page runs a script of ours.
        **values: For the template.
    """
    if project is None:
        with suppress(GatepostError):
            project = await call.project()
    html = render(
        template,
        look=look_of(project),
        language=locale.language(),
        languages=_switch(call, here),
        csrf=partial(csrf.token, call),
        url=partial(paths.url, call),
        **values,
    )
    headers = {
        "Content-Type": "text/html; charset=utf-8",
        "Content-Security-Policy": _POLICY.format(targets=" ".join(("'self'", *form_origins)))
        + (_SCRIPT if scripted else ""),
        "Content-Language": locale.language(),
    }
    everything = (*cookies, *csrf.cookies(call), *locale.cookies(call))
    return Reply(status=status, body=html.encode(), headers=headers, cookies=everything)


def _switch(call: Call, here: str) -> list[tuple[str, str, str]]:
    """Each language: tag, name of its own, and address of this page in it."""
    path, _, query = (here or call.target).partition("?")
    path = f"/{path.lstrip(_SLASHES)}"  # of `//host`, which browsers take for another site's address
    kept = [pair for pair in parse_qsl(query) if pair[0] != "lang"]
    return [(tag, name, f"{path}?{urlencode([*kept, ('lang', tag)])}") for tag, name in locale.LANGUAGES.items()]
