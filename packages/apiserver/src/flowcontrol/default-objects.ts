import type { JsonObject, KubeObject } from "@boxship/api";

const API_VERSION = "flowcontrol.apiserver.k8s.io/v1";
const UPDATED = { "apf.kubernetes.io/autoupdate-spec": "true" };

function level(name: string, spec: JsonObject): KubeObject {
  return {
    apiVersion: API_VERSION,
    kind: "PriorityLevelConfiguration",
    metadata: { name, annotations: UPDATED },
    spec,
  };
}

function queued(
  name: string,
  shares: number,
  lendablePercent: number,
  [queues, handSize]: readonly [number, number],
): KubeObject {
  return level(name, {
    type: "Limited",
    limited: {
      nominalConcurrencyShares: shares,
      lendablePercent,
      limitResponse: { type: "Queue", queuing: { queues, handSize, queueLengthLimit: 50 } },
    },
  });
}

/** What no cluster is without: who administers it is never held up, and whoever fits nowhere has somewhere to go. */
export const MANDATORY_LEVELS: readonly KubeObject[] = [
  level("exempt", { type: "Exempt", exempt: { nominalConcurrencyShares: 0, lendablePercent: 0 } }),
  level("catch-all", {
    type: "Limited",
    limited: { nominalConcurrencyShares: 5, lendablePercent: 0, limitResponse: { type: "Reject" } },
  }),
];

const LEVELS: readonly KubeObject[] = [
  ...MANDATORY_LEVELS,
  queued("system", 30, 33, [64, 6]),
  queued("node-high", 40, 25, [64, 6]),
  queued("leader-election", 10, 0, [16, 4]),
  queued("workload-high", 40, 50, [128, 6]),
  queued("workload-low", 100, 90, [128, 6]),
  queued("global-default", 20, 50, [128, 6]),
];

const group = (name: string): JsonObject => ({ kind: "Group", group: { name } });
const user = (name: string): JsonObject => ({ kind: "User", user: { name } });
const account = (namespace: string, name: string): JsonObject => ({
  kind: "ServiceAccount",
  serviceAccount: { namespace, name },
});

interface SchemaOptions {
  readonly level: string;
  readonly precedence: number;
  readonly by?: "ByUser" | "ByNamespace";
  readonly subjects: readonly JsonObject[];
  readonly resources?: readonly JsonObject[];
  readonly paths?: readonly JsonObject[];
}

function schema(name: string, options: SchemaOptions): KubeObject {
  const { level: priority, precedence, by, subjects, resources, paths } = options;
  return {
    apiVersion: API_VERSION,
    kind: "FlowSchema",
    metadata: { name, annotations: UPDATED },
    spec: {
      priorityLevelConfiguration: { name: priority },
      matchingPrecedence: precedence,
      ...(by === undefined ? {} : { distinguisherMethod: { type: by } }),
      rules: [
        {
          subjects: [...subjects],
          ...(resources === undefined ? {} : { resourceRules: [...resources] }),
          ...(paths === undefined ? {} : { nonResourceRules: [...paths] }),
        },
      ],
    },
  };
}

const everyResource: JsonObject = {
  verbs: ["*"],
  apiGroups: ["*"],
  resources: ["*"],
  clusterScope: true,
  namespaces: ["*"],
};
const everyPath: JsonObject = { verbs: ["*"], nonResourceURLs: ["*"] };
const anything = { resources: [everyResource], paths: [everyPath] } as const;

const leases = (...namespaces: string[]): JsonObject => ({
  verbs: ["get", "create", "update"],
  apiGroups: ["coordination.k8s.io"],
  resources: ["leases"],
  namespaces,
});

const EVERYBODY = [group("system:unauthenticated"), group("system:authenticated")];
const CONTROLLERS = user("system:kube-controller-manager");
const SCHEDULER = user("system:kube-scheduler");
const SYSTEM_ACCOUNTS = account("kube-system", "*");

export const CATCH_ALL_SCHEMA: KubeObject = schema("catch-all", {
  level: "catch-all",
  precedence: 10000,
  by: "ByUser",
  subjects: EVERYBODY,
  ...anything,
});

export const MANDATORY_SCHEMAS: readonly KubeObject[] = [
  schema("exempt", { level: "exempt", precedence: 1, subjects: [group("system:masters")], ...anything }),
  CATCH_ALL_SCHEMA,
];

const SCHEMAS: readonly KubeObject[] = [
  ...MANDATORY_SCHEMAS,
  schema("probes", {
    level: "exempt",
    precedence: 2,
    subjects: [...EVERYBODY].reverse(),
    paths: [{ verbs: ["get"], nonResourceURLs: ["/healthz", "/readyz", "/livez"] }],
  }),
  schema("system-leader-election", {
    level: "leader-election",
    precedence: 100,
    by: "ByUser",
    subjects: [CONTROLLERS, SCHEDULER, SYSTEM_ACCOUNTS],
    resources: [leases("kube-system")],
  }),
  schema("endpoint-controller", {
    level: "workload-high",
    precedence: 150,
    by: "ByUser",
    subjects: [
      CONTROLLERS,
      account("kube-system", "endpoint-controller"),
      account("kube-system", "endpointslicemirroring-controller"),
    ],
    resources: [{ verbs: ["get", "create", "update"], apiGroups: [""], resources: ["endpoints"], namespaces: ["*"] }],
  }),
  schema("workload-leader-election", {
    level: "leader-election",
    precedence: 200,
    by: "ByUser",
    subjects: [SYSTEM_ACCOUNTS],
    resources: [leases("*")],
  }),
  schema("system-node-high", {
    level: "node-high",
    precedence: 400,
    by: "ByUser",
    subjects: [group("system:nodes")],
    resources: [
      { verbs: ["*"], apiGroups: [""], resources: ["nodes", "nodes/status"], clusterScope: true, namespaces: ["*"] },
      { verbs: ["*"], apiGroups: ["coordination.k8s.io"], resources: ["leases"], namespaces: ["*"] },
    ],
  }),
  schema("system-nodes", {
    level: "system",
    precedence: 500,
    by: "ByUser",
    subjects: [group("system:nodes")],
    ...anything,
  }),
  schema("kube-controller-manager", {
    level: "workload-high",
    precedence: 800,
    by: "ByNamespace",
    subjects: [CONTROLLERS],
    ...anything,
  }),
  schema("kube-scheduler", {
    level: "workload-high",
    precedence: 800,
    by: "ByNamespace",
    subjects: [SCHEDULER],
    ...anything,
  }),
  schema("kube-system-service-accounts", {
    level: "workload-high",
    precedence: 900,
    by: "ByNamespace",
    subjects: [SYSTEM_ACCOUNTS],
    ...anything,
  }),
  schema("service-accounts", {
    level: "workload-low",
    precedence: 9000,
    by: "ByUser",
    subjects: [group("system:serviceaccounts")],
    ...anything,
  }),
  schema("global-default", {
    level: "global-default",
    precedence: 9900,
    by: "ByUser",
    subjects: EVERYBODY,
    ...anything,
  }),
];

/** What every cluster has from its first start. */
export const FLOW_CONTROL_OBJECTS: readonly KubeObject[] = [...LEVELS, ...SCHEMAS];
