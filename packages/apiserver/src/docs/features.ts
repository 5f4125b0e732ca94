/** What is told of a feature. */
export type State = "works" | "differs" | "refused";

export interface Feature {
  readonly name: string;
  readonly state: State;
  readonly note: string;
}

/** What the server can do besides its kinds. */
export const FEATURES: readonly Feature[] = [
  {
    name: "get, list, watch, create, update, patch, delete, deletecollection",
    state: "works",
    note: "with preconditions, `dryRun`, `generateName`, finalizers, generation, status and spec apart",
  },
  {
    name: "lists",
    state: "works",
    note: "`limit` and `continue` at one revision, `resourceVersion` and `resourceVersionMatch`, label and field selectors; tokens are our own",
  },
  {
    name: "watches",
    state: "works",
    note: "bookmarks, `sendInitialEvents`, 410 after compaction (five minutes) as an event, tables and metadata as well as objects",
  },
  { name: "JSON, merge and strategic merge patches", state: "works", note: "" },
  {
    name: "server-side apply",
    state: "works",
    note: "across versions and of scales, too; the oldest of more than ten updaters are gathered (`ancient-changes`); fields that an object had before anybody managed it are `before-first-apply`'s, and what kubectl's own apply has set becomes its own",
  },
  {
    name: "field validation",
    state: "works",
    note: "strict, warn and ignore; unknown and duplicate fields; integers of 64 bits are kept exactly, or, in YAML beyond 2^53, refused",
  },
  {
    name: "validation",
    state: "differs",
    note: "kinds below that work have all of upstream's rules, others the most usual; a change is not refused for what was wrong in the object before; values and differences that messages print have the fields' names as they are written; of more than 1,000 errors of one object the first 1,000 are told",
  },
  {
    name: "large objects",
    state: "works",
    note: "bodies of three megabytes, objects of 1.5 MB as etcd has it, for both stores (413), with at most 75,000 fields in one map; what is done with them is done in turns, of which one may take up to 100 ms for maps of 45,000 fields and for definitions of custom resources of a megabyte",
  },
  {
    name: "tables and PartialObjectMetadata",
    state: "differs",
    note: "upstream's columns, with shorter descriptions; those of `meta.k8s.io/v1beta1` are not offered (406)",
  },
  { name: "discovery, plain and aggregated", state: "works", note: "with ETags" },
  {
    name: "OpenAPI v3",
    state: "differs",
    note: "with upstream's words for `kubectl explain`; their line breaks are lost and a field that is of another definition has that one's words",
  },
  {
    name: "OpenAPI v2",
    state: "differs",
    note: "as JSON, and as protobuf without paths, which is what kubectl reads for lists and unknown kinds",
  },
  {
    name: "JSON, YAML",
    state: "differs",
    note: "zeros that somebody has sent are kept where upstream drops them (`hostNetwork: false`)",
  },
  {
    name: "protobuf",
    state: "works",
    note: "of built-in kinds, bodies and answers: objects, lists, watches, metadata of any kind, failures; tables and custom kinds are JSON",
  },
  {
    name: "CBOR",
    state: "refused",
    note: "406 and, with the name of the type, 415, as for any type that is not offered",
  },
  { name: "gzip", state: "works", note: "answers of 128 KiB and more, and packed bodies" },
  {
    name: "client certificates, impersonation",
    state: "works",
    note: "until they end, on connections that are there, too; the cluster's own are made anew 30 days before, and the server's when the machine has another name or address, while it serves; impersonation for some requests alone, too (`impersonate-on:user-info:list` and the like)",
  },
  { name: "anonymous requests", state: "works", note: "health and version; a file may say fewer paths, or none" },
  {
    name: "service-account tokens",
    state: "works",
    note: "`serviceaccounts/token` bound to pods, secrets and nodes, audiences, expiry; ES256 with a key of the cluster's own, RSA where the file of keys has one; OIDC discovery of the keys; token reviews. Secrets of type `kubernetes.io/service-account-token` have their token at once, and go with their account; without that account they are refused",
  },
  {
    name: "bootstrap tokens, OpenID Connect, webhook for tokens",
    state: "differs",
    note: "`boxship up --authentication-config` (claims or expressions for names, groups, uid and extra, rules about claims and users in CEL; distributed claims and egress selectors are not there) and `--authentication-token-webhook-config-file`",
  },
  {
    name: "RBAC",
    state: "works",
    note: "with aggregation and without granting more than one has; default roles for people, not yet for controllers and nodes",
  },
  {
    name: "webhook for authorization",
    state: "works",
    note: "`boxship up --authorization-webhook-config-file`, by SubjectAccessReviews v1, after RBAC; one that cannot be asked has no opinion; members of `system:masters` are not asked about",
  },
  {
    name: "structured authorization",
    state: "differs",
    note: "`boxship up --authorization-config`: `AuthorizationConfiguration` v1, v1beta1 and v1alpha1 with `Node`, `RBAC`, `Webhook` (match conditions, failure policy, times, both versions of reviews), `AlwaysAllow` and `AlwaysDeny` in the file's order; read again when it changes; ABAC and `InClusterConfig` are refused, and a webhook that fails is 403, not 500",
  },
  { name: "access and rules reviews, self subject reviews", state: "works", note: "" },
  {
    name: "nodes' access",
    state: "works",
    note: "the node authorizer and NodeRestriction: a node reads what its pods need, by name, and writes itself, its lease and its pods; tokens that it asks for are for audiences that volumes of the pod want, or that a role allows",
  },
  {
    name: "custom resources",
    state: "differs",
    note: "structural schemas, defaults, pruning, columns, scale, status, selectable fields, several versions; rules in CEL with transitions, messages, a budget at run time and an estimate of their cost when a definition is made, by upstream's rules and limits though not to the last unit; names that another definition of the group has are not given twice",
  },
  {
    name: "conversion of custom resources",
    state: "works",
    note: "`None` and webhooks (`ConversionReview` v1 and v1beta1, by URL and by service), for all verbs, watches and server-side apply; `status.storedVersions`, and objects that are written in the version that is kept now whenever they are written; a list is asked about in reviews of a mebibyte",
  },
  {
    name: "admission plugins",
    state: "differs",
    note: "namespace lifecycle, limit ranges, service accounts, priority, default storage and ingress classes, protection of claims and volumes that are in use, default tolerations, region and zone of nodes as labels of their pods, the taint of new nodes, runtime classes, pod security with the checks of the version that a label names, growth of claims, approval, signing and subjects of certificates, quotas (counted again at every change)",
  },
  {
    name: "admission webhooks",
    state: "differs",
    note: "by URL and by service (ready endpoints, else its address); reviews of v1 and v1beta1; who changes a new object sees the name and the UID that it will have; evictions, bindings, scales, token requests and connections are shown as what they are",
  },
  {
    name: "admission policies",
    state: "differs",
    note: "validating and mutating, with parameters, variables, match conditions and `authorizer`; audit annotations; `status.typeChecking`, in which `request` can be anything; an expression whose type is known only when it is evaluated is taken (upstream wants `bool`)",
  },
  {
    name: "CEL",
    state: "differs",
    note: "our own (ADR 0020): the language with optional values and two-variable comprehensions, strings, lists, sets, and Kubernetes' libraries quantity, url, ip, cidr, regex, format, semver, authorizer, jsonpatch; budgets count steps, characters and items, not exactly upstream's units; long evaluations give way to others every few milliseconds",
  },
  {
    name: "audit log",
    state: "differs",
    note: "`boxship up --audit-policy-file`: a file of JSON lines, set aside after 100 MB; bodies of secrets and tokens are never in it, whatever the policy says; annotations of the decision and of admission; `--audit-webhook-config-file` sends batches to another server, too; `Audit-Id` in every answer",
  },
  {
    name: "API aggregation",
    state: "differs",
    note: "other servers' versions are asked by their service, with a front proxy's certificate and the names of who asks, looked at every 30 s, and merged into discovery; versions that are served here are never theirs; their OpenAPI v3 is found in the index and their v2 merged (a server with v2 alone is not in v3); connections that become another protocol's are passed on over HTTP/1.1; what is served here has its APIServices, built-in versions since the start and custom ones as long as they are served",
  },
  {
    name: "priority and fairness",
    state: "differs",
    note: "flow schemas and priority levels with upstream's defaults, 600 seats, shuffle-sharded fair queues, lending and borrowing at once, 429 with `Retry-After`, metrics; lists and watches with initial events are as wide as upstream's estimate by the size of objects says, writes leave seats to their watchers for a while, watches have theirs until they begin; schemas tell whether their level is there (`Dangling`). Levels borrow at once and not every ten seconds, and nothing is measured of how long seats are held",
  },
  {
    name: "log, exec, attach, portforward",
    state: "works",
    note: "of pods on this machine's node, by WebSocket and by SPDY/3.1; not of nodes elsewhere",
  },
  {
    name: "proxy",
    state: "differs",
    note: "of pods and services (`[https:]NAME[:PORT]`), with all methods, bodies that stream and connections that become another protocol's; `Location` and links in HTML that is plain or packed by gzip are rewritten; services lead to endpoints that are ready pods of their namespace, never to other addresses; of nodes to be read: `metrics`, `metrics/cadvisor`, `metrics/resource`, `stats/summary`, `pods`, `healthz`; and to be told to write a checkpoint",
  },
  {
    name: "controllers",
    state: "differs",
    note: "namespaces and custom resource definitions are finished, and every namespace has its default service account and `kube-root-ca.crt`; for the others see `docs/controllers.md` and `docs/scheduler.md`",
  },
  {
    name: "secrets at rest",
    state: "works",
    note: "AES-256-GCM, bound to their place; `boxship store rotate-keys` makes a new key and seals all by it while the cluster is served, and keeps the one before",
  },
  {
    name: "the store",
    state: "works",
    note: "SQLite, or etcd 3.4 and later by `boxship up --store etcd --etcd-endpoints … --etcd-ca … --etcd-cert … --etcd-key …`. A second start over one state directory is refused; one etcd is for one cluster, and a second instance that is given the same etcd is not refused. `boxship store snapshot`, `restore`, `check` and `migrate`. After a restore or a migration resource versions go on beyond all that were before, and who watches from before is told to list again (410). Where the store that a snapshot is restored over is lost, nobody knows how far it was: they go on a million beyond, at once in SQLite; a later migration to etcd makes a write for each, of which it does some thousands a second. The engine starts a cluster that is meant to be up again after a reboot or a crash; not without root",
  },
];
