from pathlib import Path

import pytest

from onhand.settings import Settings, SettingsError, knobs, load, shown


def test_defaults_are_within_their_own_bounds():
    loaded = load(variables={})
    assert set(loaded.origins.values()) == {"default"}
    assert (loaded.settings.host, loaded.settings.port) == ("127.0.0.1", 8300)
    assert loaded.settings.embedded


def test_the_first_source_that_names_a_value_wins(tmp_path):
    file = tmp_path / "onhand.toml"
    file.write_text("port = 1111\nlanes = 3\nbatch_max = 7\n")
    variables = {"ONHAND_PORT": "2222", "ONHAND_LANES": "4", "ONHAND_CONFIG": str(file)}
    loaded = load({"port": 3333, "lanes": None}, variables=variables)
    assert (loaded.settings.port, loaded.settings.lanes, loaded.settings.batch_max) == (3333, 4, 7)
    assert loaded.origins["port"] == "option"
    assert loaded.origins["lanes"] == "ONHAND_LANES"
    assert loaded.origins["batch_max"] == str(file)
    assert loaded.origins["host"] == "default"


def test_a_secret_may_lie_in_a_file_and_is_never_shown(tmp_path):
    file = tmp_path / "url"
    file.write_text("postgresql://u:hunter2@db/stock\n")
    loaded = load(variables={"ONHAND_DATABASE_URL_FILE": str(file)})
    assert loaded.settings.database_url is not None
    assert loaded.settings.database_url.get_secret_value() == "postgresql://u:hunter2@db/stock"
    assert loaded.origins["database_url"] == "ONHAND_DATABASE_URL_FILE"
    assert "hunter2" not in shown(loaded.settings, "database_url") + repr(loaded)


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"ONHAND_PORT": "99999"}, r"port \(from ONHAND_PORT\).*65535"),
        ({"ONHAND_AUTH": "none", "ONHAND_HOST": "0.0.0.0"}, "loopback"),  # noqa: S104
        ({"ONHAND_AUTH": "static"}, "needs static_token"),
        ({"ONHAND_DATABASE_URL": "mysql://x"}, "postgresql://"),
        ({"ONHAND_OIDC_ISSUER": "http://issuer.example"}, "https://"),
        ({"ONHAND_OIDC_ISSUER": "https://issuer.example"}, "oidc_audience"),
        ({"ONHAND_LANES": "8", "ONHAND_POOL_MAX": "8"}, "above lanes"),
        ({"ONHAND_DATABASE_URL_FILE": "/nowhere"}, "cannot read /nowhere"),
        ({"ONHAND_HTTP_ACTION_ALLOW": "hooks.example.com"}, "URL prefix"),
        ({"ONHAND_HTTP_ACTION_ALLOW": "https://a.example https://u:p@b.example"}, "u:p@b.example must be"),
    ],
)
def test_a_wrong_value_says_which_from_where_and_why(variables, message):
    with pytest.raises(SettingsError, match=message):
        load(variables=variables)


@pytest.mark.parametrize(
    ("options", "issuer"),
    [
        ({}, "http://127.0.0.1:8300"),
        ({"host": "0.0.0.0", "port": 9000}, "http://localhost:9000"),  # noqa: S104
        ({"host": "::1", "port": 9000}, "http://[::1]:9000"),
        ({"port": 9000, "public_url": "https://stock.example/"}, "https://stock.example"),
    ],
)
def test_the_issuer_follows_host_and_port_unless_there_is_a_public_address(options, issuer):
    assert load(options, variables={}).settings.issuer == issuer


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "::1", "localhost"])
def test_open_access_is_allowed_on_loopback(host):
    assert load({"host": host, "auth": "none"}, variables={}).settings.loopback


def test_a_misspelt_setting_is_found(tmp_path):
    file = tmp_path / "onhand.toml"
    file.write_text("prot = 1\n")
    with pytest.raises(SettingsError, match="Did you mean 'port'"):
        load(config=file, variables={})
    loaded = load(variables={"ONHAND_PROT": "1", "ONHAND_URL": "http://x", "ONHAND_PORT_FILE": ""})
    assert loaded.strangers == ("ONHAND_PROT",)


def test_a_broken_file_is_named(tmp_path):
    file = tmp_path / "onhand.toml"
    file.write_text("port = = 1\n")
    with pytest.raises(SettingsError, match="is not a TOML file"):
        load(config=file, variables={})
    with pytest.raises(SettingsError, match="cannot read the configuration file"):
        load(config=tmp_path / "none.toml", variables={})


def test_every_setting_has_a_reason_a_group_and_bounds_with_a_unit():
    for knob in knobs():
        assert knob.why.endswith("."), knob.name
        assert knob.group, knob.name
        assert knob.variable == f"ONHAND_{knob.name.upper()}"
        if knob.unit:
            assert " to " in knob.bounds, knob.name


def test_settings_are_frozen_and_read_nothing_themselves(monkeypatch):
    monkeypatch.setenv("ONHAND_PORT", "1")
    settings = Settings(data_directory=Path("x"))
    assert settings.port == 8300
    with pytest.raises(ValueError, match="frozen"):
        settings.port = 2


def test_urls_that_steps_may_call_are_separated_by_blanks():
    assert load(variables={}).settings.http_actions == ()
    variables = {"ONHAND_HTTP_ACTION_ALLOW": " https://a.example/x  http://localhost:8080 "}
    assert load(variables=variables).settings.http_actions == ("https://a.example/x", "http://localhost:8080")
