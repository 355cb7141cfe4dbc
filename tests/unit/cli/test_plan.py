"""The plan of a stack: addresses, targets, and who gets which secret."""

from collections.abc import Mapping
from pathlib import Path

from gatepost_cli.ports import Ports
from gatepost_cli.supervisor.plan import Plan, Wanted, plan

EVERY_ADDRESS = "0.0.0.0"  # noqa: S104  planned, not bound
INSTANCES = {"gateway": 2, "auth": 2, "users": 1, "notify": 1}


def planned(host: str = "127.0.0.1", environ: Mapping[str, str] | None = None, *, together: bool = False) -> Plan:
    wanted = Wanted(
        host=host,
        port=8080,
        instances=dict.fromkeys(INSTANCES, 1) if together else INSTANCES,
        together=together,
        service_keys=("k" * 32, "old" * 16),
        master_key="master",
        dsns={"auth": "a", "users": "u", "notify": "n"},
        valkey_url="unix://v",
        media=Path("/data/media"),
    )
    with Ports() as held:
        return plan(wanted, environ or {}, held)


def environments(of: Plan) -> dict[str, Mapping[str, str]]:
    return {program.label: program.environment for stage in of.stages for program in stage}


def test_services_start_before_those_that_call_them() -> None:
    names = [sorted({program.name for program in stage}) for stage in planned().stages]
    assert names == [["notify-service", "user-service"], ["auth-service"], ["gateway"]]


def test_a_target_names_every_instance() -> None:
    plan = planned()
    listening = [env["GATEPOST_AUTH_LISTEN"] for env in environments(plan).values() if "GATEPOST_AUTH_LISTEN" in env]
    assert environments(plan)["gateway"]["GATEPOST_AUTH_TARGET"] == f"ipv4:{','.join(listening)}"
    assert len(set(listening)) == 2


def test_gateways_share_their_port_but_not_their_metrics() -> None:
    first, second = (environments(planned())[name] for name in ("gateway", "gateway.1"))
    assert first["GATEPOST_GATEWAY_LISTEN"] == second["GATEPOST_GATEWAY_LISTEN"] == "127.0.0.1:8080"
    assert first["GATEPOST_GATEWAY_METRICS_LISTEN"] != second["GATEPOST_GATEWAY_METRICS_LISTEN"]


def test_only_auth_service_gets_the_master_key_and_valkey() -> None:
    holders = [
        name for name, env in environments(planned()).items() if {"GATEPOST_MASTER_KEY", "GATEPOST_VALKEY_URL"} & {*env}
    ]
    assert holders == ["auth-service", "auth-service.1"]


def test_the_gateway_gets_no_database() -> None:
    assert not [name for name in environments(planned())["gateway"] if name.endswith("_DSN")]


def test_pictures_are_kept_in_the_data_folder_unless_the_environment_names_another() -> None:
    name = "GATEPOST_USERS_MEDIA_DIR"
    assert environments(planned())["user-service"][name] == "/data/media"
    assert environments(planned(environ={name: "/elsewhere"}))["user-service"][name] == "/elsewhere"


def test_the_outbox_page_is_off_where_others_could_open_it() -> None:
    assert planned("127.0.0.1").outbox_page
    assert not planned(EVERY_ADDRESS).outbox_page
    assert planned(EVERY_ADDRESS, {"GATEPOST_OUTBOX_PAGE": "true"}).outbox_page


def test_the_url_of_a_gateway_on_every_address_is_the_loopback_one() -> None:
    assert planned(EVERY_ADDRESS).url == "http://127.0.0.1:8080"
    assert planned("::1").url == "http://[::1]:8080"


def test_one_process_holds_all_services_which_call_each_other_within_it() -> None:
    plan = planned(together=True)
    ((program,),) = plan.stages
    environment = program.environment
    assert [held.name for held in program.holds] == ["notify-service", "user-service", "auth-service", "gateway"]
    assert environment["GATEPOST_AUTH_TARGET"] == "inprocess:auth-service"
    assert plan.targets["auth"] == f"ipv4:{environment['GATEPOST_AUTH_LISTEN']}"
    assert environment["GATEPOST_USERS_POSTGRES_DSN"] == "u"


def test_one_process_may_take_as_long_to_stop_as_its_services_one_after_the_other() -> None:
    ((program,),) = planned(together=True).stages
    assert program.grace_seconds == 3 * program.holds[0].grace_seconds
