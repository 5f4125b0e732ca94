import type { JsonObject, KubeObject } from "@boxship/api";
import type { PolicyRule } from "@boxship/api/rules";

const API_VERSION = "rbac.authorization.k8s.io/v1";
const BOOTSTRAPPING = { "kubernetes.io/bootstrapping": "rbac-defaults" };
const AUTO_UPDATE = { "rbac.authorization.kubernetes.io/autoupdate": "true" };

const READ = ["get", "list", "watch"];
const WRITE = ["create", "delete", "deletecollection", "patch", "update"];

const rule = (verbs: readonly string[], group: string, resources: string): PolicyRule => ({
  apiGroups: [group],
  resources: resources.split(" "),
  verbs,
});

/** Resources that users of a namespace see, by group. */
const VIEWED: readonly PolicyRule[] = [
  rule(
    READ,
    "",
    "configmaps endpoints persistentvolumeclaims persistentvolumeclaims/status pods replicationcontrollers replicationcontrollers/scale serviceaccounts services services/status bindings events limitranges namespaces/status pods/log pods/status replicationcontrollers/status resourcequotas resourcequotas/status namespaces",
  ),
  rule(READ, "discovery.k8s.io", "endpointslices"),
  rule(
    READ,
    "apps",
    "controllerrevisions daemonsets daemonsets/status deployments deployments/scale deployments/status replicasets replicasets/scale replicasets/status statefulsets statefulsets/scale statefulsets/status",
  ),
  rule(READ, "autoscaling", "horizontalpodautoscalers horizontalpodautoscalers/status"),
  rule(READ, "batch", "cronjobs cronjobs/status jobs jobs/status"),
  rule(READ, "policy", "poddisruptionbudgets poddisruptionbudgets/status"),
  rule(READ, "networking.k8s.io", "ingresses ingresses/status networkpolicies"),
];

const EDITED: readonly PolicyRule[] = [
  rule(READ, "", "pods/attach pods/exec pods/portforward pods/proxy secrets services/proxy"),
  rule(["impersonate"], "", "serviceaccounts"),
  rule(WRITE, "", "pods pods/attach pods/exec pods/portforward pods/proxy"),
  rule(["create"], "", "pods/eviction"),
  rule(
    WRITE,
    "",
    "configmaps events persistentvolumeclaims replicationcontrollers replicationcontrollers/scale secrets serviceaccounts services services/proxy",
  ),
  rule(["create"], "", "serviceaccounts/token"),
  rule(
    WRITE,
    "apps",
    "daemonsets deployments deployments/rollback deployments/scale replicasets replicasets/scale statefulsets statefulsets/scale",
  ),
  rule(WRITE, "autoscaling", "horizontalpodautoscalers"),
  rule(WRITE, "batch", "cronjobs jobs"),
  rule(WRITE, "policy", "poddisruptionbudgets"),
  rule(WRITE, "networking.k8s.io", "ingresses networkpolicies"),
  rule([...WRITE, ...READ], "coordination.k8s.io", "leases"),
];

const ADMINISTERED: readonly PolicyRule[] = [
  rule(["create"], "authorization.k8s.io", "localsubjectaccessreviews"),
  rule([...WRITE, ...READ], "rbac.authorization.k8s.io", "rolebindings roles"),
];

/** What placing pods takes. */
const SCHEDULED: readonly PolicyRule[] = [
  rule(["create", "patch", "update"], "", "events"),
  rule(READ, "", "namespaces nodes pods persistentvolumeclaims persistentvolumes"),
  rule(["delete"], "", "pods"),
  rule(["create"], "", "pods/binding"),
  rule(["patch", "update"], "", "pods/status persistentvolumeclaims persistentvolumes"),
  rule(READ, "", "replicationcontrollers services"),
  rule(READ, "apps", "replicasets statefulsets"),
  rule(READ, "policy", "poddisruptionbudgets"),
  rule(READ, "storage.k8s.io", "csinodes storageclasses"),
];

const HEALTH_URLS = ["/healthz", "/livez", "/readyz", "/version", "/version/"];

const urls = (...nonResourceURLs: readonly string[]): PolicyRule => ({ nonResourceURLs, verbs: ["get"] });

const gather = (label: string): JsonObject => ({
  aggregationRule: {
    clusterRoleSelectors: [{ matchLabels: { [`rbac.authorization.k8s.io/aggregate-to-${label}`]: "true" } }],
  },
});

interface RoleOptions {
  readonly rules: readonly PolicyRule[];
  readonly labels?: Readonly<Record<string, string>>;
  readonly more?: JsonObject;
}

function clusterRole(name: string, { rules, labels = {}, more = {} }: RoleOptions): KubeObject {
  return {
    apiVersion: API_VERSION,
    kind: "ClusterRole",
    metadata: { name, labels: { ...BOOTSTRAPPING, ...labels }, annotations: AUTO_UPDATE },
    ...more,
    rules: rules as unknown as JsonObject[],
  };
}

const aggregated = (to: string): Readonly<Record<string, string>> => ({
  [`rbac.authorization.k8s.io/aggregate-to-${to}`]: "true",
});

function bind(name: string, kind: "Group" | "User", subjects: readonly string[]): KubeObject {
  return {
    apiVersion: API_VERSION,
    kind: "ClusterRoleBinding",
    metadata: { name, labels: BOOTSTRAPPING, annotations: AUTO_UPDATE },
    roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name },
    subjects: subjects.map((subject) => ({ apiGroup: "rbac.authorization.k8s.io", kind, name: subject })),
  };
}

const REQUESTS = "certificatesigningrequests";
const SIGNING = `system:certificates.k8s.io:${REQUESTS}`;
/** Nodes that have a token, and no certificate yet. */
const BOOTSTRAPPERS = "system:bootstrappers";
const AUTHENTICATED = "system:authenticated";

/** The roles and bindings that every cluster has. Roles of upstream's controllers come with the controllers. */
export function defaultRoles(): readonly KubeObject[] {
  return [
    clusterRole("cluster-admin", {
      rules: [
        { apiGroups: ["*"], resources: ["*"], verbs: ["*"] },
        { nonResourceURLs: ["*"], verbs: ["*"] },
      ],
    }),
    clusterRole("admin", { rules: [], more: gather("admin") }),
    clusterRole("edit", { rules: [], more: gather("edit"), labels: aggregated("admin") }),
    clusterRole("view", { rules: [], more: gather("view"), labels: aggregated("edit") }),
    clusterRole("system:aggregate-to-admin", {
      rules: [...ADMINISTERED, ...EDITED, ...VIEWED],
      labels: aggregated("admin"),
    }),
    clusterRole("system:aggregate-to-edit", { rules: [...EDITED, ...VIEWED], labels: aggregated("edit") }),
    clusterRole("system:aggregate-to-view", { rules: VIEWED, labels: aggregated("view") }),
    clusterRole("system:basic-user", {
      rules: [
        rule(["create"], "authorization.k8s.io", "selfsubjectaccessreviews selfsubjectrulesreviews"),
        rule(["create"], "authentication.k8s.io", "selfsubjectreviews"),
      ],
    }),
    clusterRole("system:discovery", {
      rules: [urls("/api", "/api/*", "/apis", "/apis/*", "/openapi", "/openapi/*", ...HEALTH_URLS)],
    }),
    clusterRole("system:public-info-viewer", { rules: [urls(...HEALTH_URLS)] }),
    clusterRole("system:monitoring", {
      rules: [
        urls("/healthz", "/healthz/*", "/livez", "/livez/*", "/metrics", "/metrics/slis", "/readyz", "/readyz/*"),
      ],
    }),
    clusterRole("system:service-account-issuer-discovery", {
      rules: [
        urls(
          "/.well-known/openid-configuration",
          "/.well-known/openid-configuration/",
          "/openid/v1/jwks",
          "/openid/v1/jwks/",
        ),
      ],
    }),
    clusterRole("system:auth-delegator", {
      rules: [
        rule(["create"], "authentication.k8s.io", "tokenreviews"),
        rule(["create"], "authorization.k8s.io", "subjectaccessreviews"),
      ],
    }),
    ...["nodeclient", "selfnodeclient"].map((right) =>
      clusterRole(`${SIGNING}:${right}`, { rules: [rule(["create"], "certificates.k8s.io", `${REQUESTS}/${right}`)] }),
    ),
    clusterRole("system:node-bootstrapper", {
      rules: [rule(["create", "get", "list", "watch"], "certificates.k8s.io", REQUESTS)],
    }),
    bind("system:node-bootstrapper", "Group", [BOOTSTRAPPERS]),
    bind(`${SIGNING}:nodeclient`, "Group", [BOOTSTRAPPERS]),
    bind(`${SIGNING}:selfnodeclient`, "Group", ["system:nodes"]),
    clusterRole("system:kube-scheduler", { rules: SCHEDULED }),
    bind("system:kube-scheduler", "User", ["system:kube-scheduler"]),
    bind("cluster-admin", "Group", ["system:masters"]),
    bind("system:basic-user", "Group", [AUTHENTICATED]),
    bind("system:discovery", "Group", [AUTHENTICATED]),
    bind("system:public-info-viewer", "Group", [AUTHENTICATED, "system:unauthenticated"]),
    bind("system:monitoring", "Group", ["system:monitoring"]),
    bind("system:service-account-issuer-discovery", "Group", ["system:serviceaccounts"]),
  ];
}
