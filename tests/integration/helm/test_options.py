"""What each value of the chart does."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from tests.servers.collectors import ROOT
from tests.servers.helm import CHART, GATEWAY, NEWEST, OLDEST, SIDECAR, Manifest, Manifests, render

DISK: Manifest = {**GATEWAY, "persistence": {"enabled": True}}


def env(manifests: Manifests) -> dict[str, Any]:
    """The environment of the container, by name."""
    return {variable["name"]: variable for variable in manifests.container["env"]}


def kinds(manifests: Manifests) -> set[str]:
    """What there is."""
    return {manifest["kind"] for manifest in manifests.all}


class TestModes:
    def test_a_gateway_is_a_deployment_behind_a_service(self) -> None:
        found = kinds(render(GATEWAY))
        assert found == {"Deployment", "Service", "ConfigMap", "ServiceAccount", "PodDisruptionBudget", "Pod"}

    def test_with_a_disk_it_is_a_stateful_set_with_a_headless_service(self) -> None:
        manifests = render(DISK)
        assert "Deployment" not in kinds(manifests)
        stateful = manifests.one("StatefulSet")["spec"]
        assert stateful["serviceName"] == "penstock-headless"
        headless = manifests.service("headless")
        assert headless["metadata"]["name"] == "penstock-headless"
        assert headless["spec"]["clusterIP"] == "None"

    def test_node_agents_are_reached_on_their_own_node(self) -> None:
        manifests = render({**GATEWAY, "mode": "daemonset"})
        assert kinds(manifests) == {"DaemonSet", "Service", "ConfigMap", "ServiceAccount", "Pod"}
        assert manifests.service("main")["spec"]["internalTrafficPolicy"] == "Local"

    def test_what_is_reached_from_outside_shows_no_metrics(self) -> None:
        manifests = render({**GATEWAY, "service": {"type": "LoadBalancer"}})
        assert manifests.service("main")["spec"]["type"] == "LoadBalancer"
        assert {port["port"] for port in manifests.service("main")["spec"]["ports"]} == {4317, 4318}
        assert manifests.service("metrics")["spec"]["clusterIP"] == "None"

    def test_what_takes_no_telemetry_has_no_service_for_it(self) -> None:
        values = {"preset": "worker-kafka", "kafka": {"broker": "kafka:9092"}, "backend": GATEWAY["backend"]}
        (service,) = render(values).of("Service")
        assert service["metadata"]["name"] == "penstock-metrics"

    def test_a_sidecar_is_a_config_map(self) -> None:
        assert kinds(render(SIDECAR)) == {"ConfigMap"}

    def test_its_example_is_an_init_container_that_goes_on(self) -> None:
        manifests = render({**SIDECAR, "sidecar": {"example": {"enabled": True}}})
        sidecar = manifests.container
        assert sidecar["restartPolicy"] == "Always"
        assert sidecar["startupProbe"]
        assert "lifecycle" not in sidecar
        (application,) = manifests.pod["containers"]
        assert application["args"][0] == "replay"
        protocols = manifests.configuration["receivers"]["otlp"]["protocols"]
        assert f"http://{protocols['http']['endpoint']}" in application["args"]
        assert env(manifests)["PENSTOCK_GATEWAY"]["value"] == "tempo.observability:4317"


class TestSidecarOfAnotherChart:
    @pytest.fixture
    def application(self, tmp_path: Path) -> Path:
        folder = tmp_path / "application"
        shutil.copytree(ROOT / "tests" / "data" / "helm" / "application", folder)
        shutil.copytree(CHART, folder / "charts" / "penstock")
        return folder

    def test_its_pods_take_it_in(self, application: Path) -> None:
        manifests = render({}, chart=application)
        kubernetes_validate.validate(manifests.workload, NEWEST, strict=True)
        (config_map,) = (volume for volume in manifests.pod["volumes"] if "configMap" in volume)
        assert config_map["configMap"]["name"] == manifests.one("ConfigMap")["metadata"]["name"]
        assert manifests.container["restartPolicy"] == "Always"
        mounted = {mount["name"] for mount in manifests.container["volumeMounts"]}
        assert mounted == {volume["name"] for volume in manifests.pod["volumes"]}
        template = manifests.workload["spec"]["template"]["metadata"]
        assert template["labels"]["penstock/sidecar"] == "penstock"
        assert template["annotations"]["checksum/penstock-config"]

    def test_a_pod_monitor_finds_them(self, application: Path) -> None:
        manifests = render({"penstock": {"serviceMonitor": {"enabled": True}}}, chart=application)
        selector = manifests.one("PodMonitor")["spec"]["selector"]["matchLabels"]
        assert selector.items() <= manifests.workload["spec"]["template"]["metadata"]["labels"].items()


class TestLifeOfAPod:
    def test_it_leaves_the_service_then_drains_and_has_time_for_both(self) -> None:
        manifests = render({**GATEWAY, "preStopSeconds": 7, "drainTimeoutSeconds": 90})
        assert manifests.pod["terminationGracePeriodSeconds"] == 127
        assert manifests.container["lifecycle"]["preStop"] == {"sleep": {"seconds": 7}}
        assert manifests.configuration["service"]["drain_timeout"] == "90s"

    def test_where_kubernetes_cannot_sleep_the_container_does(self) -> None:
        assert render(GATEWAY, OLDEST).container["lifecycle"]["preStop"] == {"exec": {"command": ["sleep", "5"]}}

    def test_without_a_wait_there_is_no_hook(self) -> None:
        assert "lifecycle" not in render({**GATEWAY, "preStopSeconds": 0}).container

    def test_a_time_that_is_given_is_taken(self) -> None:
        assert render({**GATEWAY, "terminationGracePeriodSeconds": 600}).pod["terminationGracePeriodSeconds"] == 600

    def test_a_pod_that_does_not_get_ready_replaces_none(self) -> None:
        strategy = render(GATEWAY).workload["spec"]["strategy"]
        assert strategy["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}

    def test_a_probe_can_be_left_out_or_changed(self) -> None:
        container = render({**GATEWAY, "probes": {"liveness": None, "readiness": {"periodSeconds": 9}}}).container
        assert "livenessProbe" not in container
        assert container["readinessProbe"]["periodSeconds"] == 9

    def test_probes_follow_the_page(self) -> None:
        page = {"path": "/up", "endpoint": "0.0.0.0:9999", "tls": {"cert_file": "/c", "key_file": "/k"}}
        probe = render({**GATEWAY, "config": {"extensions": {"health_check": page}}}).container["readinessProbe"]
        assert probe["httpGet"] == {"path": "/up", "port": 9999, "scheme": "HTTPS"}

    def test_connections_end_after_a_time(self) -> None:
        grpc = render({**GATEWAY, "connectionAge": "90s"}).configuration["receivers"]["otlp"]["protocols"]["grpc"]
        assert grpc["keepalive"]["server_parameters"]["max_connection_age"] == "90s"
        assert grpc["keepalive"]["server_parameters"]["max_connection_idle"] == "10m"


class TestScale:
    def test_replicas(self) -> None:
        assert render({**GATEWAY, "replicas": 5}).workload["spec"]["replicas"] == 5

    def test_so_many_pods_may_be_away(self) -> None:
        budget = render({**GATEWAY, "pdb": {"maxUnavailable": "25%"}}).one("PodDisruptionBudget")["spec"]
        assert budget["maxUnavailable"] == "25%"
        assert render(GATEWAY).one("PodDisruptionBudget")["spec"]["maxUnavailable"] == 1

    def test_one_pod_needs_no_budget_for_disruptions(self) -> None:
        assert "PodDisruptionBudget" not in kinds(render({**GATEWAY, "replicas": 1}))
        assert "PodDisruptionBudget" not in kinds(render({**GATEWAY, "pdb": {"enabled": False}}))

    @pytest.mark.parametrize("values", [GATEWAY, DISK], ids=["Deployment", "StatefulSet"])
    def test_an_autoscaler_owns_the_number(self, values: Manifest) -> None:
        numbers = {"minReplicas": 3, "maxReplicas": 7, "cpu": 55}
        manifests = render({**values, "autoscaling": {"enabled": True, "queueFill": {"enabled": True}, **numbers}})
        assert "replicas" not in manifests.workload["spec"]
        scaler = manifests.one("HorizontalPodAutoscaler")["spec"]
        target = manifests.workload
        assert scaler["scaleTargetRef"] == {
            "apiVersion": target["apiVersion"],
            "kind": target["kind"],
            "name": target["metadata"]["name"],
        }
        assert (scaler["minReplicas"], scaler["maxReplicas"]) == (3, 7)
        assert [metric["type"] for metric in scaler["metrics"]] == ["Resource", "Pods"]
        assert scaler["metrics"][0]["resource"]["target"]["averageUtilization"] == 55
        assert scaler["metrics"][1]["pods"]["metric"]["name"] == "penstock_queue_fill"

    def test_workers(self) -> None:
        values = {"preset": "gateway-kafka", "kafka": {"broker": "kafka:9092"}, "token": GATEWAY["token"]}
        assert "--workers=auto" in render({**values, "workers": "auto"}).container["args"]
        assert len(render(values).container["args"]) == 1

    def test_pods_are_spread_over_nodes_and_zones(self) -> None:
        manifests = render(GATEWAY)
        labels = manifests.workload["spec"]["selector"]["matchLabels"]
        spread = manifests.pod["topologySpreadConstraints"]
        assert [constraint["topologyKey"] for constraint in spread] == [
            "kubernetes.io/hostname",
            "topology.kubernetes.io/zone",
        ]
        assert all(constraint["labelSelector"] == {"matchLabels": labels} for constraint in spread)

    def test_a_selector_of_your_own_stays(self) -> None:
        own = {
            "maxSkew": 1,
            "topologyKey": "z",
            "whenUnsatisfiable": "DoNotSchedule",
            "labelSelector": {"matchLabels": {"a": "b"}},
        }
        assert render({**GATEWAY, "topologySpreadConstraints": [own]}).pod["topologySpreadConstraints"] == [own]


class TestDisk:
    def test_queues_are_on_the_volume_and_hold_what_is_put_together(self) -> None:
        configuration = render(DISK).configuration
        exporter = configuration["exporters"]["otlp_grpc"]
        assert exporter["sending_queue"]["storage"] == "file_storage"
        assert exporter["sending_queue"]["batch"]["min_size"] == 2048
        assert exporter["retry_on_failure"]["max_elapsed_time"] == "0s"
        assert "file_storage" in configuration["service"]["extensions"]
        for pipeline in configuration["service"]["pipelines"].values():
            assert "batch" not in pipeline.get("processors", ())

    def test_the_volume_is_where_the_queues_are(self) -> None:
        manifests = render(DISK)
        mounts = {mount["name"]: mount["mountPath"] for mount in manifests.container["volumeMounts"]}
        assert mounts["data"] == manifests.configuration["extensions"]["file_storage"]["directory"]
        (claim,) = manifests.workload["spec"]["volumeClaimTemplates"]
        assert claim["spec"]["accessModes"] == ["ReadWriteOncePod"]
        assert "storageClassName" not in claim["spec"]

    def test_queues_fit_the_volume(self) -> None:
        queue = render(DISK).configuration["exporters"]["otlp_grpc"]["sending_queue"]["queue_size"]
        (claim,) = render(DISK).workload["spec"]["volumeClaimTemplates"]
        size = claim["spec"]["resources"]["requests"]["storage"]
        # one file for traces, one for logs
        assert 2 * queue < int(size.removesuffix("Gi")) << 30

    def test_what_is_left_of_it(self) -> None:
        values = {
            **DISK,
            "persistence": {"enabled": True, "retention": {"whenDeleted": "Delete", "whenScaled": "Retain"}},
        }
        policy = render(values).workload["spec"]["persistentVolumeClaimRetentionPolicy"]
        assert policy == {"whenDeleted": "Delete", "whenScaled": "Retain"}


class TestSecurity:
    def test_the_token_comes_from_a_secret(self) -> None:
        values = {**GATEWAY, "token": {"existingSecret": "other", "key": "bearer"}}
        token = env(render(values))["PENSTOCK_TOKEN"]
        assert token["valueFrom"] == {"secretKeyRef": {"name": "other", "key": "bearer"}}

    @pytest.mark.parametrize("is_mutual", [False, True])
    def test_tls_on_both_ports(self, is_mutual: bool) -> None:
        manifests = render({**GATEWAY, "tls": {"existingSecret": "certificate", "clientCA": is_mutual}})
        for settings in manifests.configuration["receivers"]["otlp"]["protocols"].values():
            assert settings["tls"]["cert_file"] == "/etc/penstock/tls/tls.crt"
            assert settings["tls"]["reload_interval"] == "1m"
            assert ("client_ca_file" in settings["tls"]) is is_mutual
        (volume,) = (volume for volume in manifests.pod["volumes"] if "secret" in volume)
        assert volume["secret"]["secretName"] == "certificate"
        ports = {port["name"]: port for port in manifests.service("main")["spec"]["ports"]}
        assert ports["otlp-http"]["appProtocol"] == "https"

    def test_tls_to_the_backend(self) -> None:
        values = {**GATEWAY, "backend": {**GATEWAY["backend"], "insecure": False, "caSecret": {"name": "ca"}}}
        manifests = render(values)
        tls = manifests.configuration["exporters"]["otlp_grpc"]["tls"]
        assert tls == {"insecure": False, "ca_file": "/etc/penstock/backend/ca.crt", "reload_interval": "1m"}
        assert "ca" in {volume.get("secret", {}).get("secretName") for volume in manifests.pod["volumes"]}

    def test_names_are_always_looked_up(self) -> None:
        values = {**GATEWAY, "networkPolicy": {"enabled": True}}
        egress = render(values).one("NetworkPolicy")["spec"]["egress"]
        assert egress[0]["ports"] == [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}]
        assert egress[1] == {"ports": [{"protocol": "TCP", "port": 4317}]}

    def test_who_sends_who_scrapes_and_who_probes(self) -> None:
        senders, scrapers = ([{"podSelector": {"matchLabels": {"role": role}}}] for role in ("sender", "scraper"))
        values = {**GATEWAY, "networkPolicy": {"enabled": True, "from": senders, "metricsFrom": scrapers}}
        rules = render(values).one("NetworkPolicy")["spec"]["ingress"]
        by_ports = {tuple(sorted(port["port"] for port in rule["ports"])): rule.get("from") for rule in rules}
        assert by_ports == {(4317, 4318): senders, (8888, 9464): scrapers, (13133,): None}

    def test_egress_of_your_own(self) -> None:
        rule = {"to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}
        values = {**GATEWAY, "networkPolicy": {"enabled": True, "egress": [rule]}}
        assert render(values).one("NetworkPolicy")["spec"]["egress"][1:] == [rule]

    def test_a_service_account_that_is_there_already(self) -> None:
        manifests = render({**GATEWAY, "serviceAccount": {"create": False, "name": "mine"}})
        assert "ServiceAccount" not in kinds(manifests)
        assert manifests.pod["serviceAccountName"] == "mine"


class TestMonitoring:
    def test_pods_that_count_the_same_application_stay_apart(self) -> None:
        endpoints = render({**GATEWAY, "serviceMonitor": {"enabled": True}}).one("ServiceMonitor")["spec"]["endpoints"]
        assert {endpoint["port"]: endpoint["honorLabels"] for endpoint in endpoints} == {
            "llm-metrics": False,
            "metrics": False,
        }

    @pytest.mark.parametrize("mode", ["gateway", "daemonset", "sidecar"])
    def test_the_job_is_one_that_rules_look_for(self, mode: str) -> None:
        values = {
            **GATEWAY,
            "mode": mode,
            "serviceMonitor": {"enabled": True},
            "sidecar": {"example": {"enabled": True}},
        }
        manifests = render(values, name="x")
        (monitor,) = manifests.of("ServiceMonitor") or manifests.of("PodMonitor")
        job = monitor["spec"]["jobLabel"]
        found = manifests.service("metrics") if mode != "sidecar" else manifests.workload["spec"]["template"]
        assert found["metadata"]["labels"][job] == f"penstock-{mode}"

    def test_runbooks_are_where_you_say(self) -> None:
        values = {**GATEWAY, "prometheusRule": {"enabled": True, "runbook": "https://wiki.example.com/penstock"}}
        rules = [r for m in render(values).of("PrometheusRule") for g in m["spec"]["groups"] for r in g["rules"]]
        alerts = [rule for rule in rules if "alert" in rule]
        assert alerts
        for alert in alerts:
            assert alert["annotations"]["runbook_url"].startswith("https://wiki.example.com/penstock#")

    def test_rules_are_those_of_deploy_prometheus(self) -> None:
        rendered = render({**GATEWAY, "prometheusRule": {"enabled": True, "labels": {"release": "p"}}})
        rules = rendered.of("PrometheusRule")
        groups = [group for rule in rules for group in rule["spec"]["groups"]]
        files = sorted((CHART / "files" / "rules").glob("*.rules.yaml"))
        shipped = [group for file in files for group in yaml.load(file.read_text(), Loader=yaml.CSafeLoader)["groups"]]
        assert sorted(groups, key=lambda group: str(group["name"])) == sorted(
            shipped, key=lambda group: str(group["name"])
        )
        assert all(rule["metadata"]["labels"]["release"] == "p" for rule in rules)

    def test_dashboards_are_those_of_deploy_grafana(self) -> None:
        rendered = render({**GATEWAY, "dashboards": {"enabled": True}})
        maps = [m for m in rendered.of("ConfigMap") if m["metadata"]["labels"].get("grafana_dashboard") == "1"]
        found = {name: text for manifest in maps for name, text in manifest["data"].items()}
        files = sorted((CHART / "files" / "dashboards").glob("*.json"))
        assert files
        assert {name: json.loads(text) for name, text in found.items()} == {
            file.name: json.loads(file.read_text(encoding="utf-8")) for file in files
        }


def test_names_and_images_can_be_given() -> None:
    digest = "sha256:" + "ab" * 32
    values = {**GATEWAY, "fullnameOverride": "collector", "image": {"repository": "r.example.com/p", "digest": digest}}
    manifests = render(values)
    assert manifests.workload["metadata"]["name"] == "collector"
    assert manifests.container["image"] == f"r.example.com/p@{digest}"
    assert render({**GATEWAY, "image": {"tag": "1.2.3"}}).container["image"] == "penstock:1.2.3"


def test_extras_reach_the_container() -> None:
    manifests = render(
        {
            **GATEWAY,
            "extraArgs": ["--set=processors.batch.timeout=1s"],
            "extraEnv": [{"name": "A", "value": "b"}],
            "extraEnvFrom": [{"secretRef": {"name": "more"}}],
            "extraVolumes": [{"name": "v", "emptyDir": {}}],
            "extraVolumeMounts": [{"name": "v", "mountPath": "/v"}],
        }
    )
    container = manifests.container
    assert container["args"][-1] == "--set=processors.batch.timeout=1s"
    assert env(manifests)["A"]["value"] == "b"
    assert container["envFrom"] == [{"secretRef": {"name": "more"}}]
    assert {"name": "v", "mountPath": "/v"} in container["volumeMounts"]
    assert {"name": "v", "emptyDir": {}} in manifests.pod["volumes"]
