"""Templates of our pages, escaped by default. Text comes in as values only; there is no script in any of them."""

from jinja2 import Environment, PackageLoader, StrictUndefined

_templates = Environment(
    loader=PackageLoader("gateway"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
)


def render(template: str, **values: object) -> str:
    """Fill `templates/<template>`.

    Raises:
        jinja2.TemplateError: The template is missing or uses a value that is not given.
    """
    return _templates.get_template(template).render(values)
