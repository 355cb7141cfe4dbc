"""What a developer copies: the log-in link, the exchange and the question who it is, for his app in four languages.

The secret is never in there: it is read from the environment, where it belongs.
"""

from collections.abc import Mapping
from string import Template

SECRET_VARIABLE = "GATEPOST_APP_SECRET"  # noqa: S105 its name

_CURL = Template("""\
# 1. Send the person here; a random state comes back with the answer:
#    $login&state=RANDOM
# 2. Your redirect URL is called with ?auth_key=…&state=…
AUTH_KEY=...

# 3. Exchange the key, once, within five minutes:
curl --fail-with-body $base/authorize \\
  --data-urlencode app_id=$app_id \\
  --data-urlencode app_secret="$$GATEPOST_APP_SECRET" \\
  --data-urlencode auth_key="$$AUTH_KEY"

# 4. Ask who it is, with the access_token of the answer:
ACCESS_TOKEN=...
curl --fail-with-body $base/get_user_info \\
  --header "Authorization: Bearer $$ACCESS_TOKEN"
""")

_PHP = Template("""\
<?php
session_start();

function call(string $$url, array $$options): array {
    $$context = stream_context_create(['http' => $$options + ['ignore_errors' => true]]);
    return json_decode(file_get_contents($$url, false, $$context), true) ?? [];
}

if (!isset($$_GET['auth_key'])) {
    $$_SESSION['state'] = bin2hex(random_bytes(16));
    header('Location: $login&state=' . $$_SESSION['state']);
    exit;
}
if (!hash_equals($$_SESSION['state'] ?? '', $$_GET['state'] ?? '')) {
    exit('This sign-in was not started here.');
}

$$tokens = call('$base/authorize', [
    'method' => 'POST',
    'header' => 'Content-Type: application/x-www-form-urlencoded',
    'content' => http_build_query([
        'app_id' => '$app_id',
        'app_secret' => getenv('GATEPOST_APP_SECRET'),
        'auth_key' => $$_GET['auth_key'],
    ]),
]);
if (empty($$tokens['access_token'])) {
    exit('The sign-in failed: ' . ($$tokens['message'] ?? 'no answer'));
}

$$answer = call('$base/get_user_info', [
    'header' => 'Authorization: Bearer ' . $$tokens['access_token'],
]);
echo 'Hello ' . htmlspecialchars($$answer['user_info']['user_firstname']);
""")

_JAVASCRIPT = Template("""\
// Node.js 20 or later, on your server: the secret must never reach a browser.
import { randomUUID } from "node:crypto";

export function loginUrl(session) {
  session.state = randomUUID();
  return `$login&state=$${session.state}`;
}

export async function whoIsIt(session, query) {
  if (!session.state || query.state !== session.state) throw new Error("not started here");
  const exchange = await fetch("$base/authorize", {
    method: "POST",
    body: new URLSearchParams({
      app_id: "$app_id",
      app_secret: process.env.GATEPOST_APP_SECRET,
      auth_key: query.auth_key,
    }),
  });
  const tokens = await exchange.json();
  if (!tokens.access_token) throw new Error(tokens.message);

  const answer = await fetch("$base/get_user_info", {
    headers: { Authorization: `Bearer $${tokens.access_token}` },
  });
  return (await answer.json()).user_info;
}
""")

_PYTHON = Template("""\
# Python 3 alone; any HTTP library will do.
import json
import os
import secrets
from urllib.parse import urlencode
from urllib.request import Request, urlopen


def login_url(session):
    session["state"] = secrets.token_urlsafe()
    return "$login&" + urlencode({"state": session["state"]})


def who_is_it(session, query):
    if not secrets.compare_digest(session.get("state", ""), query.get("state", "")):
        raise PermissionError("not started here")
    form = {
        "app_id": "$app_id",
        "app_secret": os.environ["GATEPOST_APP_SECRET"],
        "auth_key": query["auth_key"],
    }
    with urlopen("$base/authorize", urlencode(form).encode()) as answer:
        tokens = json.load(answer)
    if "access_token" not in tokens:
        raise PermissionError(tokens["message"])

    headers = {"Authorization": "Bearer " + tokens["access_token"]}
    with urlopen(Request("$base/get_user_info", headers=headers)) as answer:
        return json.load(answer)["user_info"]
""")

_TEMPLATES: Mapping[str, Template] = {"curl": _CURL, "PHP": _PHP, "JavaScript": _JAVASCRIPT, "Python": _PYTHON}


def login_link(base_url: str, app_id: str) -> str:
    """Return where an app sends people who want to sign in.

    Args:
        base_url: Public address of the gateway, with the project's prefix if the app needs it.
        app_id: The app's public id, digits.
    """
    return f"{base_url}/api/oauth?app_id={app_id}"


def snippets(base_url: str, app_id: str) -> dict[str, str]:
    """Return the snippets of an app by language. Arguments as for `login_link`."""
    values = {"app_id": app_id, "base": f"{base_url}/api", "login": login_link(base_url, app_id)}
    return {language: template.substitute(values) for language, template in _TEMPLATES.items()}
