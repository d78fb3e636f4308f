"""Settings: defaults, readings, refusals."""

import inspect
import re
from pathlib import Path

import pytest

from taijitu.cli import asking
from taijitu.server.config import Config, ConfigError, load


def config(folder: Path, **settings: str) -> Config:
    return load({f"TAIJITU_{name}": value for name, value in settings.items()}, folder).config


def problem(folder: Path, **settings: str) -> str:
    with pytest.raises(ConfigError) as refused:
        config(folder, **settings)
    (sentence,) = refused.value.problems
    return sentence


def test_nothing_has_to_be_set(tmp_path: Path) -> None:
    settings, warnings = load({}, tmp_path)
    assert warnings == ()
    assert settings.data == tmp_path / "taijitu-data"
    assert (settings.host, settings.port) == ("127.0.0.1", 3000)
    assert settings.public_url == "http://localhost:3000"
    assert settings.did == "did:web:localhost%3A3000"
    assert settings.database_url.reveal() == f"sqlite://{tmp_path}/taijitu-data/taijitu.db"
    assert settings.bucket_url == f"file://{tmp_path}/taijitu-data/blobs"
    assert (settings.provision, settings.read, settings.key) == ("open", "public", None)
    assert settings.blob_size_max == 5 * 2**30
    assert settings.upload_window_ms == 86_400_000
    assert settings.upload_grace_ms == 900_000
    assert settings.receipt_window_ms == 604_800_000


def test_url_and_did_follow_where_the_service_listens(tmp_path: Path) -> None:
    for host, port, url, did in (
        ("127.0.0.1", "4000", "http://localhost:4000", "did:web:localhost%3A4000"),
        ("0.0.0.0", "80", "http://localhost", "did:web:localhost"),
        ("10.1.2.3", "3000", "http://10.1.2.3:3000", "did:web:10.1.2.3%3A3000"),
        ("::1", "3000", "http://localhost:3000", "did:web:localhost%3A3000"),
        (
            "2001:db8::1",
            "3000",
            "http://[2001:db8::1]:3000",
            "did:web:%5B2001%3Adb8%3A%3A1%5D%3A3000",
        ),
    ):
        settings = config(tmp_path, HOST=host, PORT=port)
        assert (settings.public_url, settings.did) == (url, did)


def test_the_did_follows_the_public_url(tmp_path: Path) -> None:
    settings = config(tmp_path, PUBLIC_URL="https://Store.Example.org:443/")
    assert settings.public_url == "https://store.example.org"
    assert settings.did == "did:web:store.example.org"
    assert config(tmp_path, DID="did:web:other.example").did == "did:web:other.example"


def test_one_provides_by_ones_own_name_unless_others_are_given(tmp_path: Path) -> None:
    settings = config(tmp_path, SPACE_CAPACITY="1000")
    assert settings.providers == (("did:web:localhost%3A3000", 1000),)
    names = "did:web:a.example, did:web:b.example=2KB"
    settings = config(tmp_path, SPACE_CAPACITY="1000", PROVIDERS=names)
    assert settings.providers == (("did:web:a.example", 1000), ("did:web:b.example", 2000))


def test_providers_may_be_a_list_in_the_file(tmp_path: Path) -> None:
    (tmp_path / "taijitu.toml").write_text('providers = ["did:web:a", "did:web:b=1KB"]')
    assert [name for name, _ in config(tmp_path).providers] == ["did:web:a", "did:web:b"]


def test_strangers_get_no_room_unless_only_this_machine_can_ask(tmp_path: Path) -> None:
    assert config(tmp_path, HOST="localhost").provision == "open"
    assert config(tmp_path, HOST="0.0.0.0").provision == "closed"
    settings, (warning,) = load({"TAIJITU_HOST": "0.0.0.0", "TAIJITU_PROVISION": "open"}, tmp_path)
    assert settings.provision == "open"
    assert "whoever can reach it" in warning


def test_strangers_get_no_room_behind_a_proxy(tmp_path: Path) -> None:
    assert config(tmp_path, PUBLIC_URL="https://store.example.org").provision == "closed"
    assert config(tmp_path, PUBLIC_URL="http://[::1]:8080").provision == "open"
    public = {"TAIJITU_PUBLIC_URL": "https://store.example.org", "TAIJITU_PROVISION": "open"}
    settings, (warning,) = load(public, tmp_path)
    assert settings.provision == "open"
    assert "known as https://store.example.org" in warning


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("1", 1),
        ("1048576", 2**20),
        ("10GiB", 10 * 2**30),
        ("10 gib", 10 * 2**30),
        ("1.5MB", 1_500_000),
        ("0.5KiB", 512),
        ("2TB", 2 * 10**12),
        ("7B", 7),
    ],
)
def test_sizes_are_read_as_people_write_them(tmp_path: Path, text: str, size: int) -> None:
    assert config(tmp_path, SPACE_CAPACITY=text).space_capacity == size


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SPACE_CAPACITY", "10Gi"),
        ("SPACE_CAPACITY", "0"),
        ("SPACE_CAPACITY", "-1"),
        ("BLOB_SIZE_MAX", "9999999TiB"),
        ("BLOB_SIZE_MAX", "1e9"),
        ("PORT", "0"),
        ("PORT", "65536"),
        ("PORT", "http"),
        ("HOST", "two words"),
        ("HOST", "http://x"),
        ("PUBLIC_URL", "ftp://x"),
        ("PUBLIC_URL", "http://x/store"),
        ("PUBLIC_URL", "http://user@x"),
        ("PUBLIC_URL", "http://x:99999"),
        ("PUBLIC_URL", "x"),
        ("DID", "did:key:z6Mk"),
        ("DID", "did:web:"),
        ("UPLOAD_WINDOW", "0"),
        ("UPLOAD_WINDOW", "604801"),
        ("UPLOAD_WINDOW", "1.5"),
        ("UPLOAD_GRACE", "-1"),
        ("RECEIPT_WINDOW", "never"),
        ("READ", "PUBLIC"),
        ("PROVISION", "yes"),
        ("WORKERS", "0"),
        ("DATABASE_URL", "mysql://x"),
        ("DATABASE_URL", "sqlite://"),
        ("BUCKET_URL", "/a/folder"),
        ("SMTP_URL", "http://x"),
        ("SMTP_URL", "smtp://user@"),
        ("SMTP_URL", "smtp://x:port"),
        ("SMTP_URL", "smtp://x:0"),
        ("PLANS", "free"),
        ("PROVIDERS", "did:key:z6Mk"),
        ("PROVIDERS", "did:web:a,"),
        ("PROVIDERS", "did:web:a,did:web:a=1GiB"),
        ("PROVIDERS", "did:web:a="),
        ("PROVIDERS", "did:web:a=much"),
        ("LOG", "xml"),
        ("TESTING", "maybe"),
    ],
)
def test_a_bad_value_is_refused_by_the_name_it_was_given_under(
    tmp_path: Path, name: str, value: str
) -> None:
    assert problem(tmp_path, **{name: value}).startswith(f"TAIJITU_{name} must be ")


def test_all_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        config(tmp_path, PORT="x", READ="x", SPACE_CAPACITY="x")
    assert len(refused.value.problems) == 3


def test_secrets_do_not_show_themselves(tmp_path: Path) -> None:
    settings = config(tmp_path, KEY="MgCxyzzy", DATABASE_URL="postgresql://u:xyzzy@h/d")
    assert "xyzzy" not in repr(settings)
    assert settings.key is not None
    assert settings.key.reveal() == "MgCxyzzy"
    assert "xyzzy" not in problem(tmp_path, DATABASE_URL="postgres://u:xyzzy@h/d")


def test_what_the_commands_of_a_client_take_is_no_unknown_setting(tmp_path: Path) -> None:
    names = re.findall(r'"(TAIJITU_[A-Z_]+)"', inspect.getsource(asking))
    assert {"TAIJITU_URL", "TAIJITU_AGENT_KEY", "TAIJITU_RECEIPTS"} <= {*names}
    assert load(dict.fromkeys(names, "x"), tmp_path)[1] == ()


def test_an_unknown_name_is_warned_about_with_the_likely_one(tmp_path: Path) -> None:
    _, (warning,) = load({"TAIJITU_SPACE_CAPCITY": "1", "OTHER": "x"}, tmp_path)
    assert "TAIJITU_SPACE_CAPCITY" in warning
    assert "did you mean TAIJITU_SPACE_CAPACITY?" in warning


def test_an_empty_setting_is_none(tmp_path: Path) -> None:
    assert config(tmp_path, PORT="", KEY="").port == 3000


def test_the_environment_wins_over_the_file_and_the_file_over_defaults(tmp_path: Path) -> None:
    (tmp_path / "taijitu.toml").write_text('port = 4000\nread = "closed"\ndata = "here"\n')
    settings = config(tmp_path, PORT="5000")
    assert (settings.port, settings.read, settings.data) == (5000, "closed", tmp_path / "here")


def test_the_file_may_be_elsewhere_and_its_paths_start_there(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "mine.toml").write_text('data = "data"\nspace_capacity = "1GiB"\n')
    settings = config(tmp_path, CONFIG="etc/mine.toml")
    assert settings.data == tmp_path / "etc" / "data"
    assert settings.space_capacity == 2**30


def test_a_file_that_was_named_must_be_there(tmp_path: Path) -> None:
    assert "does not exist" in problem(tmp_path, CONFIG="nowhere.toml")


@pytest.mark.parametrize("content", [b"port = ", b"\xff", b"[" * 5000, b"#" * 300_000])
def test_a_file_that_cannot_be_read_is_refused_in_words(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "taijitu.toml").write_bytes(content)
    assert "taijitu.toml" in problem(tmp_path)


def test_a_bad_value_in_the_file_is_refused_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "taijitu.toml").write_text('port = "x"\n')
    assert problem(tmp_path).startswith(f"port (in {tmp_path / 'taijitu.toml'}) must be ")


@pytest.mark.parametrize("value", ["true", "3000.0", "[3000]", "{a = 1}"])
def test_a_value_of_the_wrong_kind_is_refused(tmp_path: Path, value: str) -> None:
    (tmp_path / "taijitu.toml").write_text(f"port = {value}\n")
    assert "must be a whole number" in problem(tmp_path)


def test_the_gateway_is_as_open_as_reading_unless_it_is_set(tmp_path: Path) -> None:
    assert config(tmp_path).gateway == "public"
    assert config(tmp_path, READ="closed").gateway == "off"
    assert config(tmp_path, GATEWAY="off").gateway == "off"
    both = load({"TAIJITU_READ": "closed", "TAIJITU_GATEWAY": "public"}, tmp_path)
    assert both.config.gateway == "public"
    assert "everybody reads by CID" in both.warnings[0]
    assert 'must be "public" or "off"' in problem(tmp_path, GATEWAY="closed")
