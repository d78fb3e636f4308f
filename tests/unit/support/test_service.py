"""The harness that starts the real service, tried on a stand-in that can be told to misbehave."""

from pathlib import Path

import pytest

from support.service import Serve, Service, ServiceFailed, running

STAND_IN = """
import http.server, json, os, signal, sys

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps({"did": "did:web:service"}).encode())

if os.environ["TAIJITU_PORT"] == "none":
    sys.exit("TAIJITU_PORT: not a port")
signal.signal(signal.SIGTERM, lambda *_: sys.exit(int(os.environ.get("TAIJITU_EXIT", "0"))))
print("started", flush=True)
http.server.HTTPServer(("127.0.0.1", int(os.environ["TAIJITU_PORT"])), Handler).serve_forever()
"""


@pytest.fixture
def stand_in(tmp_path: Path) -> dict[str, str]:
    """Settings under which `python -m taijitu` is the stand-in."""
    package = tmp_path / "code" / "taijitu"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text(STAND_IN)
    return {"PYTHONPATH": str(package.parent)}


def test_a_service_keeps_its_port_when_it_is_killed_and_when_it_is_restarted(
    tmp_path: Path, stand_in: dict[str, str]
) -> None:
    with running(Service(tmp_path / "data", stand_in)) as service:
        url = service.url
        assert service.did == "did:web:service"
        service.kill()
        assert not service.is_healthy()
        service.start()
        assert service.restart().url == url
        assert service.is_healthy()
        assert service.output.count("started") == 3
    assert service.process is None


def test_one_that_exits_at_once_says_what_it_printed(
    tmp_path: Path, stand_in: dict[str, str]
) -> None:
    service = Service(tmp_path / "data", {**stand_in, "TAIJITU_PORT": "none"})
    with pytest.raises(ServiceFailed, match=r"exited with 1.*\nTAIJITU_PORT: not a port"):
        service.start()
    assert service.process is None


def test_one_that_does_not_end_in_good_order_fails_the_test(
    tmp_path: Path, stand_in: dict[str, str]
) -> None:
    with (
        pytest.raises(ServiceFailed, match="exited with 3"),
        running(Service(tmp_path / "data", {**stand_in, "TAIJITU_EXIT": "3"})),
    ):
        pass


def test_services_of_one_test_share_nothing(serve: Serve, stand_in: dict[str, str]) -> None:
    alice, bob = serve(**stand_in), serve(**stand_in)
    assert alice.url != bob.url
    assert alice.data != bob.data
