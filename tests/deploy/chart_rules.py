"""What every manifest of the chart must keep, as functions that name each breach."""

import re
from collections.abc import Iterable, Iterator

from tests.deploy.chart import WORKLOADS, Object, Rendered, containers_of, pod_of, selects

USER = 10001
RUNNING = ("Deployment", "StatefulSet")
HOOK = "helm.sh/hook"
TAG = re.compile(r"(?:@sha256:[0-9a-f]{64}|:(?P<tag>[A-Za-z0-9_][A-Za-z0-9._-]*))$")


def breaches(rendered: Rendered) -> list[str]:
    """Every breach of every rule."""
    found = []
    for workload in rendered.of(*WORKLOADS):
        name = f"{workload['kind']} {workload['metadata']['name']}"
        rules = (*_of_pod(workload), *_of_containers(workload), *_of_volumes(workload))
        found += [f"{name}: {said}" for said in rules]
        if any(rendered.of("NetworkPolicy")):
            found += [f"{name}: {said}" for said in _of_network(workload, rendered)]
    return [*found, *_of_claims(rendered), *_of_names(rendered.objects)]


def _of_pod(workload: Object) -> Iterator[str]:
    """Pod Security Standards' `restricted`, and no token but by an explicit volume."""
    spec = pod_of(workload)["spec"]
    context = spec.get("securityContext", {})
    if context.get("runAsNonRoot") is not True:
        yield "may run as root"
    if {context.get(key) for key in ("runAsUser", "runAsGroup", "fsGroup")} != {USER}:
        yield f"user, group and fsGroup are not {USER}"
    if context.get("fsGroupChangePolicy") != "OnRootMismatch":
        yield "changes the owner of every file at each start"
    if context.get("seccompProfile") != {"type": "RuntimeDefault"}:
        yield "has no seccomp profile"
    if spec.get("automountServiceAccountToken") is not False:
        yield "is given a token"
    if spec.get("enableServiceLinks") is not False:
        yield "is given variables of Services, which settings would refuse"
    if spec.get("serviceAccountName", "default") == "default":
        yield "has no account of its own"
    if any(spec.get(key) for key in ("hostNetwork", "hostPID", "hostIPC")):
        yield "sees its host"


def _of_containers(workload: Object) -> Iterator[str]:
    """restricted again, and what a running cluster needs of each container."""
    for container in containers_of(pod_of(workload)):
        context, name = container.get("securityContext", {}), container["name"]
        if context.get("allowPrivilegeEscalation") is not False:
            yield f"{name} may gain rights"
        if context.get("readOnlyRootFilesystem") is not True:
            yield f"{name} may write its root"
        if context.get("capabilities") != {"drop": ["ALL"]}:
            yield f"{name} keeps capabilities"
        resources = container.get("resources", {})
        for kind, needed in (("requests", ("cpu", "memory")), ("limits", ("cpu", "memory"))):
            if not all(one in resources.get(kind, {}) for one in needed):
                yield f"{name} has no {kind}"
        image = TAG.search(container["image"])
        if image is None or image["tag"] == "latest":
            yield f"{name} has an image without a version: {container['image']}"
        if container.get("imagePullPolicy") not in ("IfNotPresent", "Always", "Never"):
            yield f"{name} says not when its image is pulled"
        if workload["kind"] in RUNNING and name != "reloader":
            yield from _of_probes(container)


def _of_probes(container: Object) -> Iterator[str]:
    name = container["name"]
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        said = container.get(probe, {})
        if said.get("timeoutSeconds") != 5:
            yield f"{name} has no {probe} with a time-out of 5 s"
    startup = container.get("startupProbe", {})
    if startup.get("periodSeconds", 0) * startup.get("failureThreshold", 0) != 300:
        yield f"{name} is not given five minutes to start"


def _of_volumes(workload: Object) -> Iterator[str]:
    """Secrets for their group alone, bounded folders, and only volumes that are mounted."""
    spec = pod_of(workload)["spec"]
    mounted = {
        one["name"] for each in containers_of({"spec": spec}) for one in each["volumeMounts"]
    }
    claims = workload["spec"].get("volumeClaimTemplates", ())
    given = {one["name"] for one in spec["volumes"]} | {one["metadata"]["name"] for one in claims}
    if mounted != given:
        yield f"mounts {sorted(mounted)} of {sorted(given)}"
    for volume in spec["volumes"]:
        for kind in ("secret", "configMap", "projected"):
            if kind in volume and volume[kind].get("defaultMode") != 0o440:
                yield f"{volume['name']} is readable for more than its group"
        if "emptyDir" in volume and "sizeLimit" not in volume["emptyDir"]:
            yield f"{volume['name']} has no bound"
        if "hostPath" in volume:
            yield f"{volume['name']} is the host's"


def _of_network(workload: Object, rendered: Rendered) -> Iterator[str]:
    """Denied by default, and allowed by a policy of its own; a hook's comes before it."""
    labels = pod_of(workload)["metadata"]["labels"]
    policies = [one for one in rendered.of("NetworkPolicy") if selects(one, labels)]
    kinds = {kind for one in policies for kind in one["spec"]["policyTypes"]}
    if kinds != {"Ingress", "Egress"}:
        yield "is in no NetworkPolicy"
    if not any("ingress" not in one["spec"] for one in policies):
        yield "is not denied by default"
    if len(policies) < 2 and not _is_install_hook(workload):
        yield "has no policy of its own"
    for policy in policies:
        for rule in policy["spec"].get("ingress", ()):
            if not rule.get("from"):  # which lets in everybody
                yield f"is open to everybody by {policy['metadata']['name']}"


def _is_install_hook(workload: Object) -> bool:
    return "pre-install" in workload["metadata"].get("annotations", {}).get(HOOK, "")


def _of_claims(rendered: Rendered) -> Iterator[str]:
    """No two workloads share a volume."""
    seen: dict[str, str] = {}
    for workload in rendered.of(*RUNNING):
        for volume in pod_of(workload)["spec"]["volumes"]:
            claim = volume.get("persistentVolumeClaim", {}).get("claimName")
            name = workload["metadata"]["name"]
            if claim and seen.setdefault(claim, name) != name:
                yield f"{name} and {seen[claim]} share the volume {claim}"


def _of_names(objects: Iterable[Object]) -> Iterator[str]:
    """One name for one thing, and short enough for a label."""
    seen = set()
    for one in objects:
        named = (one["kind"], one["metadata"]["name"])
        if named in seen:
            yield f"{' '.join(named)} is there twice"
        seen.add(named)
        if len(one["metadata"]["name"]) > 63:
            yield f"{' '.join(named)} has more than 63 characters"
