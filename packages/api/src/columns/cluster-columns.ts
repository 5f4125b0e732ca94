import type { Column } from "../kind/kind.ts";
import { type KubeObject, listAt, textAt, valueAt } from "../object/kube-object.ts";
import { AGE, at, count, joined, NAME, number, selectorText, sizeOf, text, wide } from "./column.ts";

const role: Column = text(
  "Role",
  (object) => `${textAt(object, "roleRef", "kind")}/${textAt(object, "roleRef", "name")}`,
);

const subjects = (kind: string) => (object: KubeObject) =>
  listAt(object, "subjects")
    .filter((one) => textAt(one, "kind") === kind)
    .map((one) =>
      kind === "ServiceAccount" ? `${textAt(one, "namespace")}/${textAt(one, "name")}` : textAt(one, "name"),
    )
    .join(", ");

const BINDING: readonly Column[] = [
  NAME,
  role,
  AGE,
  wide("Users", subjects("User")),
  wide("Groups", subjects("Group")),
  wide("ServiceAccounts", subjects("ServiceAccount")),
];

const CREATED_AT: Column = {
  ...text("Created At", ({ metadata }) => metadata.creationTimestamp ?? null),
  type: "date",
};

const MODES: Readonly<Record<string, string>> = {
  ReadWriteOnce: "RWO",
  ReadOnlyMany: "ROX",
  ReadWriteMany: "RWX",
  ReadWriteOncePod: "RWOP",
};

const modes = (path: readonly string[]) => (object: KubeObject) =>
  listAt(object, ...path)
    .map((one) => MODES[textAt(one)] ?? textAt(one))
    .join(",");

const flag = (path: string) => (object: KubeObject) =>
  valueAt(object, ...path.split(".")) === true ? "true" : "false";

const backing = (object: KubeObject): string =>
  object.metadata.deletionTimestamp === undefined ? textAt(object, "status", "phase") : "Terminating";

export const CLUSTER_COLUMNS: Readonly<Record<string, readonly Column[]>> = {
  "apiservices.apiregistration.k8s.io": [
    NAME,
    text("Service", (object) =>
      textAt(object, "spec", "service", "name") === ""
        ? "Local"
        : `${textAt(object, "spec", "service", "namespace")}/${textAt(object, "spec", "service", "name")}`,
    ),
    text(
      "Available",
      (object) =>
        textAt(
          listAt(object, "status", "conditions").find((one) => textAt(one, "type") === "Available"),
          "status",
        ) || "Unknown",
    ),
    AGE,
  ],
  "certificatesigningrequests.certificates.k8s.io": [
    NAME,
    AGE,
    text("SignerName", at("spec.signerName")),
    text("Requestor", at("spec.username")),
    text("RequestedDuration", (object) =>
      textAt(object, "spec", "expirationSeconds") === "" ? "<none>" : `${textAt(object, "spec", "expirationSeconds")}s`,
    ),
    text("Condition", (object) => {
      const types = listAt(object, "status", "conditions").map((one) => textAt(one, "type"));
      const decided = types.find((type) => type === "Denied" || type === "Approved") ?? "Pending";
      return textAt(object, "status", "certificate") === "" ? decided : `${decided},Issued`;
    }),
  ],
  "clusterroles.rbac.authorization.k8s.io": [NAME, CREATED_AT],
  "roles.rbac.authorization.k8s.io": [NAME, CREATED_AT],
  "clusterrolebindings.rbac.authorization.k8s.io": BINDING,
  "rolebindings.rbac.authorization.k8s.io": BINDING,
  componentstatuses: [NAME, text("Status", () => "Healthy"), text("Message", () => "ok"), text("Error", () => "")],
  configmaps: [
    NAME,
    text("Data", (object) => String(Number(sizeOf("data")(object, 0)) + Number(sizeOf("binaryData")(object, 0)))),
    AGE,
  ],
  "customresourcedefinitions.apiextensions.k8s.io": [NAME, CREATED_AT],
  "csidrivers.storage.k8s.io": [
    NAME,
    text("AttachRequired", flag("spec.attachRequired")),
    text("PodInfoOnMount", flag("spec.podInfoOnMount")),
    text("StorageCapacity", flag("spec.storageCapacity")),
    text("TokenRequests", (object) =>
      joined(
        listAt(object, "spec", "tokenRequests").map((one) => textAt(one, "audience")),
        "<unset>",
      ),
    ),
    text("RequiresRepublish", flag("spec.requiresRepublish")),
    text("Modes", (object) => joined(listAt(object, "spec", "volumeLifecycleModes").map((one) => textAt(one)))),
    AGE,
  ],
  "csinodes.storage.k8s.io": [NAME, number("Drivers", sizeOf("spec.drivers")), AGE],
  limitranges: [NAME, CREATED_AT],
  "mutatingwebhookconfigurations.admissionregistration.k8s.io": [NAME, number("Webhooks", sizeOf("webhooks")), AGE],
  "validatingwebhookconfigurations.admissionregistration.k8s.io": [NAME, number("Webhooks", sizeOf("webhooks")), AGE],
  "validatingadmissionpolicies.admissionregistration.k8s.io": [
    NAME,
    number("Validations", sizeOf("spec.validations")),
    text("ParamKind", (object) =>
      textAt(object, "spec", "paramKind", "kind") === ""
        ? "<unset>"
        : `${textAt(object, "spec", "paramKind", "apiVersion")}/${textAt(object, "spec", "paramKind", "kind")}`,
    ),
    AGE,
  ],
  namespaces: [NAME, text("Status", at("status.phase")), AGE],
  nodes: [
    NAME,
    text("Status", nodeStatus),
    text("Roles", ({ metadata }) => {
      const marks = Object.keys(metadata.labels ?? {}).filter((key) => key.startsWith("node-role.kubernetes.io/"));
      return joined(marks.map((key) => key.slice("node-role.kubernetes.io/".length)).sort());
    }),
    AGE,
    text("Version", at("status.nodeInfo.kubeletVersion")),
    wide("Internal-IP", address("InternalIP")),
    wide("External-IP", address("ExternalIP")),
    wide("OS-Image", at("status.nodeInfo.osImage", "<unknown>")),
    wide("Kernel-Version", at("status.nodeInfo.kernelVersion", "<unknown>")),
    wide("Container-Runtime", at("status.nodeInfo.containerRuntimeVersion", "<unknown>")),
  ],
  persistentvolumeclaims: [
    NAME,
    text("Status", backing),
    text("Volume", at("spec.volumeName")),
    text("Capacity", at("status.capacity.storage")),
    text("Access Modes", modes(["status", "accessModes"])),
    text("StorageClass", at("spec.storageClassName")),
    text("VolumeAttributesClass", at("spec.volumeAttributesClassName", "<unset>")),
    AGE,
    wide("VolumeMode", at("spec.volumeMode", "<unset>")),
  ],
  persistentvolumes: [
    NAME,
    text("Capacity", at("spec.capacity.storage")),
    text("Access Modes", modes(["spec", "accessModes"])),
    text("Reclaim Policy", at("spec.persistentVolumeReclaimPolicy")),
    text("Status", backing),
    text("Claim", (object) =>
      textAt(object, "spec", "claimRef", "name") === ""
        ? ""
        : `${textAt(object, "spec", "claimRef", "namespace")}/${textAt(object, "spec", "claimRef", "name")}`,
    ),
    text("StorageClass", at("spec.storageClassName")),
    text("VolumeAttributesClass", at("spec.volumeAttributesClassName", "<unset>")),
    text("Reason", at("status.reason")),
    AGE,
    wide("VolumeMode", at("spec.volumeMode", "<unset>")),
  ],
  "priorityclasses.scheduling.k8s.io": [
    NAME,
    number("Value", count("value")),
    text("Global-Default", flag("globalDefault")),
    AGE,
    text("PreemptionPolicy", at("preemptionPolicy")),
  ],
  resourcequotas: [
    NAME,
    text("Request", (object) => quota(object, true)),
    text("Limit", (object) => quota(object, false)),
    AGE,
  ],
  "runtimeclasses.node.k8s.io": [NAME, text("Handler", at("handler")), AGE],
  secrets: [NAME, text("Type", at("type")), number("Data", sizeOf("data")), AGE],
  serviceaccounts: [NAME, AGE],
  "storageclasses.storage.k8s.io": [
    {
      ...NAME,
      cell: ({ metadata }) =>
        `${metadata.name}${metadata.annotations?.["storageclass.kubernetes.io/is-default-class"] === "true" ? " (default)" : ""}`,
    },
    text("Provisioner", at("provisioner")),
    text("ReclaimPolicy", at("reclaimPolicy")),
    text("VolumeBindingMode", at("volumeBindingMode")),
    text("AllowVolumeExpansion", flag("allowVolumeExpansion")),
    AGE,
  ],
  "volumeattachments.storage.k8s.io": [
    NAME,
    text("Attacher", at("spec.attacher")),
    text("PV", at("spec.source.persistentVolumeName")),
    text("Node", at("spec.nodeName")),
    text("Attached", flag("status.attached")),
    AGE,
  ],
  "networkpolicies.networking.k8s.io": [
    NAME,
    text("Pod-Selector", (object) => selectorText(valueAt(object, "spec", "podSelector"))),
    AGE,
  ],
};

function nodeStatus(node: KubeObject): string {
  const ready = listAt(node, "status", "conditions").find((one) => textAt(one, "type") === "Ready");
  const status = ready === undefined ? "Unknown" : textAt(ready, "status") === "True" ? "Ready" : "NotReady";
  return valueAt(node, "spec", "unschedulable") === true ? `${status},SchedulingDisabled` : status;
}

function address(type: string) {
  return (node: KubeObject): string =>
    textAt(
      listAt(node, "status", "addresses").find((one) => textAt(one, "type") === type),
      "address",
    ) || "<none>";
}

function quota(object: KubeObject, requests: boolean): string {
  const hard = valueAt(object, "status", "hard") ?? {};
  return Object.entries(hard as Record<string, string>)
    .filter(([name]) => name.startsWith("limits.") !== requests)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${name}: ${textAt(object, "status", "used", name)}/${value}`)
    .join(", ");
}
