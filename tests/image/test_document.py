"""docs/container.md, command by command, on the ports that it names; and the manifest for Kubernetes."""

import os
import re
import socket
import subprocess
from pathlib import Path

import kubernetes_validate
import pytest
import yaml
from engine import HOST, free_ports, images

REPOSITORY = Path(__file__).parents[2]
DOCUMENT = REPOSITORY / "docs" / "container.md"
MANIFEST = REPOSITORY / "etc" / "kubernetes.yaml"
PORTS = (4055, 8042, 4242, 14055)
SECONDS = 300
KUBERNETES_VERSIONS = ("1.28", kubernetes_validate.latest_version())
MARK = "== block "
EXPECTED = {
    "docker run --rm pfdcm --version": "Version: ",
    "until docker exec pfdcm-alone": "pfdcm answers on port 4055",
    "http://localhost:8042/instances": '"Status" : "Success"',
    '"var": "/PACS"': '"status": true',
    '"do": "everything"': '"status": true',
    '"var": "/"': '"jobstatus"',
    '"do": "query"': "1.3.6.1.4.1.5962.1.1.0.0.0.1196530851.28319.0.2",
    '"do": "retrieve"': "00018-1.3.6.1.4.1.5962.1.1.0.0.0.1196530851.28319.0.93.dcm",
}


def blocks():
    return re.findall(r"^```sh\n(.*?)^```", DOCUMENT.read_text(), re.MULTILINE | re.DOTALL)


def is_free(port):
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) != 0


@pytest.fixture(scope="module")
def outputs():
    """What each block wrote, in the document's order, in one shell that ends at the first failure."""
    taken = [port for port in PORTS if not is_free(port)]
    assert not taken, f"the document's ports are taken: {taken}"
    script = "".join(f"echo '{MARK}{number}'\n{block}\n" for number, block in enumerate(blocks()))
    environment = {
        **os.environ,
        "COMPOSE_PROJECT_NAME": "pfdcmdocument",
        "IMAGES": str(images()[0].parents[2]),
        "PFDCM_DICOM_PORT": str(free_ports(1)[0]),
    }
    try:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=REPOSITORY,
            env=environment,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    finally:
        subprocess.run(["docker-compose", "down", "-v"], cwd=REPOSITORY, env=environment, check=False, timeout=60)
        subprocess.run(["docker", "rm", "-f", "-v", "pfdcm-alone"], check=False, timeout=60)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout.split(MARK)[1:]


@pytest.mark.parametrize("command", EXPECTED)
def test_a_block_of_the_document_does_what_it_says(outputs, command):
    (number,) = [number for number, block in enumerate(blocks()) if command in block]
    assert EXPECTED[command] in outputs[number]


def test_compose_needs_nothing_that_its_first_versions_lack():
    composed = yaml.safe_load((REPOSITORY / "compose.yaml").read_text())
    assert set(composed) == {"services", "volumes"}
    subprocess.run(["docker-compose", "config", "-q"], cwd=REPOSITORY, check=True, timeout=60)


@pytest.mark.parametrize("version", KUBERNETES_VERSIONS)
def test_the_manifest_is_valid(version):
    documents = list(yaml.safe_load_all(MANIFEST.read_text()))
    for document in documents:
        kubernetes_validate.validate(document, version, strict=True)
    assert [document["kind"] for document in documents] == ["Service", "StatefulSet", "NetworkPolicy"]


def test_the_manifest_is_for_this_image():
    (container,) = next(
        document["spec"]["template"]["spec"]["containers"]
        for document in yaml.safe_load_all(MANIFEST.read_text())
        if document["kind"] == "StatefulSet"
    )
    assert [port["containerPort"] for port in container["ports"]] == [4055, 10402]
    assert {mount["mountPath"] for mount in container["volumeMounts"]} >= {"/dicom", "/var/lib/pfdcm"}
