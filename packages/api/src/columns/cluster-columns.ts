import type { Column } from "../kind/kind.ts";
import { isObject, type Json } from "../object/json.ts";
import { type KubeObject, listAt, textAt, valueAt } from "../object/kube-object.ts";
import { humanDuration } from "./age.ts";
import { AGE, at, count, flag, joined, NAME, number, selectorText, sizeOf, text, wide } from "./column.ts";

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

/** Each once, in their own order. */
const modes = (path: readonly string[]) => (object: KubeObject) => {
  const found = new Set(listAt(object, ...path).map((one) => textAt(one)));
  return Object.entries(MODES)
    .flatMap(([mode, short]) => (found.has(mode) ? [short] : []))
    .join(",");
};

const isBound = (claim: KubeObject): boolean => textAt(claim, "spec", "volumeName") !== "";

/** What was an annotation once, and is still looked at first. */
const storageClass = (object: KubeObject): string =>
  object.metadata.annotations?.["volume.beta.kubernetes.io/storage-class"] ??
  textAt(object, "spec", "storageClassName");

const ROLE = "node-role.kubernetes.io/";

const orNone = (path: string) => (object: KubeObject) => valueAt(object, ...path.split(".")) ?? "<none>";

const policy = (name: string, path: string): readonly Column[] => [
  NAME,
  number(name, sizeOf(path)),
  text("ParamKind", (object) =>
    textAt(object, "spec", "paramKind", "kind") === ""
      ? "<unset>"
      : `${textAt(object, "spec", "paramKind", "apiVersion")}/${textAt(object, "spec", "paramKind", "kind")}`,
  ),
  AGE,
];

const POLICY_BINDING: readonly Column[] = [
  NAME,
  text("PolicyName", at("spec.policyName")),
  text("ParamRef", (object) => {
    const [name, namespace] = [
      textAt(object, "spec", "paramRef", "name"),
      textAt(object, "spec", "paramRef", "namespace"),
    ];
    if (name !== "") return `${namespace || "*"}/${name}`;
    const selector = valueAt(object, "spec", "paramRef", "selector");
    return isObject(selector ?? null) ? goSelector(selector ?? null) : "<unset>";
  }),
  AGE,
];

/** As Go prints a selector. */
function goSelector(selector: Json): string {
  const labels = Object.entries((valueAt(selector, "matchLabels") ?? {}) as Record<string, string>);
  const pairs = labels.sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, value]) => `${key}: ${value},`);
  const requirements = listAt(selector, "matchExpressions").map((one) => {
    const values = listAt(one, "values").map((value) => textAt(value));
    return `LabelSelectorRequirement{Key:${textAt(one, "key")},Operator:${textAt(one, "operator")},Values:[${values.join(" ")}],},`;
  });
  return `&LabelSelector{MatchLabels:map[string]string{${pairs.join("")}},MatchExpressions:[]LabelSelectorRequirement{${requirements.join("")}},}`;
}

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
    text("SignerName", at("spec.signerName", "<none>")),
    text("Requestor", at("spec.username")),
    text("RequestedDuration", (object) => {
      const seconds = valueAt(object, "spec", "expirationSeconds");
      return typeof seconds === "number" ? humanDuration(seconds * 1000) : "<none>";
    }),
    text("Condition", (object) => {
      const types = new Set(listAt(object, "status", "conditions").map((one) => textAt(one, "type")));
      const decided = ["Denied", "Approved"].find((type) => types.has(type)) ?? "Pending";
      const issued = textAt(object, "status", "certificate") !== "";
      return [decided, ...(types.has("Failed") ? ["Failed"] : []), ...(issued ? ["Issued"] : [])].join(",");
    }),
  ],
  "clusterroles.rbac.authorization.k8s.io": [NAME, CREATED_AT],
  "roles.rbac.authorization.k8s.io": [NAME, CREATED_AT],
  "clusterrolebindings.rbac.authorization.k8s.io": BINDING,
  "rolebindings.rbac.authorization.k8s.io": BINDING,
  componentstatuses: [NAME, text("Status", () => "Healthy"), text("Message", () => "ok"), text("Error", () => "")],
  configmaps: [
    NAME,
    text("Data", (object) => Number(sizeOf("data")(object, 0)) + Number(sizeOf("binaryData")(object, 0))),
    AGE,
  ],
  "customresourcedefinitions.apiextensions.k8s.io": [NAME, CREATED_AT],
  "csidrivers.storage.k8s.io": [
    NAME,
    flag("AttachRequired", "spec.attachRequired", true),
    flag("PodInfoOnMount", "spec.podInfoOnMount"),
    flag("StorageCapacity", "spec.storageCapacity"),
    text("TokenRequests", (object) =>
      joined(
        listAt(object, "spec", "tokenRequests").map((one) => textAt(one, "audience")),
        "<unset>",
      ),
    ),
    flag("RequiresRepublish", "spec.requiresRepublish"),
    text("Modes", (object) => joined(listAt(object, "spec", "volumeLifecycleModes").map((one) => textAt(one)))),
    AGE,
  ],
  "csinodes.storage.k8s.io": [NAME, number("Drivers", sizeOf("spec.drivers")), AGE],
  limitranges: [NAME, CREATED_AT],
  "mutatingwebhookconfigurations.admissionregistration.k8s.io": [NAME, number("Webhooks", sizeOf("webhooks")), AGE],
  "validatingwebhookconfigurations.admissionregistration.k8s.io": [NAME, number("Webhooks", sizeOf("webhooks")), AGE],
  "validatingadmissionpolicies.admissionregistration.k8s.io": policy("Validations", "spec.validations"),
  "mutatingadmissionpolicies.admissionregistration.k8s.io": policy("Mutations", "spec.mutations"),
  "validatingadmissionpolicybindings.admissionregistration.k8s.io": POLICY_BINDING,
  "mutatingadmissionpolicybindings.admissionregistration.k8s.io": POLICY_BINDING,
  "csistoragecapacities.storage.k8s.io": [
    NAME,
    text("StorageClassName", at("storageClassName")),
    text("Capacity", at("capacity", "<unset>")),
  ],
  "flowschemas.flowcontrol.apiserver.k8s.io": [
    NAME,
    text("PriorityLevel", at("spec.priorityLevelConfiguration.name")),
    text("MatchingPrecedence", count("spec.matchingPrecedence")),
    text("DistinguisherMethod", at("spec.distinguisherMethod.type", "<none>")),
    AGE,
    text("MissingPL", (object) => {
      const dangling = listAt(object, "status", "conditions").find((one) => textAt(one, "type") === "Dangling");
      return textAt(dangling, "status") || "?";
    }),
  ],
  "prioritylevelconfigurations.flowcontrol.apiserver.k8s.io": [
    NAME,
    text("Type", at("spec.type")),
    text("NominalConcurrencyShares", orNone("spec.limited.nominalConcurrencyShares")),
    text("Queues", orNone("spec.limited.limitResponse.queuing.queues")),
    text("HandSize", orNone("spec.limited.limitResponse.queuing.handSize")),
    text("QueueLengthLimit", orNone("spec.limited.limitResponse.queuing.queueLengthLimit")),
    AGE,
  ],
  "resourceclaims.resource.k8s.io": [
    NAME,
    text("State", ({ metadata, ...object }) => {
      const isDeleted = metadata.deletionTimestamp !== undefined;
      const isAllocated = isObject(valueAt(object, "status", "allocation") ?? null);
      const isReserved = isAllocated && listAt(object, "status", "reservedFor").length > 0;
      const states = [isDeleted && "deleted", !isAllocated && !isDeleted && "pending", isAllocated && "allocated"];
      return [...states, isReserved && "reserved"].filter((one) => one !== false).join(",");
    }),
    AGE,
  ],
  "resourceslices.resource.k8s.io": [
    NAME,
    text("Node", at("spec.nodeName")),
    text("Driver", at("spec.driver")),
    text("Pool", at("spec.pool.name")),
    AGE,
  ],
  "volumeattributesclasses.storage.k8s.io": [NAME, text("DriverName", at("driverName")), AGE],
  namespaces: [NAME, text("Status", at("status.phase")), AGE],
  nodes: [
    NAME,
    text("Status", nodeStatus),
    text("Roles", ({ metadata }) => {
      const labels = Object.entries(metadata.labels ?? {});
      const roles = labels.map(([key, value]) =>
        key === "kubernetes.io/role" ? value : key.startsWith(ROLE) ? key.slice(ROLE.length) : "",
      );
      return joined([...new Set(roles.filter((one) => one !== ""))].sort());
    }),
    AGE,
    text("Version", at("status.nodeInfo.kubeletVersion")),
    wide("Internal-IP", address("InternalIP")),
    wide("External-IP", address("ExternalIP")),
    wide("OS-Image", at("status.nodeInfo.osImage", "<unknown>")),
    wide("Kernel-Version", (object) => {
      const of = (field: string): string => textAt(object, "status", "nodeInfo", field);
      const kernel = of("kernelVersion") || "<unknown>";
      return of("architecture") === "" ? kernel : `${kernel} (${of("architecture")})`;
    }),
    wide("Container-Runtime", at("status.nodeInfo.containerRuntimeVersion", "<unknown>")),
  ],
  persistentvolumeclaims: [
    NAME,
    text("Status", backing),
    text("Volume", at("spec.volumeName")),
    text("Capacity", (object) => (isBound(object) ? textAt(object, "status", "capacity", "storage") || "0" : "")),
    text("Access Modes", (object) => (isBound(object) ? modes(["status", "accessModes"])(object) : "")),
    text("StorageClass", storageClass),
    text("VolumeAttributesClass", at("spec.volumeAttributesClassName", "<unset>")),
    AGE,
    wide("VolumeMode", at("spec.volumeMode", "<unset>")),
  ],
  persistentvolumes: [
    NAME,
    text("Capacity", at("spec.capacity.storage", "0")),
    text("Access Modes", modes(["spec", "accessModes"])),
    text("Reclaim Policy", at("spec.persistentVolumeReclaimPolicy")),
    text("Status", backing),
    text("Claim", (object) =>
      textAt(object, "spec", "claimRef", "name") === ""
        ? ""
        : `${textAt(object, "spec", "claimRef", "namespace")}/${textAt(object, "spec", "claimRef", "name")}`,
    ),
    text("StorageClass", storageClass),
    text("VolumeAttributesClass", at("spec.volumeAttributesClassName", "<unset>")),
    text("Reason", at("status.reason")),
    AGE,
    wide("VolumeMode", at("spec.volumeMode", "<unset>")),
  ],
  "priorityclasses.scheduling.k8s.io": [
    NAME,
    number("Value", count("value")),
    flag("Global-Default", "globalDefault"),
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
  secrets: [NAME, text("Type", at("type")), text("Data", sizeOf("data")), AGE],
  serviceaccounts: [NAME, AGE],
  "storageclasses.storage.k8s.io": [
    {
      ...NAME,
      cell: ({ metadata }) =>
        ["storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class"].some(
          (one) => metadata.annotations?.[one] === "true",
        )
          ? `${metadata.name} (default)`
          : (metadata.name ?? ""),
    },
    text("Provisioner", at("provisioner")),
    text("ReclaimPolicy", at("reclaimPolicy")),
    text("VolumeBindingMode", at("volumeBindingMode")),
    { ...flag("AllowVolumeExpansion", "allowVolumeExpansion"), type: "string" },
    AGE,
  ],
  "volumeattachments.storage.k8s.io": [
    NAME,
    text("Attacher", at("spec.attacher")),
    text("PV", at("spec.source.persistentVolumeName")),
    text("Node", at("spec.nodeName")),
    flag("Attached", "status.attached"),
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
